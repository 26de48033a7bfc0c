import type { HeldLock, LockStore } from '../contracts/lock-store.js';

/** Locks of jobs that are faked are kept by the fake, all others where they really are. */
export class RecordingLocks implements LockStore {
  constructor(
    private readonly fake: LockStore,
    private readonly real: LockStore,
    private readonly isFaked: (key: string) => boolean,
  ) {}

  acquire(key: string, owner: string, ttlMs: number): Promise<boolean> {
    return this.#of(key).acquire(key, owner, ttlMs);
  }

  async extend(locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    const extended: boolean[] = [];
    for (const lock of locks) extended.push((await this.#of(lock.key).extend([lock]))[0]!);
    return extended;
  }

  release(key: string, owner: string): Promise<boolean> {
    return this.#of(key).release(key, owner);
  }

  replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    return this.#of(key).replace(key, owner, ttlMs);
  }

  owner(key: string): Promise<string | undefined> {
    return this.#of(key).owner(key);
  }

  forceRelease(key: string): Promise<void> {
    return this.#of(key).forceRelease(key);
  }

  #of(key: string): LockStore {
    return this.isFaked(key) ? this.fake : this.real;
  }
}
