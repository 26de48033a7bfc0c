import type { ReservedJob } from '../../../contracts/queue-driver.js';
import type { Tables } from '../table-names.js';
import type { Session, Value } from './session.js';

/** What a look at the queues shows without a write. */
export interface Outlook {
  /** A job is due, or a lease of any queue has run out. */
  readonly due: boolean;
  /** Epoch ms of the next delayed job, if any. */
  readonly nextAt?: number;
}

type Claimed = [
  seq: number,
  availableAt: number,
  id: string,
  body: string,
  attempts: number,
  stalls: number,
  token: string,
  memo: Value,
];

/**
 * Takes jobs in the order of queue, priority, time, sequence.
 *
 * Each priority of a queue is one stretch of the claim index, sorted by time. Its first row tells whether anything in it is due; the
 * next stretch is found by seeking past it. So a claim reads one row per priority in use, however many jobs are delayed.
 */
export class ClaimRows {
  readonly #head: string;
  readonly #take: string;
  readonly #outlook: (queues: number) => string;

  constructor({ quoted: t }: Tables) {
    this.#head = `SELECT priority, available_at FROM ${t.jobs} WHERE queue = ? AND leased_until IS NULL AND priority < ?
      ORDER BY priority DESC, available_at, seq LIMIT 1`;
    this.#take = `UPDATE ${t.jobs} SET leased_until = ?, token = lower(hex(randomblob(16))), attempts = attempts + 1 WHERE seq IN (
        SELECT seq FROM ${t.jobs} WHERE queue = ? AND leased_until IS NULL AND priority = ? AND available_at <= ?
        ORDER BY available_at, seq LIMIT ?)
      RETURNING seq, available_at, id, body, attempts, stalls, token, memo`;
    const free = `FROM ${t.jobs} WHERE queue = stretch.queue AND leased_until IS NULL`;
    const outlook = (queues: number): string => `WITH RECURSIVE
      asked(queue) AS (VALUES ${Array(queues).fill('(?)').join(', ')}),
      stretch(queue, priority) AS (
        SELECT queue, (SELECT priority FROM ${t.jobs} j WHERE j.queue = asked.queue AND leased_until IS NULL
          ORDER BY priority DESC LIMIT 1) FROM asked
        UNION ALL
        SELECT queue, (SELECT priority ${free} AND priority < stretch.priority ORDER BY priority DESC LIMIT 1)
          FROM stretch WHERE priority IS NOT NULL)
      SELECT (SELECT min((SELECT available_at ${free} AND priority = stretch.priority ORDER BY available_at LIMIT 1))
          FROM stretch WHERE priority IS NOT NULL),
        (SELECT min(leased_until) FROM ${t.jobs} WHERE leased_until IS NOT NULL)`;
    const outlooks: string[] = [];
    this.#outlook = (queues) => (outlooks[queues] ??= outlook(queues));
  }

  /** One statement, however many queues and priorities there are. */
  look(session: Session, queues: readonly string[], now: number): Outlook {
    const [nextAt, leasedUntil] = session.first<[number | null, number | null]>(this.#outlook(queues.length), queues)!;
    const due = (nextAt !== null && nextAt <= now) || (leasedUntil !== null && leasedUntil <= now);
    return due || nextAt === null ? { due } : { due, nextAt };
  }

  /** Within a write unit. */
  take(session: Session, queues: readonly string[], limit: number, leaseMs: number, now: number): ReservedJob[] {
    const jobs: ReservedJob[] = [];
    const leasedUntil = now + leaseMs;
    for (const queue of queues) {
      if (jobs.length >= limit) break;
      for (const [priority, availableAt] of this.#heads(session, queue)) {
        if (availableAt > now) continue;
        const left = Math.min(limit - jobs.length, Number.MAX_SAFE_INTEGER);
        const rows = session.all<Claimed>(this.#take, [leasedUntil, queue, priority, now, left]);
        // The order of RETURNING is not promised.
        if (rows.length > 1) rows.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
        for (const [, , id, body, attempts, stalls, token, memo] of rows) {
          jobs.push({
            id,
            queue,
            body,
            priority,
            attempts,
            stalls,
            token,
            leasedUntil,
            ...(memo === null ? {} : { memo: String(memo) }),
          });
        }
        if (jobs.length >= limit) break;
      }
    }
    return jobs;
  }

  *#heads(session: Session, queue: string): Generator<[priority: number, availableAt: number]> {
    let below = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const head = session.first<[number, number]>(this.#head, [queue, below]);
      if (head === undefined) return;
      yield head;
      below = head[0];
    }
  }
}
