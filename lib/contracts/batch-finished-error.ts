import { QueueError } from '../support/queue-error.js';

/** A batch that has ended takes no more members. */
export class BatchFinishedError extends QueueError {
  constructor(id: string) {
    super(
      'ERR_QUEUE_BATCH_FINISHED',
      `The batch ${id} has finished: every member of it has ended. Add members while one of them runs, or dispatch a new batch.`,
    );
  }
}
