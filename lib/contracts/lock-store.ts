/** Named locks with an owner. Nobody but the owner extends or releases one. */
export interface LockStore {
  /** True when `owner` has the lock now; taking one's own lock again extends it. `ttlMs: Infinity` never runs out by itself. */
  acquire(key: string, owner: string, ttlMs: number): Promise<boolean>;
  /** Makes each lock end `ttlMs` from now where its owner still has it. Aligned by index. */
  extend(locks: readonly HeldLock[]): Promise<readonly boolean[]>;
  /** False when `owner` did not have it. */
  release(key: string, owner: string): Promise<boolean>;
  /** Gives the lock to `owner` whoever had it, and tells who that was. */
  replace(key: string, owner: string, ttlMs: number): Promise<string | undefined>;
  owner(key: string): Promise<string | undefined>;
  forceRelease(key: string): Promise<void>;
}

export interface HeldLock {
  readonly key: string;
  readonly owner: string;
  readonly ttlMs: number;
}
