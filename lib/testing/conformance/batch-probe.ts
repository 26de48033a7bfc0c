import assert from 'node:assert/strict';
import type { BatchProgress, BatchRecord, BatchStore, MemberOutcome, NewBatch } from '../../contracts/batch-store.js';
import type { Effects, ReservedJob, SettleResult } from '../../contracts/queue-driver.js';
import { all, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
import { accepted, batchStore, present } from './queue-probe.js';

/** A batch store in the hands of a case. */
export class BatchProbe {
  constructor(
    readonly store: BatchStore,
    readonly harness: Harness,
  ) {}

  /** A sealed batch of these members that allows failures, unless told otherwise. */
  create(memberIds: readonly string[], over: Partial<NewBatch> = {}): Promise<BatchRecord> {
    const plain = { id: 'batch', name: 'Import', options: '{}', sealed: true, cancelOnFailure: false };
    return this.store.create({ ...plain, memberIds, ...over });
  }

  async end(
    jobId: string,
    outcome: MemberOutcome,
    alsoEnded?: readonly string[],
    batchId = 'batch',
  ): Promise<BatchProgress> {
    return present(await this.store.recordEnd(batchId, { jobId, outcome, alsoEnded }), 'batch of this name');
  }

  async record(id = 'batch'): Promise<BatchRecord> {
    return present(await this.store.find(id), 'batch of this name');
  }
}

/** Total, pending, failed and ended jobs. */
export function counters(batch: BatchRecord, total: number, pending: number, failed: number, ended: number): void {
  assert.deepEqual(
    [batch.totalJobs, batch.pendingJobs, batch.failedJobs, batch.endedJobs],
    [total, pending, failed, ended],
    'total, pending, failed, ended',
  );
}

/** What is due, in any order. */
export function due(progress: BatchProgress, ...callbacks: readonly string[]): void {
  assert.deepEqual([...progress.due].sort(), [...callbacks].sort(), 'callbacks that are due');
}

export function batchCase(
  name: string,
  run: (batches: BatchProbe, harness: Harness) => Promise<void>,
  ...requirements: readonly Requirement[]
): ConformanceCase {
  return {
    name,
    needs: all([batchStore, ...requirements]),
    run: (backend, harness) => run(new BatchProbe(present(backend.batches, 'batch store'), harness), harness),
  };
}

/** A sealed batch; its id and its members are for the case to say. */
export const plainBatch = { name: '', options: '{}', sealed: true, cancelOnFailure: false };

/** What an ack of a member does. */
export function ended(batchId: string, { id }: ReservedJob, outcome: MemberOutcome = 'done'): Effects {
  return { member: { batchId, jobId: id, outcome } };
}

/** What an accepted settlement tells of the batch. */
export function progressOf(result: SettleResult): BatchProgress | undefined {
  accepted(result);
  return result.ok ? result.progress : undefined;
}

/** How many of them say so. */
export function flagsOf(told: readonly (BatchProgress | undefined)[]) {
  const count = (flag: 'started' | 'finished' | 'cancelled') => told.filter((one) => one?.[flag]).length;
  return { started: count('started'), finished: count('finished'), cancelled: count('cancelled') };
}
