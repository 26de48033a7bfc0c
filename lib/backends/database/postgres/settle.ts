import type { WatchedJob } from '../../../contracts/backend.js';
import type { SettleResult } from '../../../contracts/queue-driver.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Param, Statement } from '../server/link.js';
import type { MembersSettled } from '../server/dialect.js';
import { idKey, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { ALL_COUNTED, memberParts, MEMBERS_TOLD } from './member-ends.js';
import { joinedText, plainArray, splitText, textArray, wholeMs } from './parameters.js';
import { NOW } from './postgres-flavour.js';

/** What is looked at of a settlement here: its effects are applied by others. */
export type BareSettlement =
  | { readonly kind: 'ack'; readonly job: WatchedJob }
  | {
      readonly kind: 'release';
      readonly job: WatchedJob;
      readonly delayMs: number;
      readonly countAttempt?: boolean;
      readonly memo?: string;
    };

type Counted = [count: number, done: string | null, told: string | null];

/** Which CTEs a statement needs; each set is prepared by itself, so that most carry no more than acks. */
export interface SettleKinds {
  readonly acks: boolean;
  readonly releases: boolean;
  /** All are acks, of members of one batch. */
  readonly members?: boolean;
}

/** Parameters from `$first` on: all ids, all tokens, how many there are; then, with releases, theirs. */
export function settleParts({ quoted: t }: Tables, { acks, releases, members }: SettleKinds, first: number): string {
  const { jobs } = t;
  const [ids, tokens, , delays, back, memos] = Array.from({ length: 6 }, (_, at) => `$${first + at}`);
  // A delay of NULL is an ack.
  const asked = releases
    ? `unnest(${ids}::uuid[], ${splitText(tokens!)}, ${delays}::bigint[], ${back}::int[], ${memos}::text[]) WITH ORDINALITY AS s(id, token, delay, back, memo, at)`
    : `unnest(${ids}::uuid[], ${splitText(tokens!)}) WITH ORDINALITY AS s(id, token, at)`;
  const parts: string[] = [];
  if (acks) {
    parts.push(
      `acked AS (DELETE FROM ${jobs} j USING ${asked} WHERE j.id = s.id AND j.token = s.token${releases ? ' AND s.delay IS NULL' : ''} RETURNING s.at${members ? ', j.id' : ''})`,
    );
  }
  if (releases) {
    parts.push(`released AS (UPDATE ${jobs} j SET leased_until = NULL, token = NULL,
        available_at = ${NOW} + CASE WHEN s.delay > 0 THEN s.delay + 1 ELSE 0 END,
        attempts = nullif(greatest(coalesce(j.attempts, 0) - s.back, 0), 0),
        memo = CASE WHEN s.memo IS NULL THEN j.memo ELSE nullif(s.memo, '') END
      FROM ${asked} WHERE j.id = s.id AND j.token = s.token AND s.delay IS NOT NULL RETURNING s.at)`);
  }
  const done = [...(acks ? ['SELECT at FROM acked'] : []), ...(releases ? ['SELECT at FROM released'] : [])];
  return [
    ...parts,
    `done AS (${done.join(' UNION ALL ')})`,
    ...(members ? [memberParts(t, `$${first + 3}`)] : []),
  ].join(',\n');
}

/** Which were done, where not all were; how many; and what is told of their batch. */
export function doneColumns(first: number, members = false): readonly [list: string, count: string, told: string] {
  const count = '(SELECT count(*) FROM done)';
  return [
    `(SELECT CASE WHEN count(*) < $${first + 2}::int THEN string_agg(at::text, ',') END FROM done)`,
    members ? `${count} * ${ALL_COUNTED}` : count,
    members ? MEMBERS_TOLD : 'NULL',
  ];
}

/** The parameters of `settleParts`. */
export function settleParams(settlements: readonly BareSettlement[], { releases }: SettleKinds): Param[] {
  const params = heldParams(settlements.map(({ job }) => job));
  if (!releases) return params;
  const memos = settlements.map((one) =>
    one.kind === 'release' && one.memo !== undefined ? storable(one.memo) : null,
  );
  return [
    ...params,
    plainArray(settlements.map((one) => (one.kind === 'ack' ? 'NULL' : wholeMs(one.delayMs)))),
    plainArray(settlements.map((one) => (one.kind === 'release' && one.countAttempt === false ? 1 : 0))),
    memos.some((memo) => memo !== null) ? textArray(memos) : null,
  ];
}

function heldParams(jobs: readonly WatchedJob[]): Param[] {
  // A token that cannot travel is nobody's.
  const tokens = jobs.map(({ token }) => storable(token));
  const joined = joinedText(tokens) ?? tokens.map((token) => (token.includes('\x1f') ? '' : token)).join('\x1f');
  return [plainArray(jobs.map(({ id }) => idKey(id).key)), joined, jobs.length];
}

export function kindsOf(settlements: readonly BareSettlement[]): SettleKinds {
  const releases = settlements.some(({ kind }) => kind === 'release');
  return { releases, acks: !releases || settlements.some(({ kind }) => kind === 'ack') };
}

/** Of several settlements of one reservation the first counts. `undefined`: there are none such. */
export function repeats(settlements: readonly BareSettlement[]): ReadonlySet<number> | undefined {
  if (new Set(settlements.map(({ job }) => job.token)).size === settlements.length) return undefined;
  const seen = new Set<string>();
  const again = new Set<number>();
  for (const [at, { job }] of settlements.entries()) {
    const reservation = `${job.token}\n${job.id}`;
    if (seen.has(reservation)) again.add(at);
    seen.add(reservation);
  }
  return again;
}

export class SettleStatements {
  readonly #settles = new Map<string, Statement>();
  readonly #renew: Statement;
  readonly #cancelled: Statement;
  readonly #tables: Tables;

  constructor(tables: Tables) {
    const { quoted: t } = tables;
    this.#tables = tables;
    const [list, count] = doneColumns(1);
    this.#renew = statementOf(`WITH done AS (UPDATE ${t.jobs} j SET leased_until = ${NOW} + $4::bigint
      FROM unnest($1::uuid[], ${splitText('$2')}) WITH ORDINALITY AS s(id, token, at) WHERE j.id = s.id AND j.token = s.token RETURNING s.at)
      SELECT ${count} AS count, ${list} AS done`);
    this.#cancelled = statementOf(`SELECT token FROM ${t.cancelled} WHERE token = ANY ($1::text[])`);
  }

  async settle(link: Link, settlements: readonly BareSettlement[]): Promise<readonly SettleResult[]> {
    if (settlements.length === 0) return [];
    return firstOfEach(settlements, async (own) => {
      const kinds = kindsOf(own);
      const { rows } = await link.query<Counted>(this.#statement(kinds), settleParams(own, kinds));
      return this.answers(link, own, Number(rows[0]![0]), rows[0]![1]);
    });
  }

  /** @returns with what is told of the batch. @throws a fault of a row where they must be counted one by one: nothing was done then */
  async settleMembers(link: Link, settlements: readonly BareSettlement[], batch: string): Promise<MembersSettled> {
    const kinds = { acks: true, releases: false, members: true };
    let told: string | null = null;
    const settled = await firstOfEach(settlements, async (own) => {
      const params = [...settleParams(own, kinds), idKey(batch).key];
      const { rows } = await link.query<Counted>(this.#statement(kinds), params);
      told = rows[0]![2];
      return this.answers(link, own, Number(rows[0]![0]), rows[0]![1]);
    });
    return { settled, told };
  }

  async renew(link: Link, jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    if (jobs.length === 0) return [];
    const held = jobs.map((job) => ({ kind: 'ack' as const, job }));
    const results = await firstOfEach(held, async (own) => {
      const { rows } = await link.query<Counted>(this.#renew, [
        ...heldParams(own.map(({ job }) => job)),
        wholeMs(leaseMs),
      ]);
      return this.answers(link, own, Number(rows[0]![0]), rows[0]![1]);
    });
    // Renewed twice in one call is renewed.
    const again = repeats(held);
    if (!again) return results;
    return results.map((result, at) =>
      again.has(at)
        ? results[jobs.findIndex(({ id, token }) => id === jobs[at]!.id && token === jobs[at]!.token)]!
        : result,
    );
  }

  /** @param done the 1-based places of those that were done; null for all */
  async answers(
    link: Link,
    settlements: readonly BareSettlement[],
    count: number,
    done: string | null,
  ): Promise<readonly SettleResult[]> {
    if (count === settlements.length) return settlements.map(() => OK);
    const places = new Set(done === null ? [] : done.split(',').map(Number));
    const missed = settlements.filter((_, at) => !places.has(at + 1)).map(({ job }) => storable(job.token));
    const { rows } = await link.query<[string]>(this.#cancelled, [textArray(missed)]);
    const cancelled = new Set(rows.map(([token]) => token));
    return settlements.map(({ job }, at) => {
      if (places.has(at + 1)) return OK;
      return { ok: false, reason: cancelled.has(storable(job.token)) ? 'cancelled' : 'lease-lost' };
    });
  }

  #statement(kinds: SettleKinds): Statement {
    const name = `${kinds.acks} ${kinds.releases} ${kinds.members}`;
    let statement = this.#settles.get(name);
    if (statement === undefined) {
      const [list, count, told] = doneColumns(1, kinds.members);
      const columns = `${count} AS count, ${list} AS done, ${told} AS told`;
      statement = statementOf(`WITH ${settleParts(this.#tables, kinds, 1)} SELECT ${columns}`);
      this.#settles.set(name, statement);
    }
    return statement;
  }
}

const OK: SettleResult = { ok: true };

/** Hands on what comes first of each reservation; what follows it finds the reservation ended. */
export async function firstOfEach<T extends BareSettlement>(
  settlements: readonly T[],
  settle: (own: readonly T[]) => Promise<readonly SettleResult[]>,
): Promise<readonly SettleResult[]> {
  const again = repeats(settlements);
  if (again === undefined) return settle(settlements);
  const results = await settle(settlements.filter((_, at) => !again.has(at)));
  const byReservation = new Map<string, SettleResult>();
  let next = 0;
  return settlements.map(({ job }, at) => {
    const reservation = `${job.token}\n${job.id}`;
    if (!again.has(at)) {
      const result = results[next++]!;
      byReservation.set(reservation, result);
      return result;
    }
    const first = byReservation.get(reservation)!;
    return first.ok ? { ok: false, reason: 'lease-lost' } : first;
  });
}
