import { chunks } from '../../support/chunks.js';
import { readable, storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import type { Order, RedisLink } from './link.js';
import { batchList } from './scripts/batch-list.js';
import { batchListPage } from './scripts/batch-list-page.js';
import { STORE_PATIENCE } from './store-patience.js';

const CHUNK = 100;

export interface ListedBatch {
  readonly id: string;
  /** Epoch ms, not after the batch was made. */
  readonly listedAt: number;
}

/**
 * Which batches there are (`:all`), and in which of them a callback is or may become due (`:open`).
 *
 * A batch and the index are in two slots of a cluster, so they are not written in one step. A batch is entered before it is made and
 * struck out after it is gone: whatever a crash leaves between the two is an entry too many, which readers pass over, and never a batch
 * that pages and the sweep do not know. Nothing is counted here.
 */
export class BatchIndex {
  readonly #base: string;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keyspace,
  ) {
    this.#base = keys.own('batches');
  }

  async enter(id: string): Promise<void> {
    await this.link.run(batchList, [this.#base], [storable(id)], STORE_PATIENCE);
  }

  /** Newest first. */
  async newest(limit: number, before?: string): Promise<readonly string[]> {
    const args = before === undefined ? [limit] : [limit, storable(before)];
    return ((await this.link.run(batchListPage, [this.#base], args, STORE_PATIENCE)) as readonly string[]).map(
      readable,
    );
  }

  /** Oldest first, in groups: those listed before a moment. A group may be struck out while it is looked at. */
  async *oldest(from: 'all' | 'open', before = Infinity): AsyncGenerator<readonly ListedBatch[]> {
    const until = before === Infinity ? '+inf' : `(${Math.ceil(before) * 1_000}`;
    let after = '-inf';
    let passed = new Set<string>();
    for (;;) {
      // Those entered in the microsecond where the last group ended are read again, and passed over.
      const args = [`${this.#base}:${from}`, after, until, 'WITHSCORES', 'LIMIT', 0, CHUNK + passed.size];
      const found = (await this.link.send('ZRANGEBYSCORE', args, STORE_PATIENCE)) as readonly string[];
      const group: ListedBatch[] = [];
      for (let at = 0; at < found.length; at += 2) {
        const [member, score] = [found[at]!, found[at + 1]!];
        if (passed.has(member)) continue;
        if (score !== after) passed = new Set();
        after = score;
        passed.add(member);
        group.push({ id: readable(member), listedAt: Math.floor(Number(score) / 1_000) });
      }
      if (group.length === 0) return;
      yield group;
    }
  }

  /** Epoch ms by a server's clock. */
  async now(): Promise<number> {
    const [seconds] = (await this.link.send('TIME', [], STORE_PATIENCE)) as readonly string[];
    return Number(seconds) * 1_000;
  }

  /** Nothing will become due in them any more. */
  async close(ids: readonly string[]): Promise<void> {
    for (const some of chunks(ids, CHUNK)) {
      await this.link.send('ZREM', [`${this.#base}:open`, ...some.map(storable)], STORE_PATIENCE);
    }
  }

  /** They are gone. One that was made again meanwhile, under the same id, stays known. */
  async strike(ids: readonly string[]): Promise<void> {
    for (const some of chunks(ids, CHUNK)) {
      const members = some.map(storable);
      const orders = ['all', 'open'].map((set): Order => ({
        command: 'ZREM',
        args: [`${this.#base}:${set}`, ...members],
      }));
      await this.link.all(orders, STORE_PATIENCE);
      const there = await this.link.all(
        some.map((id): Order => ({ command: 'EXISTS', args: [`${this.keys.batch(id)}:facts`] })),
        STORE_PATIENCE,
      );
      for (const [index, exists] of there.entries()) if (exists === 1) await this.enter(some[index]!);
    }
  }
}
