import type { Effects, ReservedJob, Settlement, SettleResult } from '../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../contracts/store-errors.js';
import { chunks } from '../../support/chunks.js';
import { BatchCalls } from './batch-calls.js';
import { claimedOf, reclaimedOf, type Claimed, type ClaimRequest } from './claim-answer.js';
import { effectFault } from './effect-args.js';
import type { Patience, RedisLink, Reply } from './link.js';
import { arranged, asTheyStood } from './member-acks.js';
import { nonce } from '../nonce.js';
import type { Outbox } from './outbox.js';
import type { QueueKeys } from './queue-keys.js';
import { ScriptCall } from './script-call.js';
import { exchangeScript, plainExchangeScript } from './scripts/exchange.js';
import { reclaimScript } from './scripts/reclaim.js';
import { accepted, addSettlements, cancelled, leaseLost, notesOf } from './settle-call.js';
import { ASK_WHAT_IS_DUE, toldMembers } from './told-members.js';
import { Uncertain } from './uncertain.js';

/** Settlements of one script: some ms of the server's time. */
const SETTLEMENTS = 2_000;

/** A settlement may take so long; then it is answered with `error`, and can be handed in again. */
const SETTLE: Patience = { ms: 5_000, lost: 'tell' };

/**
 * What is settled is stored by then, with a record of the effects in other slots. Nearly always they are applied within a few
 * milliseconds, and are there when the answer is; but a slot that is away must not hold up the jobs of a claim, whose leases run.
 */
const SETTLE_EFFECTS_MS = 1_000;
export const EXCHANGE_EFFECTS_MS = 250;

/** A lost claim that could not be asked for is asked for again after so long. */
const RECOVER_AGAIN_MS = 1_000;

interface LostClaim {
  readonly queues: readonly string[];
  readonly leaseMs: number;
  readonly nonce: string;
  /** By `performance.now()`: not asked for before, and no more after it, as the leases are over. */
  readonly notBefore: number;
  readonly until: number;
}

export const nothing: Claimed = { jobs: [], broken: [] };

