import type { ReservedJob } from '../../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Param, Statement } from '../server/link.js';
import { idOf, readable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { readBody } from '../../body-text.js';
import { ClaimMark, fromBeginning, type NearParams } from './claim-mark.js';
import { claimAnswer, claimParts } from './claim-sql.js';
import { textArray } from './parameters.js';
import { NOW } from './postgres-flavour.js';

export type TakenRow = [
  n: number,
  seq: number,
  id: string,
  idName: string | null,
  queue: string,
  priority: number,
  attempts: number,
  stalls: number | null,
  memo: string | null,
  body: string,
];

/** What stands in front of the rows: `leased_until` of all of them, and what may be said where there are none. */
type Head = [
  n: number,
  leasedUntil: number,
  id: null,
  done: string | null,
  told: string | null,
  settled: number,
  firstPriority: number | null,
  stalls: null,
  nextInMs: string | null,
  firstAt: string | null,
];

/** How many parameters a claim has: one that looks everywhere, and one that goes on. */
export const CLAIM_PARAMS = { whole: 6, near: 7 };

export interface ClaimAnswer {
  readonly claimed: Claimed;
  readonly settled: number;
  readonly done: string | null;
  readonly told: string | null;
}

/** Runs statements with a claim in them, each from where the last one found its first job. */
export class Claiming {
  readonly #mark = new ClaimMark();

  /** @param params those that follow the claim's own */
  async run(
    link: Link,
    statement: Statement,
    request: ClaimRequest,
    params: readonly Param[] = [],
  ): Promise<ClaimAnswer> {
    const { queues, limit, claim } = request;
    const mark = this.#mark.of(queues);
    const { rows } = await link.query(statement, [...claimParams(request), ...(mark ?? fromBeginning), ...params]);
    const [, leasedUntil, , done, told, settled, firstPriority, , nextInMs, firstAt] = rows[0] as unknown as Head;
    const jobs = reservedJobs(rows.slice(1) as unknown as TakenRow[], claim, Number(leasedUntil));
    const head = firstPriority === null ? undefined : ([firstPriority, Number(firstAt)] as const);
    const alike = head && jobs.every((job) => job.priority === head[0] && job.queue === queues[0] && job.stalls === 0);
    const near = alike ? ([...head, 0] as const) : undefined;
    this.#mark.found(queues, head, jobs.length >= limit, mark === undefined, near);
    const known = jobs.length === 0 && nextInMs !== null && mark === undefined;
    const claimed = known ? { jobs, nextInMs: Math.max(0, Number(nextInMs)) } : { jobs };
    return { claimed, settled: Number(settled), done, told };
  }

  /** Where `goOn` may start from. */
  near(request: ClaimRequest): NearParams | undefined {
    return this.#mark.near(request.queues);
  }

  /** Takes from one priority of the first queue, or nothing. */
  async goOn(
    link: Link,
    statement: Statement,
    request: ClaimRequest,
    near: NearParams,
    params: readonly Param[],
  ): Promise<ClaimAnswer> {
    const { queues, limit, leaseMs, claim } = request;
    const { rows } = await link.query(statement, [storable(queues[0]!), limit, leaseMs, claim, ...near, ...params]);
    const [, leasedUntil, , done, told, settled] = rows[0] as unknown as Head;
    const taken = rows.slice(1) as unknown as [...TakenRow, at: number][];
    const jobs = reservedJobs(taken as unknown as TakenRow[], claim, Number(leasedUntil));
    const first = taken[0];
    const [priority] = near;
    const next = first && ([priority, Number(first[10]), Number(first[1])] as const);
    this.#mark.found(queues, next && [priority, next[1]], jobs.length >= limit, false, next);
    return { claimed: { jobs }, settled: Number(settled), done, told };
  }

  /** Whether the next claim starts at a mark: one that finds nothing has not looked everywhere then. */
  marked(request: ClaimRequest): boolean {
    return this.#mark.of(request.queues) !== undefined;
  }
}

/** Each queue once: a row must not be found twice. */
function claimParams({ queues, limit, leaseMs, claim }: ClaimRequest): Param[] {
  const names = queues.length === 1 ? queues : [...new Set(queues)];
  return [textArray(names.map(storable)), limit, leaseMs, claim];
}

/** In the order of the claim, which RETURNING does not promise. */
export function reservedJobs(rows: TakenRow[], claim: string, leasedUntil: number): ReservedJob[] {
  for (let at = 1; at < rows.length; at++) {
    if (Number(rows[at - 1]![0]) <= Number(rows[at]![0])) continue;
    rows.sort((a, b) => Number(a[0]) - Number(b[0]));
    break;
  }
  return rows.map(([, seq, key, idName, queue, priority, attempts, stalls, memo, body]) => {
    const id = idOf(key, idName);
    return {
      id,
      queue: readable(queue),
      body: readBody(body, id),
      priority,
      attempts,
      stalls: stalls ?? 0,
      token: `${claim}.${seq}`,
      leasedUntil,
      ...(memo === null ? {} : { memo: readable(memo) }),
    };
  });
}

export class ClaimStatements {
  readonly #claim: Statement;
  readonly #within: Statement;
  readonly #recover: Statement;

  constructor(
    { quoted: t }: Tables,
    private readonly claiming: Claiming,
  ) {
    const parts = `WITH RECURSIVE ${claimParts(t.jobs)}`;
    // The commit is not waited for to reach the disk: a claim that is lost with the server only frees its jobs again.
    const unflushed = `NULL AS id_name, set_config('synchronous_commit', 'off', true) AS queue, 0 AS priority`;
    this.#claim = statementOf(`${parts} ${claimAnswer(t.jobs, unflushed)}`);
    this.#within = statementOf(`${parts} ${claimAnswer(t.jobs, 'NULL AS id_name, NULL AS queue, 0 AS priority')}`);
    this.#recover = statementOf(`WITH again AS (
        UPDATE ${t.jobs} j SET leased_until = ${NOW} + $2::bigint
        FROM unnest($1::text[]) WITH ORDINALITY AS q(queue, ord)
        WHERE j.queue = q.queue AND j.leased_until IS NOT NULL AND j.token = $3::text || '.' || j.seq
        RETURNING q.ord, j.leased_until, j.available_at, j.seq, j.id, j.id_name, j.queue, j.priority, j.attempts, j.stalls, j.memo, j.body)
      SELECT row_number() OVER (ORDER BY ord, priority DESC, available_at, seq) AS n, seq, id, id_name, queue, priority, attempts, stalls, memo, body, leased_until
      FROM again ORDER BY ord, priority DESC, available_at, seq`);
  }

  claim(link: Link, request: ClaimRequest): Promise<Claimed> {
    return this.#run(link, this.#claim, request);
  }

  claimWithin(link: Link, request: ClaimRequest): Promise<Claimed> {
    return this.#run(link, this.#within, request);
  }

  async recover(link: Link, request: ClaimRequest): Promise<readonly ReservedJob[]> {
    const [queues] = claimParams(request);
    const { rows } = await link.query<[...TakenRow, leasedUntil: number]>(this.#recover, [
      queues!,
      request.leaseMs,
      request.claim,
    ]);
    if (rows.length === 0) return [];
    return reservedJobs(rows as unknown as TakenRow[], request.claim, Number(rows[0]![10]));
  }

  async #run(link: Link, statement: Statement, request: ClaimRequest): Promise<Claimed> {
    const marked = this.claiming.marked(request);
    const { claimed } = await this.claiming.run(link, statement, request);
    // Behind the mark there may be something.
    if (claimed.jobs.length > 0 || !marked) return claimed;
    return (await this.claiming.run(link, statement, request)).claimed;
  }
}
