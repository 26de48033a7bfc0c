import { QueueError } from '../support/queue-error.js';

/** An assertion on a `QueueFake` does not hold. Test runners show its message, and a difference where both sides are given. */
export class QueueFakeError extends QueueError {
  /** What the assertion asked for, where it is something that can be laid beside what was found. */
  declare readonly expected?: unknown;
  declare readonly actual?: unknown;

  constructor(message: string, sides?: { readonly expected: unknown; readonly actual: unknown }) {
    super('ERR_QUEUE_FAKE', message);
    if (sides) Object.assign(this, sides);
  }
}
