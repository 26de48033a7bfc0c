import type { WatchedJob } from '../../../contracts/backend.js';
import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import { chunks } from '../../../support/chunks.js';
import { atomically, LostLinkError, type Link, type Param, type Statement } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import { idKey, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { mysqlFaults } from './mysql-faults.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';
import { lasting } from './push.js';

/** How long the holder of a removed job is told so. */
const CANCELLED_FOR_MS = 86_400_000;

type Pair = readonly [id: string, token: string];

/** Not every one of them was found: which ones is to be asked one by one. */
export class Unequal extends Error {}

/** Ends, releases and renews reservations. Every statement is fenced by the token alone: a lease that ran out unnoticed is still its
 * holder's, so that a job that blocked its only worker for longer is not run twice. */
export class SettleRows {
  readonly #ack: SizedStatement;
  readonly #release: SizedStatement;
  readonly #releaseWithMemo: SizedStatement;
  readonly #renew: SizedStatement;
  readonly #held: SizedStatement;
  readonly #wasCancelled: SizedStatement;
  readonly #cancel: Statement;

  constructor({ quoted: t }: Tables) {
    const pairs = (length: number): string => Array.from({ length }, () => '(id = ? AND token = ?)').join(' OR ');
    const sized = (text: string): SizedStatement =>
      new SizedStatement(mysqlFlavour, (length) => `${text} WHERE ${pairs(length)}`);
    const free = `leased_until = 0, token = NULL, available_at = ${NOW} + ?, attempts = GREATEST(attempts - ?, 0)`;
    this.#ack = sized(`DELETE FROM ${t.jobs}`);
    this.#release = sized(`UPDATE ${t.jobs} SET ${free}`);
    this.#releaseWithMemo = sized(`UPDATE ${t.jobs} SET ${free}, memo = ?`);
    this.#renew = sized(`UPDATE ${t.jobs} SET leased_until = ${NOW} + ?`);
    this.#held = sized(`SELECT id, token FROM ${t.jobs}`);
    this.#wasCancelled = new SizedStatement(
      mysqlFlavour,
      (length) => `SELECT token FROM ${t.cancelled} WHERE token IN ${listOf(length)}`,
    );
    this.#cancel = statementOf(
      mysqlFlavour.insertIgnoring(
        `INSERT INTO ${t.cancelled} (token, expires_at) VALUES (?, ${NOW} + ${CANCELLED_FOR_MS})`,
        'token',
      ),
    );
  }

  async settle(link: Link, settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (settlements.length === 1) return [await this.#guarded(link, settlements[0]!)];
    return this.atomically(link, settlements, () => Promise.resolve()).then(({ settled }) => settled);
  }

  /** One transaction of the settlements and of what is done behind them. */
  async atomically<T>(
    link: Link,
    settlements: readonly Settlement[],
    behind: () => Promise<T>,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly after: T }> {
    const { begin } = mysqlFlavour;
    try {
      return await atomically(link, begin, async () => ({
        settled: await this.#together(link, settlements),
        after: await behind(),
      }));
    } catch (error) {
      if (!(error instanceof Unequal)) throw error;
    }
    return atomically(link, begin, async () => {
      const settled: SettleResult[] = [];
      for (const settlement of settlements) settled.push(await this.#guarded(link, settlement));
      return { settled, after: await behind() };
    });
  }

  /** @throws a fault of the row */
  async settleOne(link: Link, settlement: Settlement): Promise<SettleResult> {
    const { token } = settlement.job;
    const changes = await this.#apply(link, settlement, [pairOf(settlement.job)]);
    if (changes > 0) return { ok: true };
    return refused((await this.#cancelled(link, [token])).has(storable(token)));
  }

  /** False where not all of them were held. */
  async ackWithin(link: Link, jobs: readonly WatchedJob[]): Promise<boolean> {
    const pairs = jobs.map(pairOf);
    if (new Set(pairs.map(String)).size < pairs.length) return false;
    for (const some of chunks(pairs, LIST)) {
      const { statement, padded } = this.#ack.of(some);
      if ((await link.query(statement, padded.flat())).changes !== some.length) return false;
    }
    return true;
  }

  async renew(link: Link, jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = [];
    for (const some of chunks(jobs, LIST)) results.push(...(await this.#renewSome(link, some, leaseMs)));
    return results;
  }

  /** The reservation with this token was ended by hand: its holder will be told. */
  async cancel(link: Link, token: string): Promise<void> {
    await link.query(this.#cancel, [storable(token)]);
  }

  async #renewSome(link: Link, jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    const pairs = jobs.map(pairOf);
    const { statement, padded } = this.#renew.of(pairs);
    const { changes } = await link.query(statement, [lasting(leaseMs), ...padded.flat()]);
    if (changes === new Set(pairs.map(String)).size) return jobs.map(() => ({ ok: true }));
    // What has its token now has had its lease renewed.
    const held = this.#held.of(pairs);
    const found = await link.query<[string, string]>(held.statement, held.padded.flat());
    const kept = new Set(found.rows.map(String));
    const lost = pairs.filter((pair) => !kept.has(String(pair)));
    const cancelled = await this.#cancelled(
      link,
      lost.map(([, token]) => token),
    );
    return pairs.map((pair) => (kept.has(String(pair)) ? { ok: true } : refused(cancelled.has(pair[1]))));
  }

  /** Those alike in one statement each. @throws Unequal when one of them is not there */
  async #together(link: Link, settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const groups = new Map<string, { readonly like: Settlement; readonly pairs: Pair[] }>();
    const seen = new Set<string>();
    for (const settlement of settlements) {
      const pair = pairOf(settlement.job);
      if (seen.has(String(pair))) throw new Unequal();
      seen.add(String(pair));
      const key = likeness(settlement);
      const group = groups.get(key);
      if (group) group.pairs.push(pair);
      else groups.set(key, { like: settlement, pairs: [pair] });
    }
    for (const { like, pairs } of groups.values()) {
      for (const some of chunks(pairs, LIST)) {
        try {
          if ((await this.#apply(link, like, some)) !== some.length) throw new Unequal();
        } catch (error) {
          throw isRowFault(error) ? new Unequal() : error;
        }
      }
    }
    return settlements.map(() => ({ ok: true }));
  }

  async #apply(link: Link, settlement: Settlement, pairs: readonly Pair[]): Promise<number> {
    const before: Param[] = [];
    let sized = this.#ack;
    if (settlement.kind === 'release') {
      const { delayMs, countAttempt, memo } = settlement;
      before.push(lasting(delayMs), countAttempt === false ? 1 : 0);
      sized = memo === undefined ? this.#release : this.#releaseWithMemo;
      if (memo !== undefined) before.push(memo === '' ? null : storable(memo));
    }
    const { statement, padded } = sized.of(pairs);
    return (await link.query(statement, [...before, ...padded.flat()])).changes;
  }

  async #guarded(link: Link, settlement: Settlement): Promise<SettleResult> {
    try {
      return await this.settleOne(link, settlement);
    } catch (error) {
      if (!isRowFault(error)) throw error;
      return { ok: false, reason: 'error', error };
    }
  }

  async #cancelled(link: Link, tokens: readonly string[]): Promise<ReadonlySet<string>> {
    if (tokens.length === 0) return new Set();
    const { statement, padded } = this.#wasCancelled.of(tokens.map(storable));
    return new Set((await link.query<[string]>(statement, padded)).rows.map(([token]) => token));
  }
}

function pairOf({ id, token }: WatchedJob): Pair {
  return [idKey(id).key, storable(token)];
}

function likeness(settlement: Settlement): string {
  if (settlement.kind === 'ack') return 'ack';
  const { delayMs, countAttempt, memo } = settlement;
  return JSON.stringify([delayMs, countAttempt === false, memo]);
}

function refused(cancelled: boolean): SettleResult {
  return { ok: false, reason: cancelled ? 'cancelled' : 'lease-lost' };
}

function isRowFault(error: unknown): boolean {
  return !(error instanceof LostLinkError) && mysqlFaults.of(error) === 'row';
}
