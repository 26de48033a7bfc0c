import type { ClearAbility } from '../../contracts/queue-driver.js';
import { readable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import type { Order, RedisLink } from './link.js';
import { nonce } from '../nonce.js';
import { clearQueue } from './scripts/clear-queue.js';
import { lockRelease } from './scripts/lock-release.js';
import { locksOfFacts } from './scripts/locks-of-facts.js';
import { STORE_PATIENCE } from './store-patience.js';

/** Facts that were put aside: those of many reserved jobs, then the rest. */
const PARTS = ['0', '1'];

/** Takes everything of a queue away in one moment, and then gives the locks back; a clearing that was killed is ended by the next one. */
export class RedisClearing implements ClearAbility {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keyspace,
  ) {}

  async clear(queue: string): Promise<number> {
    const base = this.keys.queue(queue);
    const name = nonce();
    let count = -1;
    while (count < 0) count = Number(await this.link.run(clearQueue, [base], [name], STORE_PATIENCE));
    const names = (await this.link.send('HKEYS', [`${base}:trash`], STORE_PATIENCE)) as readonly string[];
    for (const one of names) await this.#throwAway(`${base}:trash`, one);
    return count;
  }

  async #throwAway(trash: string, name: string): Promise<void> {
    const parts = PARTS.map((part) => `${trash}:${name}:${part}`);
    for (const part of parts) await this.#unlock(part);
    await this.link.send('UNLINK', parts, STORE_PATIENCE);
    await this.link.send('HDEL', [trash, name], STORE_PATIENCE);
  }

  async #unlock(facts: string): Promise<void> {
    let cursor = '0';
    do {
      const reply = await this.link.run(locksOfFacts, [facts], [cursor], STORE_PATIENCE);
      const [next, ...locks] = reply as readonly string[];
      const orders: Order[] = [];
      for (let at = 0; at < locks.length; at += 2) {
        orders.push({ script: lockRelease, keys: [this.keys.lock(readable(locks[at]!))], args: [locks[at + 1]!] });
      }
      if (orders.length > 0) await this.link.all(orders, STORE_PATIENCE);
      cursor = next!;
    } while (cursor !== '0');
  }
}
