import type { RateAnswer, RateLimit, RateLimiterStore } from '../../../contracts/rate-limiter-store.js';
import type { Clock } from '../../../support/clock.js';
import { askLimits, type RateWindow } from '../rate-windows.js';
import type { Tables } from '../table-names.js';
import type { Session } from './session.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

export class SqliteLimits implements RateLimiterStore {
  readonly #find: string;
  readonly #put: string;
  readonly #clear: string;

  constructor(
    private readonly file: SqliteFile,
    { quoted: t }: Tables,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {
    this.#find = `SELECT hits, ends_at FROM ${t.limits} WHERE key = ?`;
    this.#put = `INSERT INTO ${t.limits} (key, hits, ends_at) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET hits = excluded.hits, ends_at = excluded.ends_at`;
    this.#clear = `DELETE FROM ${t.limits} WHERE key = ?`;
  }

  async take(limits: readonly RateLimit[]): Promise<RateAnswer> {
    // A refusal is the common answer of a busy limiter, and needs no write.
    const look = await this.peek(limits);
    if (!look.allowed) return look;
    return this.file.write((session) => {
      const { answer, taken } = askLimits(limits, (key) => this.#window(session, key), this.clock.now());
      for (const [key, { hits, endsAt }] of taken?.windows ?? []) session.run(this.#put, [key, hits, endsAt]);
      return taken?.answer ?? answer;
    }, this.patience);
  }

  peek(limits: readonly RateLimit[]): Promise<RateAnswer> {
    return this.file.read(
      (session) => askLimits(limits, (key) => this.#window(session, key), this.clock.now()).answer,
      this.patience,
    );
  }

  async clear(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.file.write((session) => {
      for (const key of keys) session.run(this.#clear, [key]);
    }, this.patience);
  }

  #window(session: Session, key: string): RateWindow | undefined {
    const row = session.first<[number, number]>(this.#find, [key]);
    return row && { hits: row[0], endsAt: row[1] };
  }
}
