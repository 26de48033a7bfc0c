import type { Settlement, SettleResult } from '../../contracts/queue-driver.js';
import type { Claimed, ClaimRequest } from './claim-answer.js';
import type { Patience } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import type { RedisExchange } from './redis-exchange.js';

type Exchanged = { readonly settled: readonly SettleResult[]; readonly claimed: Claimed };

/**
 * Settles and claims across slots: one trip for each slot of a cluster, one for everything without a cluster. Claims go by the order of
 * the queues, one after the other; what is settled in other slots goes beside them.
 */
export class SlotTrips {
  constructor(
    private readonly one: RedisExchange,
    private readonly keys: QueueKeys,
    private readonly isCluster: boolean,
  ) {}

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (!this.isCluster) return this.one.settle(settlements);
    const groups = [...this.#bySlot(settlements.keys(), (place) => settlements[place]!.job.queue).values()];
    const results: SettleResult[] = [];
    await Promise.all(groups.map((places) => this.#settle(settlements, places, results)));
    return results;
  }

  async exchange(settlements: readonly Settlement[], request: ClaimRequest, patience: Patience): Promise<Exchanged> {
    if (!this.isCluster) return this.one.exchange(settlements, request, patience);
    const slots = [...this.#bySlot(request.queues, (queue) => queue)];
    const open = this.#bySlot(settlements.keys(), (place) => settlements[place]!.job.queue);
    const first = open.get(slots[0]![0]) ?? [];
    open.delete(slots[0]![0]);
    const results: SettleResult[] = [];
    const beside = Promise.all([...open.values()].map((places) => this.#settle(settlements, places, results)));
    const trip = first.map((place) => settlements[place]!);
    const { settled, claimed } = await this.#claim(
      slots.map(([, queues]) => queues),
      trip,
      request,
      patience,
    );
    settled.forEach((result, at) => (results[first[at]!] = result));
    await beside;
    return { settled: results, claimed };
  }

  /** A slot that cannot be asked does not hold up those behind it. Rejects only where there is nothing else to tell. */
  async #claim(
    slots: readonly (readonly string[])[],
    settlements: readonly Settlement[],
    request: ClaimRequest,
    patience: Patience,
  ): Promise<Exchanged> {
    let settled: readonly SettleResult[] = [];
    let thrown: { readonly error: unknown } | undefined;
    const jobs: Claimed['jobs'] = [];
    const broken: Claimed['broken'][number][] = [];
    let nextInMs = Infinity;
    for (const [at, queues] of slots.entries()) {
      const limit = request.limit - jobs.length;
      if (limit < 1) break;
      try {
        const trip = await this.one.exchange(at === 0 ? settlements : [], { ...request, queues, limit }, patience);
        if (at === 0) ({ settled } = trip);
        jobs.push(...trip.claimed.jobs);
        broken.push(...trip.claimed.broken);
        nextInMs = Math.min(nextInMs, trip.claimed.nextInMs ?? Infinity);
      } catch (error) {
        thrown ??= { error };
      }
    }
    if (thrown && jobs.length === 0 && settlements.length === 0) throw thrown.error;
    return { settled, claimed: { jobs, broken, ...(nextInMs < Infinity && { nextInMs }) } };
  }

  async #settle(settlements: readonly Settlement[], places: readonly number[], results: SettleResult[]): Promise<void> {
    const some = await this.one.settle(places.map((place) => settlements[place]!));
    some.forEach((result, at) => (results[places[at]!] = result));
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
