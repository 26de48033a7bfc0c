import type { LockStore } from '../../contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import { Elsewhere } from './elsewhere.js';
import { FarLock } from './far-lock.js';
import type { Patience, RedisLink } from './link.js';
import { exists } from './push-call.js';
import { type DeskServices, failed, PushDesk } from './push-desk.js';
import type { QueueKeys } from './queue-keys.js';
import { QueueNames } from './queue-names.js';

/** Entries of a call that go to one desk, and their places in the call. */
interface Part {
  readonly entries: PushEntry[];
  readonly places: number[];
}

/** Where pushes come in. On a cluster every slot group has a desk of its own: one that does not answer holds up no other. */
export class RedisPush {
  readonly #services: DeskServices;
  /** That of a single server. */
  readonly #desk: PushDesk;
  /** Those of a cluster that have something to do, by their slot groups. */
  readonly #desks = new Map<string, PushDesk>();

  constructor(
    private readonly parts: {
      readonly link: RedisLink;
      readonly keys: QueueKeys;
      readonly locks: LockStore;
      readonly connection: string;
      readonly dispatchTimeoutMs: number;
    },
  ) {
    const { link, keys, locks } = parts;
    const names = new QueueNames(link, keys.keyspace);
    this.#services = {
      ...parts,
      names,
      elsewhere: new Elsewhere(link, keys, names),
      farLock: new FarLock(link, keys, locks),
    };
    this.#desk = new PushDesk(this.#services);
  }

  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    if (entries.length === 0) return Promise.resolve([]);
    const giveUpAt = performance.now() + this.parts.dispatchTimeoutMs;
    return this.parts.link.isCluster ? this.#spread(entries, giveUpAt) : this.#desk.push(entries, giveUpAt);
  }

  /** Makes the names of queues known into which a settlement will push. */
  async announce(queues: Iterable<string>, patience: Patience): Promise<void> {
    const { names } = this.#services;
    const unwritten = names.unwritten(queues);
    if (unwritten.length > 0) await names.write(unwritten, patience);
  }

  async #spread(entries: readonly PushEntry[], giveUpAt: number): Promise<readonly PushResult[]> {
    const { found, leave } = this.#services.elsewhere.enter(entries);
    try {
      const parts = [...this.#partsOf(entries, found)];
      const [first] = parts;
      if (found.size === 0 && parts.length === 1) return await this.#deskOf(first![0]).push(entries, giveUpAt);
      const results: PushResult[] = entries.map(() => exists);
      const errors: unknown[] = [];
      await Promise.all(
        parts.map(async ([group, part]) => {
          const put = (answers: (at: number) => PushResult): void =>
            part.places.forEach((place, at) => (results[place] = answers(at)));
          try {
            const answers = await this.#deskOf(group).push(part.entries, giveUpAt);
            put((at) => answers[at]!);
          } catch (error) {
            errors.push(error);
            put(() => failed(error));
          }
        }),
      );
      if (found.size === 0 && errors.length === parts.length && new Set(errors.map(kindOf)).size === 1) throw errors[0];
      return results;
    } finally {
      leave();
    }
  }

  #partsOf(entries: readonly PushEntry[], found: ReadonlySet<PushEntry>): ReadonlyMap<string, Part> {
    const { keys } = this.parts;
    const parts = new Map<string, Part>();
    let part: Part | undefined;
    let queue: string | undefined;
    entries.forEach((entry, place) => {
      if (found.has(entry)) return;
      if (part === undefined || entry.queue !== queue) {
        ({ queue } = entry);
        const group = keys.group(keys.base(queue));
        part = parts.get(group);
        if (part === undefined) parts.set(group, (part = { entries: [], places: [] }));
      }
      part.entries.push(entry);
      part.places.push(place);
    });
    return parts;
  }

  #deskOf(group: string): PushDesk {
    let desk = this.#desks.get(group);
    if (desk === undefined) {
      desk = new PushDesk(this.#services, () => this.#desks.delete(group));
      this.#desks.set(group, desk);
    }
    return desk;
  }
}

/** What one error can say for all parts. */
function kindOf(error: unknown): string {
  const { code, outcome } = (error ?? {}) as { code?: unknown; outcome?: unknown };
  return `${String(code)} ${String(outcome)}`;
}
