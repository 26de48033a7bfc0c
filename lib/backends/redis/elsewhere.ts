import type { PushEntry } from '../../contracts/queue-driver.js';
import { chunks } from '../../support/chunks.js';
import { storable } from '../stored-text.js';
import { isFreshId } from './fresh-id.js';
import type { Order, Patience, RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import type { QueueNames } from './queue-names.js';

/** Asked for in one command. */
const IDS = 1_000;

/**
 * An id names one job of the whole connection, but the jobs of a queue are in a slot of their own, and its script sees no other. So the
 * other queues are asked beforehand, for ids that were not made just now: those of jobs that are pushed again, or were planned earlier.
 */
export class Elsewhere {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly names: QueueNames,
  ) {}

  /** The entries whose ids live in another queue, or come earlier among the entries for another queue. */
  async find(entries: readonly PushEntry[], patience: Patience): Promise<ReadonlySet<PushEntry>> {
    const now = Date.now();
    const found = new Set<PushEntry>();
    const asked = entries.filter((entry) => !isFreshId(entry.id, now));
    if (asked.length === 0) return found;
    const firstQueue = new Map<string, string>();
    for (const entry of asked) {
      const first = firstQueue.get(entry.id);
      if (first === undefined) firstQueue.set(entry.id, entry.queue);
      else if (first !== entry.queue) found.add(entry);
    }
    const orders: Order[] = [];
    const groups: (readonly PushEntry[])[] = [];
    for (const queue of await this.names.recent(patience)) {
      for (const some of chunks(
        asked.filter((entry) => entry.queue !== queue),
        IDS,
      )) {
        orders.push({
          command: 'HMGET',
          args: [`${this.keys.base(queue)}:jobs`, ...some.map(({ id }) => storable(id))],
        });
        groups.push(some);
      }
    }
    if (orders.length === 0) return found;
    const replies = await this.link.all(orders, patience);
    replies.forEach((bodies, group) => {
      (bodies as readonly (string | null)[]).forEach((body, at) => body !== null && found.add(groups[group]![at]!));
    });
    return found;
  }
}
