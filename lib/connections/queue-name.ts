import { describe, QueueError } from '../support/queue-error.js';

const QUEUE_NAME = /^[A-Za-z0-9_.\-:/{}]{1,128}$/;

/** A queue's name has characters that not every store can carry, or is too long. */
export class InvalidQueueNameError extends QueueError {
  constructor(name: unknown) {
    super(
      'ERR_QUEUE_INVALID_QUEUE_NAME',
      `The queue name ${describe(name)} cannot be used. Use 1 to 128 of the characters A-Z a-z 0-9 _ . - : / { }.`,
    );
  }
}

/** @throws InvalidQueueNameError */
export function assertQueueName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !QUEUE_NAME.test(name)) throw new InvalidQueueNameError(name);
}

/**
 * Queue names as people write them: trimmed, empty ones dropped, repeated ones kept where they come first. A name may hold several,
 * separated by commas.
 *
 * @throws InvalidQueueNameError
 */
export function queueNames(names: string | readonly string[]): readonly string[] {
  const list = (typeof names === 'string' ? [names] : names).flatMap((one) => String(one).split(','));
  const unique = [...new Set(list.map((one) => one.trim()).filter((one) => one !== ''))];
  for (const one of unique) assertQueueName(one);
  return unique;
}

/** A queue on a connection. */
export interface QueueTarget {
  readonly connection: string;
  readonly queue: string;
}

/**
 * `connection:queue`; a bare name is a queue of the default connection, an empty queue is `default`. A queue whose own name has a
 * colon is written with its connection.
 *
 * @throws InvalidQueueNameError
 */
export function parseQueueTarget(text: string, defaultConnection: string): QueueTarget {
  const colon = text.indexOf(':');
  const connection = (colon < 0 ? '' : text.slice(0, colon).trim()) || defaultConnection;
  const queue = text.slice(colon + 1).trim() || 'default';
  assertQueueName(queue);
  return { connection, queue };
}
