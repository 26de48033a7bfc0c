import type { Settlement, SettleResult } from '../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../contracts/store-errors.js';
import type { Claimed, ClaimRequest } from './claim-answer.js';
import type { Patience } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import { EXCHANGE_EFFECTS_MS, type RedisExchange } from './redis-exchange.js';

/** Waited for an answer with jobs in hand, and where a slot did not answer lately, at the most. */
const SHORT_MS = 500;
/** A slot that did not answer is left out for so long, while there are others to ask. */
const LEFT_OUT_MS = 2_000;

export interface Exchanged {
  readonly settled: readonly SettleResult[];
  readonly claimed: Claimed;
  /** Queues that could not be asked while others were, and what one of them came to. */
  readonly away?: { readonly queues: readonly string[]; readonly error: unknown };
}

type Slot = readonly [slot: string, queues: readonly string[]];

/**
 * Settles and claims across slots: one trip for each slot of a cluster, one for everything without a cluster. Claims go by the order of
 * the queues, one after the other; what is settled in other slots goes beside them. A slot that does not answer is left out for a while,
 * and asked with little patience after that: the queues of the others go on as fast as ever.
 */
export class SlotTrips {
  /** Slots that did not answer when they were asked last, and when that was, by `performance.now()`. */
  readonly #away = new Map<string, { readonly at: number; readonly error: unknown }>();

