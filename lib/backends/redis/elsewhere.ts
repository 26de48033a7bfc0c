import type { PushEntry } from '../../contracts/queue-driver.js';
import { chunks } from '../../support/chunks.js';
import { storable } from '../stored-text.js';
import { isFreshId } from './fresh-id.js';
import type { Order, Patience, RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import type { QueueNames } from './queue-names.js';

/** Asked for in one command. */
const IDS = 1_000;

/** A queue that an id is on its way to, and how many pushes take it there. */
interface Way {
  readonly queue: string;
  count: number;
}

/**
 * An id names one job of the whole connection, but the jobs of a queue are in a slot of their own, and its script sees no other. So the
 * other queues are asked beforehand, for ids that were not made just now: those of jobs that are pushed again, or were planned earlier.
 * That costs one command for each queue that has jobs or was pushed to in the last minutes.
 */
export class Elsewhere {
  readonly #ways = new Map<string, Way>();

  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly names: QueueNames,
  ) {}

  /** The entries whose ids may be those of other jobs. */
  asked(entries: readonly PushEntry[]): readonly PushEntry[] {
    const now = Date.now();
    return entries.filter((entry) => !isFreshId(entry.id, now));
  }

  /**
   * Notes which ids are on their way, for pushes that do not wait for each other.
   *
   * @returns the entries whose ids are on their way to another queue, and what ends the notes
   */
  enter(entries: readonly PushEntry[]): { readonly found: ReadonlySet<PushEntry>; readonly leave: () => void } {
    const found = new Set<PushEntry>();
    const entered: string[] = [];
    for (const entry of this.asked(entries)) {
      const way = this.#ways.get(entry.id);
      if (way === undefined) this.#ways.set(entry.id, { queue: entry.queue, count: 1 });
      else if (way.queue === entry.queue) way.count += 1;
      else {
        found.add(entry);
        continue;
      }
      entered.push(entry.id);
    }
    const leave = (): void => {
      for (const id of entered) if ((this.#ways.get(id)!.count -= 1) === 0) this.#ways.delete(id);
    };
    return { found, leave };
  }

  /** Those of the asked entries whose ids live in another queue, or come earlier among them for another queue. */
  async find(asked: readonly PushEntry[], patience: Patience): Promise<ReadonlySet<PushEntry>> {
    const found = new Set<PushEntry>();
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
