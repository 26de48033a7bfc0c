import type { FluentOptions } from '../job/fluent-options.js';
import type { PendingBatch } from './pending-batch.js';
import type { Prepared } from './prepared.js';
import type { ChainBehind } from './write-chain.js';

/** What a dispatch said over the job. */
export interface WatchedOptions extends FluentOptions {
  readonly within?: unknown;
  readonly behind?: ChainBehind;
}

/** What a test has told of every dispatch, once that has been checked and written down as ever. */
export interface DispatchWatch {
  /** @param given what the caller dispatched */
  prepared(given: object, options: WatchedOptions, prepared: Prepared): void;
  /** A job that is to follow another one, or is a member or a callback of a batch, has been written down under this id. */
  written(job: object, id: string): void;
  /** A job that is to run in this process has been written down. */
  writtenInProcess(job: object, body: string): void;
  /** The transaction that these were stored in, or that they waited for, was rolled back. */
  dropped(all: readonly Prepared[]): void;
  /**
   * A job that would run in this process has been checked. `true`: it is not to run.
   *
   * @throws UnknownJobError for `sync`, where nobody here could run it
   */
  holdsBack(job: object, when: 'sync' | 'after-response'): boolean;
  /** A batch is on its way: what is given is its `Batch` in the end. One that is sent after the response comes by twice. */
  sent<T>(pending: PendingBatch, sending: Promise<T>): Promise<T>;
}
