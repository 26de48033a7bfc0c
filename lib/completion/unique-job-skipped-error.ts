import { QueueError } from '../support/queue-error.js';

/** A chain came to a unique job whose lock another one holds: the chain has failed there. */
export class UniqueJobSkippedError extends QueueError {
  constructor(displayName: string) {
    super(
      'ERR_QUEUE_UNIQUE_JOB_SKIPPED',
      `${displayName} is unique, and another one of its kind was waiting or running when its chain came to it. It was not enqueued, and the chain ends there.`,
    );
  }
}