  constructor(
    private readonly one: RedisExchange,
    private readonly keys: QueueKeys,
    private readonly isCluster: boolean,
  ) {}

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (!this.isCluster) return this.one.settle(settlements);
    const groups = [...this.#bySlot(settlements.keys(), (place) => settlements[place]!.job.queue)];
    const results: SettleResult[] = [];
    const shortMs = groups.length > 1 ? SHORT_MS : undefined;
    await Promise.all(groups.map(([slot, places]) => this.#settle(slot, settlements, places, results, shortMs)));
    return results;
  }

  /** Rejects only where there is nothing to settle: what was settled has its answer, whatever becomes of the claim. */
  async exchange(settlements: readonly Settlement[], request: ClaimRequest, patience: Patience): Promise<Exchanged> {
    if (!this.isCluster) return this.one.exchange(settlements, request, patience);
    const all = [...this.#bySlot(request.queues, (queue) => queue)];
    const present = all.filter(
      ([slot]) => !(performance.now() - (this.#away.get(slot)?.at ?? -Infinity) < LEFT_OUT_MS),
    );
    const slots = present.length > 0 ? present : all;
    const open = this.#bySlot(settlements.keys(), (place) => settlements[place]!.job.queue);
    const first = open.get(slots[0]![0]) ?? [];
    open.delete(slots[0]![0]);
    const results: SettleResult[] = [];
    const shortMs = all.length + open.size > 1 ? Math.min(SHORT_MS, request.leaseMs / 6) : undefined;
    const beside = Promise.all(
      [...open].map(([slot, places]) => this.#settle(slot, settlements, places, results, shortMs, EXCHANGE_EFFECTS_MS)),
    );
    const trip = first.map((place) => settlements[place]!);
    const { settled, claimed, failure } = await this.#claim(slots, trip, request, patience, shortMs);
    if (failure && settlements.length === 0) throw failure.error;
    settled.forEach((result, at) => (results[first[at]!] = result));
    await beside;
    return { settled: results, claimed: this.#askedSoon(claimed, all), ...this.#awayOf(all) };
  }

  /** `failure` where nothing was found, and nobody answered or what one of them answered is no matter of waiting. */
  async #claim(
    slots: readonly Slot[],
    settlements: readonly Settlement[],
    request: ClaimRequest,
    patience: Patience,
    shortMs = patience.ms,
  ): Promise<Exchanged & { readonly failure?: { readonly error: unknown } }> {
    let settled: readonly SettleResult[] = [];
    let fault: { readonly error: unknown } | undefined;
    let unheard: { readonly error: unknown } | undefined;
    let answers = 0;
    const jobs: Claimed['jobs'] = [];
    const broken: Claimed['broken'][number][] = [];
    let nextInMs = Infinity;
    const until = performance.now() + patience.ms;
    for (const [at, [slot, queues]] of slots.entries()) {
      const limit = request.limit - jobs.length;
      if (limit < 1) break;
      const isShort = jobs.length > 0 || this.#away.has(slot);
      const ms = isShort ? shortMs : Math.max(shortMs, until - performance.now());
      try {
        const some = at === 0 ? settlements : [];
        const trip = await this.one.exchange(some, { ...request, queues, limit }, { ...patience, ms });
        if (at === 0) ({ settled } = trip);
        const refused = this.#note(slot, trip.settled, patience.signal);
        if (refused) {
          unheard ??= refused;
          continue;
        }
        answers += 1;
        jobs.push(...trip.claimed.jobs);
        broken.push(...trip.claimed.broken);
        nextInMs = Math.min(nextInMs, trip.claimed.nextInMs ?? Infinity);
      } catch (error) {
        if (isUnreachable(error)) {
          unheard ??= { error };
          this.#failed(slot, error, patience.signal);
        } else fault ??= { error };
      }
    }
    const failure = jobs.length > 0 ? undefined : (fault ?? (answers === 0 ? unheard : undefined));
    return {
      settled,
      claimed: { jobs, broken, ...(nextInMs < Infinity && { nextInMs }) },
      ...(failure && { failure }),
    };
  }

  async #settle(
    slot: string,
    settlements: readonly Settlement[],
    places: readonly number[],
    results: SettleResult[],
    shortMs: number | undefined,
    effectsMs?: number,
  ): Promise<void> {
    const ms = this.#away.has(slot) ? shortMs : undefined;
    const some = await this.one.settle(
      places.map((place) => settlements[place]!),
      { ms, effectsMs },
    );
    some.forEach((result, at) => (results[places[at]!] = result));
    this.#note(slot, some);
  }

  /** Remembers whether a slot answered. @returns why it did not */
  #note(slot: string, settled: readonly SettleResult[], signal?: AbortSignal): { readonly error: unknown } | undefined {
    for (const result of settled) {
      if (result.ok || result.reason !== 'error' || !isUnreachable(result.error)) continue;
      this.#failed(slot, result.error, signal);
      return { error: result.error };
    }
    this.#away.delete(slot);
    return undefined;
  }

  #failed(slot: string, error: unknown, signal: AbortSignal | undefined): void {
    // Whoever is told to end waits for nothing: that says nothing of the slot.
    if (signal?.aborted !== true) this.#away.set(slot, { at: performance.now(), error });
  }

  /** What could not be asked is asked again before long, also by who waits for the bells of the others. */
  #askedSoon(claimed: Claimed, slots: readonly Slot[]): Claimed {
    const now = performance.now();
    const waits = slots.flatMap(([slot]) => {
      const away = this.#away.get(slot);
      return away ? [Math.max(0, away.at + LEFT_OUT_MS - now)] : [];
    });
    return waits.length === 0 ? claimed : { ...claimed, nextInMs: Math.min(claimed.nextInMs ?? Infinity, ...waits) };
  }

  #awayOf(slots: readonly Slot[]): Pick<Exchanged, 'away'> {
    if (this.#away.size === 0) return {};
    const some = slots.filter(([slot]) => this.#away.has(slot));
    if (some.length === 0) return {};
    return { away: { queues: some.flatMap(([, queues]) => queues), error: this.#away.get(some[0]![0])!.error } };
  }

  #bySlot<T>(items: Iterable<T>, queueOf: (item: T) => string): Map<string, T[]> {
    const slots = new Map<string, T[]>();
    for (const item of items) {
      const slot = this.keys.group(this.keys.base(queueOf(item)));
      const group = slots.get(slot);
      if (group) group.push(item);
      else slots.set(slot, [item]);
    }
    return slots;
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof StoreUnreachableError;
}
