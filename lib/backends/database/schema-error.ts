import { QueueError } from '../../support/queue-error.js';

/** The tables of a connection are missing, older or newer than this version of the package can work with. */
export class SchemaError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_SCHEMA', message);
  }
}
