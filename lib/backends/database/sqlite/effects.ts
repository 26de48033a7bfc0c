import type { BatchProgress } from '../../../contracts/batch-store.js';
import type { Effects } from '../../../contracts/queue-driver.js';
import type { BatchRows } from './batch-rows.js';
import type { FailedRows } from './failed-jobs.js';
import type { LockRows } from './locks.js';
import type { PushRows } from './push.js';
import type { Session } from './session.js';

/** Applies what follows an attempt in the very write that settles it: all of it lives in this file. */
export class EffectRows {
  constructor(
    private readonly pushes: PushRows,
    private readonly locks: LockRows,
    private readonly batches: BatchRows,
    private readonly failed: FailedRows,
  ) {}

  /** Members that have succeeded, all of one batch, in the write that acknowledges them. */
  done(session: Session, batchId: string, jobIds: readonly string[], now: number): BatchProgress | undefined {
    return this.batches.recordDone(session, batchId, jobIds, now);
  }

  /**
   * @returns how the batch stands whose member has ended
   * @throws what makes an effect impossible; the settlement is then rolled back with it
   */
  apply(session: Session, effects: Effects, now: number): BatchProgress | undefined {
    // A lock is given back first: a follow-up may want it.
    for (const { key, owner } of effects.unlock ?? []) this.locks.release(session, key, owner, now);
    for (const entry of effects.push ?? []) {
      const result = this.pushes.store(session, entry, now);
      if (!result.stored && result.reason === 'error')
        throw new TypeError('A follow-up cannot be stored.', { cause: result.error });
    }
    if (effects.failure) this.failed.record(session, effects.failure);
    return effects.member && this.batches.recordEnd(session, effects.member.batchId, effects.member, now);
  }
}
