import type { Moment } from '../support/duration.js';

/** A job: any class with `@Job()` and a `handle`. */
export interface QueueableJob {
  handle(...dependencies: any[]): unknown;
  /** Called when a signal reaches the worker while the job runs. */
  interrupted?(signal: string): void;
}

export type InlineClosure = (...args: any[]) => unknown;

/** What `call()` and `closure()` make: a job for `dispatch`, a chain, a batch or a callback. */
export interface ClosureJob extends QueueableJob {
  /** Takes the place of what lists and log lines show. */
  name(label: string): this;
  /** A job that is sent once when this one has failed for good. Several may be given. */
  catch(job: Dispatchable): this;
  onConnection(connection: string): this;
  onQueue(queue: string): this;
  delay(delay: Moment): this;
  withoutDelay(): this;
  afterCommit(): this;
  beforeCommit(): this;
}

/** A batch that is not sent yet, as `bus.batch()` makes it: it may be a step of a chain, or a member of another batch. */
export interface UnsentBatch {
  readonly jobs: readonly (Dispatchable | readonly Dispatchable[])[];
  readonly options: {
    readonly name?: string;
    readonly connection?: string;
    readonly queue?: string;
    readonly allowFailures?: boolean;
  };
  dispatch(): Promise<{ readonly id: string }>;
}

/** What a chain, a batch or a callback may be made of. */
export type Dispatchable = QueueableJob | ClosureJob | UnsentBatch;

export interface DispatchReceipt {
  readonly id: string;
  readonly connection: string;
  readonly queue: string;
}
