import { EVERY_QUEUE, type ControlMarks, type ControlStore } from '../contracts/control-store.js';
import type { QueueConnection } from './queue-connection.js';

/**
 * The marks that stand for some queues of a connection now. `paused` has those of the given names that nobody is to work: paused by
 * themselves, with their connection, or with all others.
 */
export async function readMarks(
  control: Pick<ControlStore, 'read'>,
  connection: Pick<QueueConnection, 'name' | 'queueName'>,
  queues: readonly string[],
): Promise<ControlMarks> {
  // Looked up each time: a queue may be forwarded while somebody watches it.
  const real = queues.map((queue) => connection.queueName(queue));
  const marks = await control.read(connection.name, [...new Set(real), EVERY_QUEUE]);
  const whole = marks.allPaused || marks.paused.includes(EVERY_QUEUE);
  return { ...marks, paused: queues.filter((_, at) => whole || marks.paused.includes(real[at]!)) };
}
