import type { QueueSize } from '../../../contracts/queue-driver.js';
import type { Tables } from '../table-names.js';
import type { Session } from './session.js';

/** Counts the jobs of a queue, from indexes alone where they are free. */
export class SizeRows {
  readonly #free: string;
  readonly #reserved: string;

  constructor({ quoted: t }: Tables) {
    this.#free = `SELECT count(*), count(CASE WHEN available_at <= ? THEN 1 END), min(available_at) FROM ${t.jobs}
      WHERE queue = ? AND leased_until IS NULL`;
    this.#reserved = `SELECT count(*) FROM ${t.jobs} WHERE leased_until IS NOT NULL AND queue = ?`;
  }

  size(session: Session, queue: string, now: number): QueueSize {
    const [free, pending, oldest] = session.first<[number, number, number | null]>(this.#free, [now, queue])!;
    const [reserved] = session.first<[number]>(this.#reserved, [queue])!;
    return {
      pending,
      delayed: free - pending,
      reserved,
      ...(oldest !== null && oldest <= now ? { oldestPendingAt: oldest } : {}),
    };
  }
}
