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

/** The server of a connection does not answer. Nothing was written, unless `outcome` says that it is not known. */
export class StoreUnreachableError extends QueueError {
  override readonly transient = true;

  /** @param store the server, as `postgres at host:5432/database` */
  constructor(connection: string, store: string, cause: unknown, options?: { outcome?: 'unknown' }) {
    super(
      'ERR_QUEUE_STORE_UNREACHABLE',
      `The store of the [${connection}] connection (${store}) cannot be reached: ${reasonOf(cause)}.` +
        (options?.outcome ? ' It is not known whether the write was done.' : '') +
        ' Check that the server is up and takes connections.',
      { cause, ...options },
    );
  }
}

/** The server refuses to be used like this, and waiting does not change that: a wrong password, no such database, a replica. */
export class StoreRefusedError extends QueueError {
  constructor(connection: string, store: string, cause: unknown, advice: string) {
    super(
      'ERR_QUEUE_STORE_REFUSED',
      `The store of the [${connection}] connection (${store}) refuses: ${reasonOf(cause)}. ${advice}`,
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  const { message, code } = (cause ?? {}) as { message?: unknown; code?: unknown };
  const text = typeof message === 'string' && message !== '' ? message : String(code ?? cause);
  return text.split('\n', 1)[0]!.replace(/\.$/, '');
}
