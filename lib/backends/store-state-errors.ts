import { QueueError } from '../support/queue-error.js';

/** Others held what the write needed for all the time there was: a write lock, rows. Nothing was written. */
export class StoreBusyError extends QueueError {
  override readonly transient = true;

  constructor(store: string, waitedMs: number, cause?: unknown) {
    super(
      'ERR_QUEUE_STORE_BUSY',
      `${store} was locked by another connection for ${Math.round(waitedMs)} ms. Nothing was written. Look for a transaction that stays open.`,
      { cause },
    );
  }
}

/** The file cannot be a queue's store, and waiting does not change that. */
export class StoreUnusableError extends QueueError {
  /** @param why as SQLite says it */
  constructor(store: string, why: string, cause: unknown) {
    super(
      'ERR_QUEUE_STORE_UNUSABLE',
      `${store} cannot be used as a queue's file: ${why}. Check the path and its permissions, or name another file (QUEUE_DATABASE_URL, or dataSource of the connection).`,
      { cause },
    );
  }
}

/** A verb was called after `close()`. */
export class StoreClosedError extends QueueError {
  constructor(store: string) {
    super(
      'ERR_QUEUE_STORE_CLOSED',
      `${store} was closed by this connection. Nothing more can be done with it; open the connection again.`,
    );
  }
}
