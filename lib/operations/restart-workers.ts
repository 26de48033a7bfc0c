import { randomUUID } from 'node:crypto';
import type { ConnectionManager } from '../connections/connection-manager.js';
import { EVERY_QUEUE, type PauseTarget } from '../contracts/control-store.js';

/** Whose workers are meant. */
export interface RestartTarget {
  /** Default: the default connection, where a queue is named; else all. */
  readonly connection?: string;
  /** Workers that have this queue among theirs. Default: all of the connection. */
  readonly queue?: string;
}

/**
 * Tells workers to end after their current jobs, for their process manager to start them anew: all of them, those of a connection, or
 * those of one of its queues.
 *
 * @throws UnknownConnectionError, InvalidQueueNameError
 */
export async function restartWorkers(connections: ConnectionManager, target: RestartTarget = {}): Promise<void> {
  const marked = markedTarget(connections, target);
  const control = await connections.control();
  // A random mark, since workers only look for a change: two clocks need not agree.
  await control.restart(randomUUID(), marked);
}

function markedTarget(connections: ConnectionManager, { connection: name, queue }: RestartTarget): PauseTarget {
  if (name === undefined && queue === undefined) return 'all';
  const connection = connections.get(name);
  return { connection: connection.name, queue: queue === undefined ? EVERY_QUEUE : connection.queueName(queue) };
}
