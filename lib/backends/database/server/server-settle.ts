import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../../contracts/store-errors.js';
import type { Claimed, ClaimRequest, MembersSettled, QueueStatements } from './dialect.js';
import type { EffectRows } from './effect-rows.js';
import type { Faults } from './faults.js';
import type { Lane } from './lane.js';
import { atomically, LostLinkError, nested, type OwnLink } from './link.js';
import type { StoreAccess } from './store-access.js';

/** A settlement may take so long; then it is answered with `error`, and can be handed in again. */
const SETTLE_MS = 5_000;
/** A settlement whose answer was lost may have taken effect: where it is found gone within this time, it is looked whether it has. */
const UNCERTAIN_MS = 10_000;

/** Hands in settlements: those without effects in one statement or transaction, those with effects in one transaction with them. */
export class ServerSettle {
  /** When the answer for this token was lost, by `performance.now()`. */
  readonly #uncertain = new Map<string, number>();

  constructor(
    private readonly parts: {
      readonly access: StoreAccess;
      readonly lane: Lane;
      readonly statements: QueueStatements;
      readonly effects: EffectRows;
      readonly faults: Faults;
      readonly begin: string;
    },
  ) {}

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const { statements } = this.parts;
    return this.#certain(settlements, async (link) => {
      if (!settlements.some(hasEffects)) return { settled: await statements.settle(link, settlements) };
      const counted = await this.#counted(link, settlements, (batch) =>
        statements.settleMembers?.(link, settlements, batch),
      );
      if (counted) return counted;
      return this.#withEffects(link, settlements, () => Promise.resolve({}));
    }).then(({ settled }) => settled);
  }

  exchange(
    settlements: readonly Settlement[],
    request: ClaimRequest,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }> {
    const { statements } = this.parts;
    return this.#certain(settlements, async (link) => {
      if (!settlements.some(hasEffects)) return statements.exchange(link, settlements, request);
      const counted = await this.#counted(link, settlements, (batch) =>
        statements.exchangeMembers?.(link, settlements, batch, request),
      );
      if (counted) return counted;
      return this.#withEffects(link, settlements, async () => ({
        claimed: await statements.claimWithin(link, request),
      }));
    });
  }

  /** Where the answer of an earlier try was lost, "gone" may mean that it was ours. */
  async #certain<T extends { readonly settled: readonly SettleResult[] }>(
    settlements: readonly Settlement[],
    work: (link: OwnLink) => Promise<T>,
  ): Promise<T> {
    const { access, lane } = this.parts;
    try {
      const answer = await access.use(lane, work, { ms: SETTLE_MS, lost: 'tell' });
      return this.#uncertain.size === 0
        ? answer
        : { ...answer, settled: await this.#told(settlements, answer.settled) };
    } catch (error) {
      if (error instanceof StoreUnreachableError && error.outcome === 'unknown') {
        for (const { job } of settlements) this.#uncertain.set(job.token, performance.now());
      }
      throw error;
    }
  }

  async #told(settlements: readonly Settlement[], results: readonly SettleResult[]): Promise<readonly SettleResult[]> {
    const since = performance.now() - UNCERTAIN_MS;
    const told: SettleResult[] = [];
    for (const [at, result] of results.entries()) {
      const { kind, job } = settlements[at]!;
      const lostAt = this.#uncertain.get(job.token) ?? -Infinity;
      this.#uncertain.delete(job.token);
      const doubtful = !result.ok && result.reason === 'lease-lost' && lostAt > since;
      told.push(doubtful && (await this.#wasOurs(kind, job.id)) ? { ok: true } : result);
    }
    for (const [token, lostAt] of this.#uncertain) if (lostAt <= since) this.#uncertain.delete(token);
    return told;
  }

  /** An acked job is gone, a released one is free: one that another worker has was not ended by us. */
  async #wasOurs(kind: Settlement['kind'], id: string): Promise<boolean> {
    const { access, lane, statements } = this.parts;
    try {
      const job = await access.use(lane, (link) => statements.find(link, id), { ms: SETTLE_MS, lost: 'repeat' });
      return kind === 'ack' ? job === undefined : job !== undefined && job.state !== 'reserved';
    } catch {
      // Most likely it was. What else the same trip brought, jobs that it took, must not be lost over this question.
      return true;
    }
  }

  /** Members of one batch that have all succeeded, where one statement can do it. `undefined`: nothing was done. */
  async #counted<T extends MembersSettled>(
    link: OwnLink,
    settlements: readonly Settlement[],
    count: (batch: string) => Promise<T> | undefined,
  ): Promise<T | undefined> {
    const { effects, faults } = this.parts;
    const batch = settlements[0]!.effects?.member?.batchId;
    if (batch === undefined || !settlements.every((one) => isPlainEnd(one) && isMemberOf(one, batch))) return undefined;
    let counted: T | undefined;
    try {
      counted = await count(batch);
    } catch (error) {
      if (!(error instanceof LostLinkError) && faults.of(error) === 'row') return undefined;
      throw error;
    }
    if (!counted || counted.told === null) return counted;
    const progress = await effects.told(link, counted.told);
    const last = counted.settled.findLastIndex(({ ok }) => ok);
    return { ...counted, settled: counted.settled.map((one, at) => (at === last ? { ok: true, progress } : one)) };
  }

  /** In one transaction with what is done behind them. */
  async #withEffects<T extends object>(
    link: OwnLink,
    settlements: readonly Settlement[],
    behind: () => Promise<T>,
  ): Promise<{ readonly settled: readonly SettleResult[] } & T> {
    const { begin } = this.parts;
    if (settlements.every(isPlainEnd)) {
      try {
        return await atomically(link, begin, async () => ({
          settled: await this.#asOne(link, settlements),
          ...(await behind()),
        }));
      } catch (error) {
        if (!(error instanceof NotAsOne)) throw error;
      }
    }
    return atomically(link, begin, async () => ({
      settled: await this.#oneByOne(link, settlements),
      ...(await behind()),
    }));
  }

  /** Acks of jobs and of members that have succeeded: a few statements for all. @throws NotAsOne */
  async #asOne(link: OwnLink, settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const { statements, effects, faults } = this.parts;
    const results: SettleResult[] = settlements.map(() => ({ ok: true }));
    const members = new Map<string, { readonly ids: string[]; last: number }>();
    settlements.forEach((one, at) => {
      const { batchId, jobId } = one.effects?.member ?? {};
      if (batchId === undefined || jobId === undefined) return;
      const batch = members.get(batchId) ?? { ids: [], last: at };
      batch.ids.push(jobId);
      batch.last = at;
      members.set(batchId, batch);
    });
    try {
      const jobs = settlements.map(({ job }) => job);
      if (!(await statements.ackWithin(link, jobs))) throw new NotAsOne();
      // In the order of #oneByOne, for the same reason.
      for (const [batchId, { ids, last }] of [...members].sort(([a], [b]) => compare(a, b))) {
        const progress = await effects.done(link, batchId, ids);
        if (progress) results[last] = { ok: true, progress };
      }
    } catch (error) {
      if (!(error instanceof LostLinkError) && faults.of(error) === 'row') throw new NotAsOne();
      throw error;
    }
    return results;
  }

  /** By batch, then by lock: two transactions that meet the same rows meet them in the same order, and do not wait crosswise. */
  async #oneByOne(link: OwnLink, settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const inOrder = [...settlements.keys()].sort((a, b) => compare(rankOf(settlements[a]!), rankOf(settlements[b]!)));
    const results: SettleResult[] = [];
    for (const at of inOrder) results[at] = await this.#one(link, settlements[at]!);
    return results;
  }

  async #one(link: OwnLink, settlement: Settlement): Promise<SettleResult> {
    const { statements, effects, faults } = this.parts;
    if (!hasEffects(settlement)) return statements.settleOne(link, settlement);
    try {
      return await nested(link, async () => {
        const result = await statements.settleOne(link, settlement);
        if (!result.ok) return result;
        const progress = await effects.apply(link, settlement.effects!);
        return progress ? { ok: true, progress } : result;
      });
    } catch (error) {
      const own = error instanceof TypeError || (!(error instanceof LostLinkError) && faults.of(error) === 'row');
      if (!own) throw error;
      return { ok: false, reason: 'error', error };
    }
  }
}

/** They must be handed in one by one. */
class NotAsOne extends Error {}

/** An ack, of a member that has succeeded or of a job that is none. */
function isPlainEnd({ kind, effects }: Settlement): boolean {
  if (kind !== 'ack') return false;
  if (!effects) return true;
  const { push, unlock, failure, member } = effects;
  return !push && !unlock && !failure && member?.outcome === 'done' && !member.alsoEnded;
}

/** The job that is acknowledged is the member. */
function isMemberOf({ job, effects }: Settlement, batch: string): boolean {
  const { batchId, jobId } = effects?.member ?? {};
  return batchId === batch && jobId === job.id;
}

function hasEffects({ effects }: Settlement): boolean {
  return effects !== undefined;
}

function rankOf({ effects }: Settlement): string {
  const [lock] = effects?.unlock ?? [];
  return `${effects?.member?.batchId ?? ''}\n${lock?.key ?? ''}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
