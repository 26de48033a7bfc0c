import type { MemberPage, MemberRecord, MemberState } from '../../contracts/batch-store.js';
import { chunks } from '../../support/chunks.js';
import { readable } from '../stored-text.js';
import { batchAnswer, type BatchAnswer } from './batch-text.js';
import type { Keyspace } from './keyspace.js';
import type { Arg, Order, RedisLink, Reply } from './link.js';
import type { Script } from './script.js';
import { batchFind } from './scripts/batch-find.js';
import { STORE_PATIENCE } from './store-patience.js';

const STATES: Readonly<Record<string, MemberState>> = { w: 'waiting', d: 'done', f: 'failed', b: 'behind' };

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
  tellAll(
    script: Script,
    ids: readonly string[],
    args: readonly Arg[] = [],
    patience = STORE_PATIENCE,
  ): Promise<readonly Reply[]> {
    const orders = ids.map((id): Order => ({ script, keys: [this.keys.batch(id)], args }));
    return this.link.all(orders, patience);
  }

  /** Those of them that there are. */
  async read(
    ids: readonly string[],
    patience = STORE_PATIENCE,
  ): Promise<readonly (readonly [id: string, answer: BatchAnswer])[]> {
    const found: [string, BatchAnswer][] = [];
    for (const some of chunks(ids, CHUNK)) {
      for (const [index, reply] of (await this.tellAll(batchFind, some, [], patience)).entries()) {
        const answer = batchAnswer(reply);
        if (answer) found.push([some[index]!, answer]);
      }
    }
    return found;
  }

  /**
   * By pages of HSCAN. One of them may hold more than was asked for: a cursor says which, and how many of it have been given. `undefined`
   * where there is no such batch.
   */
  async members(id: string, limit: number, after = '0:0'): Promise<MemberPage | undefined> {
    const base = this.keys.batch(id);
    const [from, passed] = after.split(':');
    let cursor = from!;
    let given = Number(passed);
    if ((await this.link.send('EXISTS', [`${base}:facts`], STORE_PATIENCE)) !== 1) return undefined;
    const members: MemberRecord[] = [];
    for (;;) {
      const scan = [`${base}:members`, cursor, 'COUNT', Math.max(1, limit)];
      const [further, flat] = (await this.link.send('HSCAN', scan, STORE_PATIENCE)) as [string, readonly string[]];
      for (; given * 2 < flat.length && members.length < limit; given += 1) {
        members.push({ id: readable(flat[given * 2]!), state: STATES[flat[given * 2 + 1]!] ?? 'waiting' });
      }
      if (given * 2 < flat.length) return { members, next: `${cursor}:${given}` };
      if (further === '0') return { members };
      [cursor, given] = [further, 0];
      if (members.length >= limit) return { members, next: `${cursor}:0` };
    }
  }
}
