import type { FailedJob, FailedJobQuery } from '../contracts/failed-job-store.js';
import { flushFailed } from './flush-failed.js';
import { forgetFailed } from './forget-failed.js';
import { listFailed } from './list-failed.js';
import { pruneFailed } from './prune-failed.js';
import { retryBatch } from './retry-batch.js';
import { retryAllFailed, retryFailed, type RetryProgress, type RetryServices } from './retry-failed.js';

/** The jobs that failed for good, and what can be done about them. An id is the job's uuid. */
export class FailedJobs {
  readonly #services: RetryServices;

  constructor(services: RetryServices) {
    this.#services = services;
  }

  /** Newest first. Without `limit` all that match. */
  all(query: FailedJobQuery & { readonly limit?: number } = {}): Promise<FailedJob[]> {
    return listFailed(this.#services.connections, query);
  }

  async find(id: string): Promise<FailedJob | null> {
    const store = await this.#services.connections.failed();
    return (await store.find(id)) ?? null;
  }

  async count(query: FailedJobQuery = {}): Promise<number> {
    const store = await this.#services.connections.failed();
    return store.count(query);
  }

  /** Sends the job again under its own id, and forgets the record. False where there is none. */
  retry(id: string): Promise<boolean> {
    return retryFailed(this.#services, id);
  }

  /** Sends all that match again, the oldest failure first. Tells how many. @throws RetryIncompleteError when some could not be sent */
  retryAll(query: { readonly queue?: string } = {}, onProgress?: RetryProgress): Promise<number> {
    return retryAllFailed(this.#services, query, onProgress);
  }

  /**
   * Sends every failed member of a batch again; the batch goes on where it stood. Tells how many: 0 where none has failed, or their records
   * are gone.
   *
   * @throws BatchMissingError where there is no such batch; RetryIncompleteError when some could not be sent
   */
  retryBatch(id: string, onProgress?: RetryProgress): Promise<number> {
    return retryBatch(this.#services, id, onProgress);
  }

  /** Deletes the record. False where there is none. */
  forget(id: string): Promise<boolean> {
    return forgetFailed(this.#services.connections, id);
  }

  /** Deletes all records, or those of jobs that failed `hours` ago or earlier. Tells how many. */
  flush(hours?: number): Promise<number> {
    return flushFailed(this.#services.connections, hours);
  }

  /** Deletes the records of jobs that failed more than `hours` ago. Default 24. Tells how many. */
  prune(hours?: number): Promise<number> {
    return pruneFailed(this.#services.connections, hours);
  }
}
