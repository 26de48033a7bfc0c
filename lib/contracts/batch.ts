import type { Dispatchable } from './dispatchable.js';

/** A batch as it stood when it was read; `fresh()` reads it again. */
export interface Batch {
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
  processedJobs(): number;
  progress(): number;
  finished(): boolean;
  cancelled(): boolean;
  hasFailures(): boolean;
  allowsFailures(): boolean;
  fresh(): Promise<Batch | null>;
  cancel(): Promise<void>;
  delete(): Promise<void>;
  add(jobs: readonly (Dispatchable | readonly Dispatchable[])[]): Promise<Batch>;
  toJSON(): object;
}

/** A batch for tests, as `withFakeBatch()` gives it: it keeps what is done to it, and nothing runs. */
export interface FakeBatch extends Batch {
  /** What `add()` was given, one by one: the steps of a chain too. */
  readonly added: readonly Dispatchable[];
  /** Whether `delete()` was called. */
  deleted(): boolean;
}
