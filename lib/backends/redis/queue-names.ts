import { readable, storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import type { Patience, RedisLink } from './link.js';

/** A name is written again this often: whoever emptied the server took the names with it. */
const WRITTEN_FOR_MS = 30_000;
/** Names that others wrote are known this late at most. */
const READ_FOR_MS = 5_000;

/**
 * The names of all queues that were ever pushed to: a set at `Keyspace.own('queues')`, each as `storable` text. A name is there before
 * its first job is, and is not taken away with its last one.
 */
export class QueueNames {
  readonly #writtenAt = new Map<string, number>();
  #known: readonly string[] = [];
  #readAt = -Infinity;

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

  async write(names: readonly string[], patience: Patience): Promise<void> {
    await this.link.send('SADD', [this.keyspace.own('queues'), ...names.map(storable)], patience);
    const now = performance.now();
    for (const name of names) this.#writtenAt.set(name, now);
  }

  /** As they were a few seconds ago; those that this process wrote are among them at once. */
  async recent(patience: Patience): Promise<readonly string[]> {
    if (performance.now() - this.#readAt > READ_FOR_MS) {
      const names = (await this.link.send('SMEMBERS', [this.keyspace.own('queues')], patience)) as readonly string[];
      this.#known = names.map(readable);
      this.#readAt = performance.now();
    }
    return [...new Set([...this.#known, ...this.#writtenAt.keys()])];
  }
}
