/** A job: any class with `@Job()` and a `handle`. */
export interface QueueableJob {
  handle(...dependencies: any[]): unknown;
  /** Called when a signal reaches the worker while the job runs. */
  interrupted?(signal: string): void;
}

export type InlineClosure = (...args: any[]) => unknown;

/** What `call()` and `closure()` make. */
export interface ClosureJob extends QueueableJob {
  name(label: string): this;
  catch(job: Dispatchable): this;
}

/** What a chain, a batch or a callback may be made of. */
export type Dispatchable = QueueableJob | ClosureJob;

export interface DispatchReceipt {
  readonly id: string;
  readonly connection: string;
  readonly queue: string;
}
