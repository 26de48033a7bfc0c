import { QueueError } from '../support/queue-error.js';

/** The store did not answer within the time a dispatch may take. `outcome` says whether the write may have happened all the same. */
export class DispatchTimeoutError extends QueueError {
  constructor(
    connection: string,
    timeoutMs: number,
    options?: { cause?: unknown; outcome?: 'unknown'; advice?: string },
  ) {
    super(
      'ERR_QUEUE_DISPATCH_TIMEOUT',
      `The store of the [${connection}] connection did not take the job within ${timeoutMs} ms.` +
        (options?.outcome ? ' It is not known whether it was stored.' : ' Nothing was stored.') +
        ` ${options?.advice ?? 'Check that the store is up, or raise dispatchTimeout.'}`,
      options,
    );
  }
}

/** The store has no room for another job. */
export class StoreFullError extends QueueError {
  constructor(connection: string, cause: unknown) {
    super(
      'ERR_QUEUE_STORE_FULL',
      `The store of the [${connection}] connection is full; the job was not stored. Make room and dispatch again.`,
      {
        cause,
      },
    );
  }
}
