import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../../contracts/store-errors.js';
import type { Claimed, ClaimRequest, QueueStatements } from './dialect.js';
import type { EffectRows } from './effect-rows.js';
import type { Faults } from './faults.js';
import type { Lane } from './lane.js';
import { atomically, LostLinkError, nested, type OwnLink } from './link.js';
import type { StoreAccess } from './store-access.js';

/** A settlement may take so long; then it is answered with `error`, and can be handed in again. */
const SETTLE_MS = 5_000;
/** A settlement whose answer was lost may have taken effect: found gone within this time, it has. */
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
    const { statements, begin } = this.parts;
    return this.#certain(settlements, async (link) => {
      if (!settlements.some(hasEffects)) return { settled: await statements.settle(link, settlements) };
      return atomically(link, begin, async () => ({ settled: await this.#oneByOne(link, settlements) }));
    }).then(({ settled }) => settled);
  }

  exchange(
    settlements: readonly Settlement[],
    request: ClaimRequest,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }> {
    const { statements, begin } = this.parts;
    return this.#certain(settlements, (link) => {
      if (!settlements.some(hasEffects)) return statements.exchange(link, settlements, request);
      return atomically(link, begin, async () => ({
        settled: await this.#oneByOne(link, settlements),
        claimed: await statements.claimWithin(link, request),
      }));
    });
  }

  /** Where the answer of an earlier try was lost, "gone" means that it was ours. */
  async #certain<T extends { readonly settled: readonly SettleResult[] }>(
    settlements: readonly Settlement[],
    work: (link: OwnLink) => Promise<T>,
  ): Promise<T> {
    const { access, lane } = this.parts;
    try {
      const answer = await access.use(lane, work, { ms: SETTLE_MS, lost: 'tell' });
      return this.#uncertain.size === 0 ? answer : { ...answer, settled: this.#told(settlements, answer.settled) };
    } catch (error) {
      if (error instanceof StoreUnreachableError && error.outcome === 'unknown') {
        for (const { job } of settlements) this.#uncertain.set(job.token, performance.now());
      }
      throw error;
    }
  }

  #told(settlements: readonly Settlement[], results: readonly SettleResult[]): readonly SettleResult[] {
    const since = performance.now() - UNCERTAIN_MS;
    const told = results.map((result, at): SettleResult => {
      const lostAt = this.#uncertain.get(settlements[at]!.job.token);
      this.#uncertain.delete(settlements[at]!.job.token);
      const ours = !result.ok && result.reason === 'lease-lost' && lostAt !== undefined && lostAt > since;
      return ours ? { ok: true } : result;
    });
    for (const [token, lostAt] of this.#uncertain) if (lostAt <= since) this.#uncertain.delete(token);
    return told;
  }

  /** Jobs first, then batches, then locks, in every transaction: two of them never wait for each other crosswise. */
  async #oneByOne(link: OwnLink, settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const { statements, effects, faults } = this.parts;
    const results: SettleResult[] = [];
    for (const settlement of settlements) {
      if (!hasEffects(settlement)) {
        results.push(await statements.settleOne(link, settlement));
        continue;
      }
      try {
        const result = await nested(link, async () => {
          const answer = await statements.settleOne(link, settlement);
          if (answer.ok) await effects.apply(link, settlement.effects!);
          return answer;
        });
        results.push(result);
      } catch (error) {
        const own = error instanceof TypeError || (!(error instanceof LostLinkError) && faults.of(error) === 'row');
        if (!own) throw error;
        results.push({ ok: false, reason: 'error', error });
      }
    }
    return results;
  }
}

function hasEffects({ effects }: Settlement): boolean {
  return effects !== undefined;
}
