import type { ReservedJob } from '../../../contracts/queue-driver.js';
import { chunks } from '../../../support/chunks.js';
import type { Tables } from '../table-names.js';
import { nextTokenPrefix, tokenOf } from './reservation-token.js';
import type { Session, Value } from './session.js';

/** What a look at the queues shows without a write. */
export interface Outlook {
  /** A job is due, or a lease of any queue has run out. */
  readonly due: boolean;
  /** Epoch ms of the next delayed job, if any. */
  readonly nextAt?: number;
}

type Found = [seq: number, id: string, body: string, priority: number, attempts: number, stalls: number, memo: Value];

/** Jobs reserved by one UPDATE. Each number of them is a statement of its own. */
const LEASES = 50;

/**
 * Takes jobs in the order of queue, priority, time, sequence.
 *
 * Each priority of a queue is one stretch of the claim index, sorted by time. Its first row tells whether anything in it is due; the
 * next stretch is found by seeking past it. So a claim reads one row per priority in use, however many jobs are delayed.
 */
export class ClaimRows {
  readonly #head: string;
  readonly #top: string;
  readonly #due: string;
  readonly #lease: (jobs: number) => string;
  readonly #outlook: (queues: number) => string;

  constructor({ quoted: t }: Tables) {
    this.#head = `SELECT priority, available_at FROM ${t.jobs} WHERE queue = ? AND leased_until IS NULL AND priority < ?
      ORDER BY priority DESC, available_at, seq LIMIT 1`;
    const due = (priority: string): string => `SELECT seq, id, body, priority, attempts, stalls, memo FROM ${t.jobs}
      WHERE queue = ? AND leased_until IS NULL AND priority = ${priority} AND available_at <= ?
      ORDER BY available_at, seq LIMIT ?`;
    this.#due = due('?');
    this.#top = due(
      `(SELECT priority FROM ${t.jobs} WHERE queue = ? AND leased_until IS NULL ORDER BY priority DESC LIMIT 1)`,
    );
    const leases: string[] = [];
    this.#lease = (jobs) =>
      (leases[jobs] ??= `UPDATE ${t.jobs} SET leased_until = ?, token = ? || seq, attempts = attempts + 1
        WHERE seq ${jobs === 1 ? '= ?' : `IN (${Array(jobs).fill('?').join(', ')})`}`);
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

  /**
   * Within a write unit. What is to be had is read first and marked then: rows come out of a SELECT in their order, and the two together
   * take two thirds of the time of one UPDATE with RETURNING.
   */
  take(session: Session, queues: readonly string[], limit: number, leaseMs: number, now: number): ReservedJob[] {
    const jobs: ReservedJob[] = [];
    const leasedUntil = now + leaseMs;
    const most = Math.min(limit, Number.MAX_SAFE_INTEGER);
    for (const queue of queues) {
      if (jobs.length >= most) break;
      const top = this.#rows(session, this.#top, [queue, queue, now, most - jobs.length]);
      if (top.length > 0) this.#reserve(session, queue, top, leasedUntil, jobs);
      if (jobs.length >= most) break;
      for (const [priority, availableAt] of this.#heads(session, queue, top[0]?.[3])) {
        if (availableAt > now) continue;
        const rows = this.#rows(session, this.#due, [queue, priority, now, most - jobs.length]);
        this.#reserve(session, queue, rows, leasedUntil, jobs);
        if (jobs.length >= most) break;
      }
    }
    return jobs;
  }

  #rows(session: Session, sql: string, params: readonly [Value, Value, number, limit: number]): readonly Found[] {
    if (params[3] > 1) return session.all<Found>(sql, params);
    const row = session.first<Found>(sql, params);
    return row === undefined ? [] : [row];
  }

  #reserve(session: Session, queue: string, rows: readonly Found[], leasedUntil: number, jobs: ReservedJob[]): void {
    const prefix = nextTokenPrefix();
    for (const some of chunks(rows, LEASES)) {
      session.run(this.#lease(some.length), [leasedUntil, prefix, ...some.map(([seq]) => seq)]);
    }
    for (const [seq, id, body, priority, attempts, stalls, memo] of rows) {
      jobs.push({
        id,
        queue,
        body,
        priority,
        attempts: attempts + 1,
        stalls,
        token: tokenOf(prefix, seq, id),
        leasedUntil,
        ...(memo === null ? {} : { memo: String(memo) }),
      });
    }
  }

  *#heads(
    session: Session,
    queue: string,
    below: number = Number.MAX_SAFE_INTEGER,
  ): Generator<[priority: number, availableAt: number]> {
    for (;;) {
      const head = session.first<[number, number]>(this.#head, [queue, below]);
      if (head === undefined) return;
      yield head;
      below = head[0];
    }
  }
}
