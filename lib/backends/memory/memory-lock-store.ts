import type { HeldLock, LockStore } from '../../contracts/lock-store.js';
import type { Clock } from '../../support/clock.js';
import { ExpiringMap } from './expiring-map.js';

/** Locks in this process. The verbs without a promise are for the driver, which takes and frees them in its own write. */
export class MemoryLockStore implements LockStore {
  readonly #owners = new ExpiringMap<string>();

  constructor(private readonly clock: Clock) {}

  take(key: string, owner: string, ttlMs: number): boolean {
    const holder = this.holder(key);
    if (holder !== undefined && holder !== owner) return false;
    this.#set(key, owner, ttlMs);
    return true;
  }

  free(key: string, owner: string): boolean {
    if (this.holder(key) !== owner) return false;
    this.#owners.delete(key);
    return true;
  }

  holder(key: string): string | undefined {
    return this.#owners.get(key, this.clock.now());
  }

  async acquire(key: string, owner: string, ttlMs: number): Promise<boolean> {
    return this.take(key, owner, ttlMs);
  }

  async extend(locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    return locks.map(({ key, owner, ttlMs }) => this.holder(key) === owner && this.take(key, owner, ttlMs));
  }

  async release(key: string, owner: string): Promise<boolean> {
    return this.free(key, owner);
  }

  async replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const before = this.holder(key);
    this.#set(key, owner, ttlMs);
    return before;
  }

  async owner(key: string): Promise<string | undefined> {
    return this.holder(key);
  }

  async forceRelease(key: string): Promise<void> {
    this.#owners.delete(key);
  }

  #set(key: string, owner: string, ttlMs: number): void {
    const now = this.clock.now();
    this.#owners.set(key, owner, now + ttlMs, now);
  }
}
