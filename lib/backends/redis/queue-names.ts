import { StoreUnreachableError } from '../../contracts/store-errors.js';
import { readable, storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import type { Patience, RedisLink } from './link.js';
import { namesDrop } from './scripts/names-drop.js';
import { namesIdle } from './scripts/names-idle.js';
import { namesWrite } from './scripts/names-write.js';

/** A name is written again this often: whoever emptied the server took the names with it. */
const WRITTEN_FOR_MS = 30_000;
/** Names that others wrote are known this late at most. */
const READ_FOR_MS = 5_000;
/** So many are remembered as written: names may be made for every customer, or every day. */
const REMEMBERED = 10_000;
/** An empty queue whose name nobody wrote for so long is forgotten. Whoever pushes writes it far more often. */
const IDLE_MS = 600_000;
/** A push waits again for a name that is this old: it might be forgotten before the push is there. */
const WAIT_AGAIN_MS = IDLE_MS / 2;
const TIDY_EVERY_MS = 600_000;
/** Looked at in one go. */
const IDLE_NAMES = 500;
/** On a cluster the names are in a slot of their own, and one that is away holds the others up no longer than this, or a fifth of their time. */
const SLOT_MS = 500;
/** So long it is tried beside everything else. */
const BESIDE: Patience = { ms: 60_000, lost: 'repeat' };

/**
 * The names of the queues that have jobs, or had some lately: a set at `Keyspace.own('queues')`, each as `storable` text, and when each
 * was last written in `…:written`. A name is there before its first job is, unless its slot of a cluster is away: then it comes when the
 * slot is back.
 */
export class QueueNames {
  /** By `performance.now()`, the oldest first. */
  readonly #writtenAt = new Map<string, number>();
  readonly #onTheirWay = new Set<string>();
  #known: readonly string[] = [];
  #readAt = -Infinity;
  #tidiedAt = performance.now();

  constructor(
    private readonly link: RedisLink,
    private readonly keyspace: Keyspace,
  ) {}

  /** Those of the names that are not written yet, or not lately. */
  unwritten(names: Iterable<string>): readonly string[] {
    const since = performance.now() - WRITTEN_FOR_MS;
    const some: string[] = [];
    for (const name of names) if ((this.#writtenAt.get(name) ?? -Infinity) < since) some.push(name);
    return some;
  }

  /** Waits for those that are new; the others are there, and are written beside. */
  async write(names: readonly string[], patience: Patience): Promise<void> {
    const since = performance.now() - WAIT_AGAIN_MS;
    const isNew = (name: string): boolean => (this.#writtenAt.get(name) ?? -Infinity) < since;
    this.#writeBeside(names.filter((name) => !isNew(name)));
    const fresh = names.filter((name) => isNew(name) && !this.#onTheirWay.has(name));
    if (fresh.length === 0) return;
    const ms = this.link.isCluster ? Math.min(SLOT_MS, patience.ms / 5) : patience.ms;
    try {
      await this.#send(fresh, { ...patience, ms });
    } catch (error) {
      if (!this.link.isCluster || !(error instanceof StoreUnreachableError)) throw error;
      this.#writeBeside(fresh);
    }
  }

  /** As they were a few seconds ago; those that this process wrote are among them at once. */
  async recent(patience: Patience): Promise<readonly string[]> {
    if (performance.now() - this.#readAt > READ_FOR_MS) {
      const names = (await this.link.send('SMEMBERS', [this.keyspace.own('queues')], patience)) as readonly string[];
      this.#known = names.map(readable);
      this.#readAt = performance.now();
      this.#tidyNowAndThen();
    }
    return [...new Set([...this.#known, ...this.#writtenAt.keys(), ...this.#onTheirWay])];
  }

  /**
   * Forgets empty queues that nobody pushes to any more. A push writes the name first, so one that comes between the look and the
   * forgetting has made the name young again, and one that is to come writes it anew.
   */
  async tidy(): Promise<void> {
    const base = this.keyspace.own('queues');
    const idle = (await this.link.run(namesIdle, [base], [IDLE_MS, IDLE_NAMES], BESIDE)) as readonly string[];
    if (idle.length === 0) return;
    const there = await this.link.all(
      idle.map((name) => ({ command: 'EXISTS', args: [`${this.keyspace.queue(readable(name))}:jobs`] })),
      BESIDE,
    );
    const empty = idle.filter((_, at) => there[at] === 0);
    const full = idle.filter((_, at) => there[at] === 1);
    if (empty.length > 0) await this.link.run(namesDrop, [base], [IDLE_MS, ...empty], BESIDE);
    // They make room for others that are looked at next time.
    if (full.length > 0) await this.link.run(namesWrite, [base], full, BESIDE);
  }

  #tidyNowAndThen(): void {
    const now = performance.now();
    if (now - this.#tidiedAt < TIDY_EVERY_MS) return;
    this.#tidiedAt = now;
    this.tidy().catch(() => {});
  }

  #writeBeside(names: readonly string[]): void {
    const some = names.filter((name) => !this.#onTheirWay.has(name));
    if (some.length === 0) return;
    for (const name of some) this.#onTheirWay.add(name);
    const off = (): void => some.forEach((name) => this.#onTheirWay.delete(name));
    this.#send(some, BESIDE).then(off, off);
  }

  async #send(names: readonly string[], patience: Patience): Promise<void> {
    await this.link.run(namesWrite, [this.keyspace.own('queues')], names.map(storable), patience);
    const now = performance.now();
    for (const name of names) {
      this.#writtenAt.delete(name);
      this.#writtenAt.set(name, now);
    }
    for (const [name, at] of this.#writtenAt) {
      if (this.#writtenAt.size <= REMEMBERED) break;
      this.#writtenAt.delete(name);
      // It may be younger than what was read.
      if (at >= this.#readAt) this.#readAt = -Infinity;
    }
  }
}
