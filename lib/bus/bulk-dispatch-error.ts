import { QueueError } from '../support/queue-error.js';

/** Some jobs of a bulk were not stored; the others were. */
export class BulkDispatchError extends QueueError {
  constructor(
    /** By index in what was given. */
    readonly failures: readonly { readonly index: number; readonly error: unknown }[],
    total: number,
  ) {
    const first = failures[0]!;
    const why = first.error instanceof Error ? first.error.message : String(first.error);
    super(
      'ERR_QUEUE_BULK_DISPATCH',
      `${failures.length} of ${total} jobs were not stored; the first is number ${first.index}: ${why}`,
      {
        cause: first.error,
      },
    );
  }
}
