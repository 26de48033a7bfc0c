import type { BatchRecord } from '../contracts/batch-store.js';
import type { Batch } from '../contracts/batch.js';
import type { Dispatchable } from '../contracts/dispatchable.js';
import { BatchFigures } from '../job/batch-figures.js';
import { readBatchPlan } from '../job/batch-plan.js';

/** What a batch object does, by the batch's id. */
export interface BatchVerbs {
  find(id: string): Promise<Batch | null>;
  cancel(id: string): Promise<void>;
  delete(id: string): Promise<void>;
  add(id: string, jobs: readonly (Dispatchable | readonly Dispatchable[])[]): Promise<Batch>;
}

/** A batch as it stood when it was read. */
export class StoredBatch extends BatchFigures implements Batch {
  readonly id: string;
  readonly name: string;
  readonly totalJobs: number;
  readonly pendingJobs: number;
  readonly failedJobs: number;
  readonly failedJobIds: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly cancelledAt: Date | null;
  readonly finishedAt: Date | null;
  readonly #verbs: BatchVerbs;
  readonly #allowsFailures: boolean;

  constructor(record: BatchRecord, verbs: BatchVerbs) {
    super();
    const plan = readBatchPlan(record.options);
    this.id = record.id;
    this.name = record.name;
    this.totalJobs = record.totalJobs;
    this.pendingJobs = record.pendingJobs;
    this.failedJobs = record.failedJobs;
    this.failedJobIds = record.failedJobIds;
    this.options = {
      ...plan.given,
      ...(record.name !== '' && { name: record.name }),
      ...(plan.connection !== undefined && { connection: plan.connection }),
      ...(plan.queue !== undefined && { queue: plan.queue }),
      allowFailures: plan.allowFailures,
    };
    this.createdAt = new Date(record.createdAt);
    this.cancelledAt = record.cancelledAt === undefined ? null : new Date(record.cancelledAt);
    this.finishedAt = record.finishedAt === undefined ? null : new Date(record.finishedAt);
    this.#verbs = verbs;
    this.#allowsFailures = plan.allowFailures;
  }

  /** Whether a failure leaves it running instead of cancelling it. */
  allowsFailures(): boolean {
    return this.#allowsFailures;
  }

  /** As it stands now; `null` once it has been deleted. */
  fresh(): Promise<Batch | null> {
    return this.#verbs.find(this.id);
  }

  /** Members that have not run yet may ask (`SkipIfBatchCancelled`); those that do not ask run. `then` will not come. */
  cancel(): Promise<void> {
    return this.#verbs.cancel(this.id);
  }

  /** Forgets the batch. Its jobs stay where they are, and count no more. */
  delete(): Promise<void> {
    return this.#verbs.delete(this.id);
  }

  /**
   * More members.
   *
   * @returns the batch as it stands then
   * @throws BatchFinishedError once every member has ended
   */
  add(jobs: readonly (Dispatchable | readonly Dispatchable[])[]): Promise<Batch> {
    return this.#verbs.add(this.id, jobs);
  }
}
