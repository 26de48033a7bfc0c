import { chunks } from '../../support/chunks.js';
import { batchAnswer, type BatchAnswer } from './batch-text.js';
import type { Keyspace } from './keyspace.js';
import type { Arg, Order, RedisLink, Reply } from './link.js';
import type { Script } from './script.js';
import { batchFind } from './scripts/batch-find.js';
import { STORE_PATIENCE } from './store-patience.js';

/** Read in one go. */
const CHUNK = 100;

/** Scripts on batches: each runs in its batch's slot. */
export class BatchCalls {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keyspace,
  ) {}

  /** As the script answers. */
  tell(script: Script, id: string, args: readonly Arg[]): Promise<Reply> {
    return this.link.run(script, [this.keys.batch(id)], args, STORE_PATIENCE);
  }

  /** `undefined` where there is no such batch. */
  async ask(script: Script, id: string, args: readonly Arg[] = []): Promise<BatchAnswer | undefined> {
    return batchAnswer(await this.tell(script, id, args));
  }

  /** The same of many. */
  tellAll(script: Script, ids: readonly string[], args: readonly Arg[] = []): Promise<readonly Reply[]> {
    const orders = ids.map((id): Order => ({ script, keys: [this.keys.batch(id)], args }));
    return this.link.all(orders, STORE_PATIENCE);
  }

  /** Those of them that there are. */
  async read(ids: readonly string[]): Promise<readonly (readonly [id: string, answer: BatchAnswer])[]> {
    const found: [string, BatchAnswer][] = [];
    for (const some of chunks(ids, CHUNK)) {
      for (const [index, reply] of (await this.tellAll(batchFind, some)).entries()) {
        const answer = batchAnswer(reply);
        if (answer) found.push([some[index]!, answer]);
      }
    }
    return found;
  }
}
