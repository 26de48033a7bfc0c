import { chunks } from '../../../support/chunks.js';
import type { ReservedJob } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from '../server/dialect.js';
import { atomically, type Link, type Statement } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import { idOf, readable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';
import { Outlook, type View } from './outlook.js';
import { CLAIM_INDEX } from './schema.js';

/** Lost jobs of one queue that one claim frees. */
const FREED = 500;

type Free = [
  seq: number,
  id: string,
  idName: string | null,
  body: string,
  attempts: number,
  stalls: number,
  memo: string | null,
  now: number,
];

/** What a look showed, and what follows from it. */
export interface Decision {
  readonly due: boolean;
  readonly views: readonly View[];
  readonly nextInMs?: number;
}

/**
 * Takes jobs in the order of queue, priority, time, sequence. A look shows whether anything is due and of which priority; only then rows
 * are locked, each stretch of the claim index by itself, past those that others have locked. Nobody waits for anybody here.
 */
export class ClaimRows {
  readonly #outlook: Outlook;
  readonly #lock: Statement;
  readonly #expired: Statement;
  readonly #take: SizedStatement;
  readonly #free: SizedStatement;

  constructor(tables: Tables) {
    const { jobs } = tables.quoted;
    const from = `FROM ${jobs} FORCE INDEX (${CLAIM_INDEX})`;
    this.#outlook = new Outlook(tables);
    this.#lock = statementOf(
      `SELECT seq, id, id_name, body, attempts, stalls, memo, ${NOW} ${from} WHERE queue = ? AND leased_until = 0 AND place = ?
        AND available_at <= ${NOW} ORDER BY available_at, seq LIMIT ? FOR UPDATE SKIP LOCKED`,
    );
    this.#expired = statementOf(
      `SELECT seq ${from} WHERE queue = ? AND leased_until BETWEEN 1 AND ${NOW} ORDER BY leased_until LIMIT ${FREED}
        FOR UPDATE SKIP LOCKED`,
    );
    this.#take = new SizedStatement(
      mysqlFlavour,
      (length) =>
        `UPDATE ${jobs} SET leased_until = ?, token = CONCAT(?, '.', seq), attempts = attempts + 1 WHERE seq IN ${listOf(length)}`,
    );
    this.#free = new SizedStatement(
      mysqlFlavour,
      (length) =>
        `UPDATE ${jobs} SET leased_until = 0, token = NULL, stalls = stalls + 1 WHERE seq IN ${listOf(length)}`,
    );
  }

  async claim(link: Link, request: ClaimRequest): Promise<Claimed> {
    const decision = await this.look(link, request);
    if (!decision.due) return nothing(decision);
    return atomically(link, mysqlFlavour.begin, () => this.take(link, request, decision));
  }

  async claimWithin(link: Link, request: ClaimRequest): Promise<Claimed> {
    const decision = await this.look(link, request);
    return decision.due ? this.take(link, request, decision) : nothing(decision);
  }

  /** Goes on until something due was seen, or all there is. */
  async look(link: Link, { queues, limit }: ClaimRequest): Promise<Decision> {
    if (limit < 1 || queues.length === 0) return { due: false, views: [] };
    for (;;) {
      const views = await this.#outlook.look(link, queues);
      if (views.some(isDue)) return { due: true, views };
      if (!views.every(({ whole }) => whole)) continue;
      const next = Math.min(...views.map(nextInMs));
      return { due: false, views, ...(next < Infinity ? { nextInMs: next } : {}) };
    }
  }

  /** Within a transaction. */
  async take(link: Link, { queues, limit, leaseMs, claim }: ClaimRequest, { views: seen }: Decision): Promise<Claimed> {
    const freed = await this.#freeExpired(link, seen);
    const views = freed ? await this.#outlook.look(link, queues) : seen;
    const taken: { readonly row: Free; readonly queue: string; readonly place: number }[] = [];
    for (let view of views) {
      const tried = new Set<number>();
      while (taken.length < limit) {
        for (const { place, availableAt } of view.heads) {
          if (availableAt > view.now || tried.has(place) || taken.length >= limit) continue;
          tried.add(place);
          const { rows } = await link.query<Free>(this.#lock, [storable(view.queue), place, limit - taken.length]);
          for (const row of rows) taken.push({ row, queue: view.queue, place });
        }
        if (view.whole || taken.length >= limit) break;
        [view] = (await this.#outlook.look(link, [view.queue])) as [View];
      }
    }
    if (taken.length === 0) return { jobs: [] };
    const leasedUntil = Number(taken.at(-1)!.row[7]) + Math.ceil(leaseMs);
    for (const some of chunks(taken, LIST)) {
      const { statement, padded } = this.#take.of(some.map(({ row }) => Number(row[0])));
      await link.query(statement, [leasedUntil, claim, ...padded]);
    }
    return { jobs: taken.map(({ row, queue, place }) => reservedJob(row, queue, place, claim, leasedUntil)) };
  }

  /** What was lost stands in its old place again, and is taken from there. */
  async #freeExpired(link: Link, views: readonly View[]): Promise<boolean> {
    let freed = false;
    for (const { queue, now, leaseEndsAt = Infinity } of views) {
      if (leaseEndsAt > now) continue;
      const { rows } = await link.query<[number]>(this.#expired, [storable(queue)]);
      for (const some of chunks(rows, LIST)) {
        const { statement, padded } = this.#free.of(some.map(([seq]) => Number(seq)));
        await link.query(statement, padded);
      }
      freed ||= rows.length > 0;
    }
    return freed;
  }
}

function nothing({ nextInMs: next }: Decision): Claimed {
  return { jobs: [], ...(next === undefined ? {} : { nextInMs: next }) };
}

function isDue({ heads, now, leaseEndsAt = Infinity }: View): boolean {
  return leaseEndsAt <= now || heads.some(({ availableAt }) => availableAt <= now);
}

function nextInMs({ heads, now, leaseEndsAt = Infinity }: View): number {
  return Math.min(leaseEndsAt, ...heads.map(({ availableAt }) => availableAt)) - now;
}

function reservedJob(
  [seq, id, idName, body, attempts, stalls, memo]: Free,
  queue: string,
  place: number,
  claim: string,
  leasedUntil: number,
): ReservedJob {
  return {
    id: idOf(id, idName),
    queue,
    body: readable(body),
    priority: 0 - place,
    attempts: Number(attempts) + 1,
    stalls: Number(stalls),
    token: `${claim}.${seq}`,
    leasedUntil,
    ...(memo === null ? {} : { memo: readable(memo) }),
  };
}
