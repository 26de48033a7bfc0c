import type { Tables } from '../table-names.js';
import type { Session } from './session.js';

/** Rows of one go: no write unit holds the file for long. */
const CHUNK = 1_000;
/** What has expired in the side tables is removed this often at most. */
const TIDY_EVERY_MS = 60_000;

/** Frees jobs whose lease ran out, and forgets what has expired. */
export class Sweep {
  readonly #anyExpired: string;
  readonly #free: string;
  readonly #tidy: readonly string[];
  #tidiedAt = -Infinity;
  #lookedAt = -Infinity;

  constructor({ quoted: t, outbox }: Tables) {
    this.#anyExpired = `SELECT 1 FROM ${t.jobs} WHERE leased_until IS NOT NULL AND leased_until <= ? LIMIT 1`;
    this.#free = `UPDATE ${t.jobs} SET leased_until = NULL, token = NULL, stalls = stalls + 1 WHERE seq IN (
      SELECT seq FROM ${t.jobs} WHERE leased_until IS NOT NULL AND leased_until <= ? ORDER BY leased_until LIMIT ${CHUNK})`;
    const tidy = [
      `DELETE FROM ${t.once} WHERE id IN (SELECT id FROM ${t.once} WHERE expires_at <= ? LIMIT ${CHUNK})`,
      `DELETE FROM ${t.locks} WHERE key IN (SELECT key FROM ${t.locks} WHERE expires_at IS NOT NULL AND expires_at <= ? LIMIT ${CHUNK})`,
      `DELETE FROM ${t.limits} WHERE key IN (SELECT key FROM ${t.limits} WHERE ends_at <= ? LIMIT ${CHUNK})`,
      `DELETE FROM ${t.cancelled} WHERE expires_at <= ?`,
      `DELETE FROM ${t.control} WHERE expires_at IS NOT NULL AND expires_at <= ?`,
    ];
    const there = [t.locks, t.cancelled].map((table) => `DELETE FROM ${table} WHERE`);
    this.#tidy = outbox ? tidy.filter((sql) => there.some((beginning) => sql.startsWith(beginning))) : tidy;
  }

  /** Within a write unit: the token is dropped, a stall counted, and the row free again with its old time. `everyMs`: no more often. */
  run(session: Session, now: number, everyMs = 0): void {
    if (everyMs === 0 || Math.abs(now - this.#lookedAt) >= everyMs) {
      this.#lookedAt = now;
      if (session.first(this.#anyExpired, [now]) !== undefined) session.run(this.#free, [now]);
    }
    if (now - this.#tidiedAt < TIDY_EVERY_MS) return;
    this.#tidiedAt = now;
    for (const statement of this.#tidy) session.run(statement, [now]);
  }
}
