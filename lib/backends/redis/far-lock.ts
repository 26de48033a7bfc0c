import type { LockStore } from '../../contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import type { QueueError } from '../../support/queue-error.js';
import { storable } from '../stored-text.js';
import type { Order, Patience, RedisLink } from './link.js';
import { exists } from './push-call.js';
import type { QueueKeys } from './queue-keys.js';

/** For so long is a lock taken while it is not known yet whether its job is stored. */
const UNSURE_MS = 60_000;

/**
 * A push whose lock is in another slot of a cluster: the lock is taken for a minute, the job stored, then the lock gets its time. Whoever
 * is killed between leaves a lock that ends soon, or a job whose lock does.
 */
export class FarLock {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly locks: LockStore,
  ) {}

  async push(
    entry: PushEntry,
    patience: Patience,
    store: (entry: PushEntry) => Promise<PushResult>,
  ): Promise<PushResult> {
    const { key, owner, ttlMs } = entry.lock!;
    // A repeat is a repeat, whoever has the lock by now, and takes none.
    if (await this.#isThere(entry, patience, 'orOnce')) return exists;
    if (!(await this.locks.acquire(key, owner, Math.min(ttlMs, UNSURE_MS)))) {
      const by = await this.locks.owner(key);
      return { stored: false, reason: 'locked', ...(by !== undefined && { by }) };
    }
    let result: PushResult;
    try {
      result = await store(entry);
    } catch (error) {
      // What may have been stored keeps its lock for the minute; what was not needs none.
      if ((error as QueueError | undefined)?.outcome !== 'unknown') await this.#release(entry);
      throw error;
    }
    const living = result.stored || (result.reason === 'exists' && (await this.#livesYet(entry, patience)));
    if (living === true) await this.locks.extend([{ key, owner, ttlMs }]).catch(() => {});
    else if (living === false) await this.#release(entry);
    return result;
  }

  /** A job that was there may have ended by now, and nobody would give its lock back. `undefined`: cannot be told, the minute stays. */
  #livesYet(entry: PushEntry, patience: Patience): Promise<boolean | undefined> {
    return this.#isThere(entry, patience).catch(() => undefined);
  }

  async #isThere(entry: PushEntry, patience: Patience, orOnce?: 'orOnce'): Promise<boolean> {
    const base = this.keys.base(entry.queue);
    const id = storable(entry.id);
    const orders: Order[] = [{ command: 'HEXISTS', args: [`${base}:jobs`, id] }];
    if (orOnce && entry.once) orders.push({ command: 'EXISTS', args: [`${base}:once:${id}`] });
    return (await this.link.all(orders, patience)).includes(1);
  }

  async #release({ lock }: PushEntry): Promise<void> {
    await this.locks.release(lock!.key, lock!.owner).catch(() => {});
  }
}
