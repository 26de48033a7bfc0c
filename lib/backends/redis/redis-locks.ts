import type { HeldLock, LockStore } from '../../contracts/lock-store.js';
import { chunks } from '../../support/chunks.js';
import { readable, storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import { lasting } from './lasting.js';
import type { Order, RedisLink, Reply } from './link.js';
import { lockExtend } from './scripts/lock-extend.js';
import { lockRelease } from './scripts/lock-release.js';
import { lockReplace } from './scripts/lock-replace.js';
import { lockTake } from './scripts/lock-take.js';
import { STORE_PATIENCE } from './store-patience.js';

/** Extended in one go. */
const CHUNK = 1_000;

/** One lock is one key that ends with it; its value is the owner. */
export class RedisLocks implements LockStore {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keyspace,
  ) {}

  async acquire(key: string, owner: string, ttlMs: number): Promise<boolean> {
    const args = [storable(owner), lasting(ttlMs)];
    return (await this.link.run(lockTake, [this.keys.lock(key)], args, STORE_PATIENCE)) === 1;
  }

  async extend(locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    const answers: boolean[] = [];
    for (const some of chunks(locks, CHUNK)) {
      const orders = some.map(({ key, owner, ttlMs }): Order => ({
        script: lockExtend,
        keys: [this.keys.lock(key)],
        args: [storable(owner), lasting(ttlMs)],
      }));
      for (const reply of await this.link.all(orders, STORE_PATIENCE)) answers.push(reply === 1);
    }
    return answers;
  }

  async release(key: string, owner: string): Promise<boolean> {
    return (await this.link.run(lockRelease, [this.keys.lock(key)], [storable(owner)], STORE_PATIENCE)) === 1;
  }

  async replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const args = [storable(owner), lasting(ttlMs)];
    return ownerOf(await this.link.run(lockReplace, [this.keys.lock(key)], args, STORE_PATIENCE));
  }

  async owner(key: string): Promise<string | undefined> {
    return ownerOf(await this.link.send('GET', [this.keys.lock(key)], STORE_PATIENCE));
  }

  async forceRelease(key: string): Promise<void> {
    await this.link.send('DEL', [this.keys.lock(key)], STORE_PATIENCE);
  }
}

function ownerOf(reply: Reply): string | undefined {
  return reply === null ? undefined : readable(String(reply));
}
