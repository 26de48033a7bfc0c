import type { HeldLock, LockStore } from '../contracts/lock-store.js';
import type { Clock } from '../support/clock.js';

export interface KeptLock extends HeldLock {
  readonly store: LockStore;
  /** When the store was asked for it, by `Clock.elapsed()`. */
  readonly since: number;
  /** The lock is not ours any more, or nobody can tell. Called once at most. */
  readonly lost: () => void;
  /** An extension failed; the next one may not. */
  readonly trouble: (error: unknown) => void;
}

/**
 * Extends a lock every third of its time. Where the store says that it is gone, or no extension has succeeded for nine tenths of that
 * time, it is lost.
 *
 * @returns what ends it
 */
export function keepLock({ store, key, owner, ttlMs, since, lost, trouble }: KeptLock, clock: Clock): () => void {
  let held = since;
  let asking = false;
  let over = false;
  let cancelBeat = (): void => {};
  let cancelEnd = (): void => {};
  const stop = (): void => {
    over = true;
    cancelBeat();
    cancelEnd();
  };
  const giveUp = (): void => {
    if (over) return;
    stop();
    lost();
  };
  const watchEnd = (): void => {
    cancelEnd();
    cancelEnd = clock.after(Math.max(0, held + ttlMs * 0.9 - clock.elapsed()), giveUp);
  };
  const extend = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    const sent = clock.elapsed();
    try {
      const [still] = await store.extend([{ key, owner, ttlMs }]);
      if (over) return;
      if (!still) return giveUp();
      held = sent;
      watchEnd();
    } catch (error) {
      if (!over) trouble(error);
    } finally {
      asking = false;
    }
  };
  const beat = (): void => {
    cancelBeat = clock.after(ttlMs / 3, () => {
      beat();
      void extend();
    });
  };
  beat();
  watchEnd();
  return stop;
}
