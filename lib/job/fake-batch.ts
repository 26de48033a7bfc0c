import { randomUUID } from 'node:crypto';
import { BatchFinishedError } from '../contracts/batch-finished-error.js';
import type { FakeBatch } from '../contracts/batch.js';
import type { Dispatchable } from '../contracts/dispatchable.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { BatchFigures } from './batch-figures.js';
import { checkMembers } from './step-check.js';

/** What may be said of a fake batch; the rest is zero, empty or now. */
export type FakeBatchData = Partial<
  Pick<
    FakeBatch,
    | 'id'
    | 'name'
    | 'totalJobs'
    | 'pendingJobs'
    | 'failedJobs'
    | 'failedJobIds'
    | 'options'
    | 'createdAt'
    | 'cancelledAt'
    | 'finishedAt'
    | 'added'
  >
>;

// Outside the instances, which are what travels.
const batches = new WeakMap<object, FakeBatch>();

export function fakeBatchOf(job: object): FakeBatch | undefined {
  return batches.get(job);
}

/** Puts a job into a fake batch; a later one takes its place. */
export function attachFakeBatch(job: object, batch: FakeBatch): void {
  batches.set(job, batch);
}

/**
 * A batch that is stored nowhere. By default it is empty, just created, neither cancelled nor finished.
 *
 * @throws InvalidOptionError for a property that a batch does not have
 */
export function fakeBatch(data: FakeBatchData = {}): FakeBatch {
  return new UnstoredBatch(data);
}

class UnstoredBatch extends BatchFigures implements FakeBatch {
  id: string = randomUUID();
  name = '';
  totalJobs = 0;
  pendingJobs = 0;
  failedJobs = 0;
  failedJobIds: readonly string[] = [];
  options: Readonly<Record<string, unknown>> = {};
  createdAt = new Date();
  cancelledAt: Date | null = null;
  finishedAt: Date | null = null;
  added: readonly Dispatchable[] = [];
  #deleted = false;

  constructor(data: FakeBatchData) {
    super();
    const known = Object.keys(this);
    for (const [key, value] of Object.entries(data)) {
      if (!known.includes(key)) {
        throw new InvalidOptionError(
          `withFakeBatch() was given ${describe(key)}, which a batch does not have. Give some of ${known.join(', ')}.`,
        );
      }
      if (value !== undefined) Object.assign(this, { [key]: value });
    }
  }

  allowsFailures(): boolean {
    return this.options['allowFailures'] === true;
  }

  deleted(): boolean {
    return this.#deleted;
  }

  fresh(): Promise<FakeBatch> {
    return Promise.resolve(this);
  }

  cancel(): Promise<void> {
    this.cancelledAt ??= new Date();
    return Promise.resolve();
  }

  delete(): Promise<void> {
    this.#deleted = true;
    return Promise.resolve();
  }

  /** @throws as a real batch does, for what cannot be a member and once it has finished */
  async add(jobs: readonly (Dispatchable | readonly Dispatchable[])[]): Promise<FakeBatch> {
    checkMembers(jobs);
    if (this.finished()) throw new BatchFinishedError(this.id);
    const members = jobs.flat().filter(Boolean) as Dispatchable[];
    this.added = [...this.added, ...members];
    this.totalJobs += members.length;
    this.pendingJobs += members.length;
    return this;
  }
}