/** Runs the script that settles and claims, within one slot. */
export class RedisExchange {
  readonly #uncertain = new Uncertain();
  /** Claims whose answer was lost: what they took is asked for with the next claim. */
  #lost: LostClaim[] = [];
  readonly #batches: BatchCalls;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly outbox: Outbox,
  ) {
    this.#batches = new BatchCalls(link, keys.keyspace);
  }

  /** A claim may have taken jobs that nobody knows of, and it is time to ask for them. */
  get hasLost(): boolean {
    if (this.#lost.length === 0) return false;
    const now = performance.now();
    return this.#lost.some(({ notBefore, until }) => now >= notBefore && now < until);
  }

  /**
   * Settles and takes in one trip. All keys must share a slot. Rejects where the claim failed and there is nothing to settle; else what was
   * to be settled is answered with `error`.
   */
  async exchange(
    settlements: readonly Settlement[],
    request: ClaimRequest,
    patience: Patience,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly claimed: Claimed }> {
    const name = nonce();
    const queues = [...new Set(request.queues)];
    try {
      const effectsMs = Math.min(EXCHANGE_EFFECTS_MS, request.leaseMs / 6);
      const { settled, answer } = await this.#run(settlements, { ...request, queues }, name, patience, effectsMs);
      return { settled, claimed: claimedOf(answer, queues, name) };
    } catch (error) {
      if (isUnknown(error)) this.#lose(queues, request.leaseMs, name);
      if (settlements.length === 0) throw error;
      return { settled: settlements.map(() => failed(error)), claimed: nothing };
    }
  }

  /**
   * Settles. All keys must share a slot. Never rejects.
   * @param patience for the answer, and for what is done in other slots after it, ms
   */
  async settle(
    settlements: readonly Settlement[],
    {
      ms = SETTLE.ms,
      effectsMs = SETTLE_EFFECTS_MS,
    }: { readonly ms?: number | undefined; readonly effectsMs?: number | undefined } = {},
  ): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = [];
    for (const some of chunks(settlements, SETTLEMENTS)) {
      try {
        const patience = { ...SETTLE, ms };
        const { settled } = await this.#run(some, { queues: [], limit: 0, leaseMs: 0 }, '', patience, effectsMs);
        if (some === settlements) return settled;
        results.push(...settled);
      } catch (error) {
        results.push(...some.map(() => failed(error)));
      }
    }
    return results;
  }

  /** What claims took whose answers were lost, with new leases. Never rejects: what cannot be asked now is asked for later. */
  async recover(patience: Patience): Promise<readonly ReservedJob[]> {
    const now = performance.now();
    const alive = this.#lost.filter(({ until }) => now < until);
    const due = alive.filter(({ notBefore }) => now >= notBefore);
    // Taken out first: no one else must ask for the same jobs meanwhile, under the same tokens.
    this.#lost = alive.filter(({ notBefore }) => now < notBefore);
    const found = await Promise.all(due.map((claim) => this.#reclaim(claim, patience)));
    return found.flat();
  }

  async #reclaim(claim: LostClaim, patience: Patience): Promise<readonly ReservedJob[]> {
    const { queues, leaseMs } = claim;
    try {
      const bases = queues.map((queue) => this.keys.base(queue));
      const reply = await this.link.run(reclaimScript, bases, [claim.nonce, leaseMs, bases.length], patience);
      return reclaimedOf(reply as readonly Reply[], queues);
    } catch {
      this.#lost.push({ ...claim, notBefore: performance.now() + RECOVER_AGAIN_MS });
      return [];
    }
  }

  #lose(queues: readonly string[], leaseMs: number, name: string): void {
    const now = performance.now();
    this.#lost = this.#lost.filter(({ until }) => now < until);
    this.#lost.push({ queues, leaseMs, nonce: name, notBefore: now, until: now + leaseMs });
  }

  async #run(
    settlements: readonly Settlement[],
    request: ClaimRequest,
    name: string,
    patience: Patience,
    effectsMs: number,
  ): Promise<{ readonly settled: readonly SettleResult[]; readonly answer: readonly Reply[] }> {
    const call = new ScriptCall();
    for (const queue of request.queues) call.key(this.keys.base(queue));
    call.args.push(request.limit, request.queues.length, request.leaseMs, name);
    const { faultlessOnes, faults } = faultless(settlements);
    const order = arranged(faultlessOnes, this.keys);
    const sent = order.settlements;
    const far = addSettlements(call, sent, this.keys);
    let answer: readonly Reply[];
    try {
      const script = order.simple ? plainExchangeScript : exchangeScript;
      answer = (await this.link.run(script, call.keys, call.args, patience)) as readonly Reply[];
    } catch (error) {
      if (isUnknown(error)) this.#uncertain.lost(sent);
      throw error;
    }
    const { results, flags } = this.#results(sent, answer[0]!);
    if (flags || far) await this.#follow(sent, results, { flags, far }, effectsMs);
    const settled = asTheyStood(results, order);
    return { settled: faults === undefined ? settled : withFaults(settlements, settled, faults), answer };
  }

  /** `flags` of members' ends that are to be told of, by their places. */
  #results(
    settlements: readonly Settlement[],
    reply: Reply,
  ): { readonly results: SettleResult[]; readonly flags: ReadonlyMap<number, number> | undefined } {
    const results = settlements.map(() => accepted);
    let flags: Map<number, number> | undefined;
    for (const [place, what] of notesOf(reply)) {
      if (typeof what === 'number') (flags ??= new Map()).set(place, what);
      else if (what === 'c') results[place] = cancelled;
      else if (!this.#uncertain.wasOurs(settlements[place]!, what)) results[place] = leaseLost;
      else if (settlements[place]!.effects?.member) (flags ??= new Map()).set(place, ASK_WHAT_IS_DUE);
    }
    this.#uncertain.known(settlements);
    return { results, flags };
  }

  /** Applies effects in other slots, and adds to the results what became of the batches of members. */
  async #follow(
    sent: readonly Settlement[],
    results: SettleResult[],
    { flags, far }: { flags: ReadonlyMap<number, number> | undefined; far: ReadonlyMap<number, Effects> | undefined },
    ms: number,
  ): Promise<void> {
    const stored = [...(far ?? [])].filter(([place]) => results[place]!.ok);
    const effects = stored.map(([place, some]) => ({ job: sent[place]!.job, effects: some }));
    const [counted, told] = await Promise.all([
      effects.length > 0 ? this.outbox.apply(effects, ms) : [],
      flags ? toldMembers(this.#batches, sent, flags, { ms, lost: 'repeat' }) : [],
    ]);
    for (const [place, progress] of told) results[place] = { ok: true, progress };
    for (const [at, progress] of counted) results[stored[at]![0]] = { ok: true, progress };
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof StoreUnreachableError && error.outcome === 'unknown';
}

/** Those that can be sent, and by their place what is wrong with the others. */
function faultless(settlements: readonly Settlement[]): {
  readonly faultlessOnes: readonly Settlement[];
  readonly faults?: ReadonlyMap<number, unknown>;
} {
  let faults: Map<number, unknown> | undefined;
  settlements.forEach(({ effects }, place) => {
    const fault = effects && effectFault(effects);
    if (fault !== undefined) (faults ??= new Map()).set(place, fault);
  });
  const wrong = faults;
  return wrong === undefined
    ? { faultlessOnes: settlements }
    : { faultlessOnes: settlements.filter((_, place) => !wrong.has(place)), faults: wrong };
}

function withFaults(
  settlements: readonly Settlement[],
  settled: readonly SettleResult[],
  faults: ReadonlyMap<number, unknown>,
): readonly SettleResult[] {
  let next = 0;
  return settlements.map((_, place) => (faults.has(place) ? failed(faults.get(place)) : settled[next++]!));
}

export function failed(error: unknown): SettleResult {
  return { ok: false, reason: 'error', error };
}
