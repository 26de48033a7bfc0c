import type { ConnectionManager } from '../connections/connection-manager.js';
import { queueNames } from '../connections/queue-name.js';

export interface ClearedQueue {
  readonly connection: string;
  readonly queue: string;
  /** `undefined`: the store cannot count what it removed. */
  readonly cleared: number | undefined;
}

/**
 * Removes every job of the queues, running ones too.
 *
 * @param connection default: the default connection
 * @param queues trimmed, empty and repeated ones dropped; where none is left, the connection's own queue
 * @throws AbilityMissingError where the store cannot
 */
export async function clearQueues(
  connections: ConnectionManager,
  connection?: string,
  queues: string | readonly string[] = [],
): Promise<readonly ClearedQueue[]> {
  const target = connections.get(connection);
  const names = queueNames(queues);
  const cleared: ClearedQueue[] = [];
  for (const queue of names.length > 0 ? names : [target.defaultQueue]) {
    cleared.push({ connection: target.name, queue, cleared: await target.clear(queue) });
  }
  return cleared;
}
