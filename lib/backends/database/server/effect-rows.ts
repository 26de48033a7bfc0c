import type { BatchProgress } from '../../../contracts/batch-store.js';
import type { Effects } from '../../../contracts/queue-driver.js';
import type { BatchRows } from './batch-rows.js';
import type { EntryRows } from './entry-rows.js';
import type { FailedRows } from './failed-rows.js';
import type { Link } from './link.js';
import type { LockRows } from './lock-rows.js';

/** Applies what follows an attempt in the very transaction that settles it: all of it lives in this database. */
export class EffectRows {
  constructor(
    private readonly entries: EntryRows,
    private readonly locks: LockRows,
    private readonly batches: BatchRows,
    private readonly failed: FailedRows,
  ) {}

  /** What a statement told of a batch whose members it counted. */
  told(link: Link, text: string): Promise<BatchProgress> {
    return this.batches.told(link, text);
  }

  /** Members that have succeeded, all of one batch, in the transaction that acknowledges them. */
  done(link: Link, batchId: string, jobIds: readonly string[]): Promise<BatchProgress | undefined> {
    return this.batches.recordDone(link, batchId, jobIds);
  }

  /**
   * @returns how the batch stands whose member has ended
   * @throws what makes an effect impossible; the settlement is then rolled back with it
   */
  async apply(link: Link, effects: Effects): Promise<BatchProgress | undefined> {
    // A batch before locks, in every transaction: two of them never wait for each other crosswise.
    const progress = effects.member && (await this.batches.recordEnd(link, effects.member.batchId, effects.member));
    // A lock is given back before the follow-ups, which may want it.
    for (const { key, owner } of effects.unlock ?? []) await this.locks.release(link, key, owner);
    await this.entries.storeAll(link, effects.push ?? []);
    if (effects.failure) await this.failed.record(link, [effects.failure]);
    return progress;
  }
}
