import type { HeldLock, LockStore } from '../../../contracts/lock-store.js';
import type { LockRows } from './lock-rows.js';
import type { SideStore } from './side-store.js';

export class ServerLocks implements LockStore {
  constructor(
    private readonly side: SideStore,
    private readonly rows: LockRows,
  ) {}

  acquire(key: string, owner: string, ttlMs: number): Promise<boolean> {
    return this.side.read((link) => this.rows.acquire(link, { key, owner, ttlMs }));
  }

  async extend(locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    if (locks.length === 0) return [];
    return this.side.write((link) => this.rows.extend(link, locks));
  }

  release(key: string, owner: string): Promise<boolean> {
    return this.side.write((link) => this.rows.release(link, key, owner));
  }

  replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    return this.side.write((link) => this.rows.replace(link, { key, owner, ttlMs }));
  }

  owner(key: string): Promise<string | undefined> {
    return this.side.read((link) => this.rows.owner(link, key));
  }

  forceRelease(key: string): Promise<void> {
    return this.side.read((link) => this.rows.force(link, key));
  }
}
