import type { LockStore } from '../../contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import { storable } from '../stored-text.js';
import type { Patience, RedisLink } from './link.js';
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
    const there = await this.link.send(
      'HEXISTS',
      [`${this.keys.base(entry.queue)}:jobs`, storable(entry.id)],
      patience,
    );
    if (there === 1) return exists;
    if (!(await this.locks.acquire(key, owner, Math.min(ttlMs, UNSURE_MS)))) {
      const by = await this.locks.owner(key);
      return { stored: false, reason: 'locked', ...(by !== undefined && { by }) };
    }
    const result = await store(entry);
    if (result.stored || result.reason === 'exists') {
      await this.locks.extend([{ key, owner, ttlMs }]).catch(() => {});
    } else {
      await this.locks.release(key, owner).catch(() => {});
    }
    return result;
  }
}
