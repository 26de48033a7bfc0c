import { QueueError } from '../support/queue-error.js';

/** A schematic cannot do what it was asked to, and has written nothing. The Nest CLI prints the message alone. */
export class SchematicError extends QueueError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_QUEUE_SCHEMATIC', message, options);
  }
}
