import type { Batch } from '../contracts/batch.js';

/** What a batch tells of itself by its figures alone. */
export abstract class BatchFigures {
  abstract readonly id: string;
  abstract readonly name: string;
  abstract readonly totalJobs: number;
  abstract readonly pendingJobs: number;
  abstract readonly failedJobs: number;
  abstract readonly failedJobIds: readonly string[];
  abstract readonly options: Batch['options'];
  abstract readonly createdAt: Date;
  abstract readonly cancelledAt: Date | null;
  abstract readonly finishedAt: Date | null;

  /** Members that have succeeded. */
  processedJobs(): number {
    return this.totalJobs - this.pendingJobs;
  }

  /** Whole per cent of members that have succeeded; 0 for a batch without members. */
  progress(): number {
    return this.totalJobs === 0 ? 0 : Math.round((this.processedJobs() / this.totalJobs) * 100);
  }

  /** Every member has ended, in whatever way. */
  finished(): boolean {
    return this.finishedAt !== null;
  }

  cancelled(): boolean {
    return this.cancelledAt !== null;
  }

  hasFailures(): boolean {
    return this.failedJobs > 0;
  }

  toJSON(): object {
    return {
      id: this.id,
      name: this.name,
      totalJobs: this.totalJobs,
      pendingJobs: this.pendingJobs,
      processedJobs: this.processedJobs(),
      progress: this.progress(),
      failedJobs: this.failedJobs,
      failedJobIds: this.failedJobIds,
      options: this.options,
      createdAt: this.createdAt,
      cancelledAt: this.cancelledAt,
      finishedAt: this.finishedAt,
    };
  }
}
