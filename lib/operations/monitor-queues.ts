import { whole } from '../connections/option-check.js';
import type { QueueSizes } from '../connections/queue-connection.js';
import { parseQueueTarget, type QueueTarget } from '../connections/queue-name.js';
import { QueueBusy } from '../contracts/queue-events.js';
import type { ControlServices } from './pause-queue.js';

export type MonitoredQueue = QueueTarget & QueueSizes;

/**
 * The sizes of queues, in the order given. Each that holds `max` jobs or more raises QueueBusy.
 *
 * @param queues as `connection:queue`; a bare name is a queue of the default connection
 * @param max default 1000
 * @throws UnknownConnectionError, InvalidQueueNameError
 */
export async function monitorQueues(
  { connections, hub }: ControlServices,
  queues: readonly string[],
  max = 1_000,
): Promise<readonly MonitoredQueue[]> {
  whole(1)(max, 'max');
  const targets = queues.map((one) => parseQueueTarget(one, connections.defaultName));
  const byConnection = new Map<string, Set<string>>();
  for (const { connection, queue } of targets) {
    const asked = byConnection.get(connection) ?? new Set<string>();
    byConnection.set(connections.get(connection).name, asked.add(queue));
  }
  const sizes = new Map<string, Map<string, QueueSizes>>();
  await Promise.all(
    [...byConnection].map(async ([connection, asked]) => {
      const names = [...asked];
      const found = await connections.get(connection).sizes(names);
      sizes.set(connection, new Map(names.map((queue, index) => [queue, found[index]!])));
    }),
  );
  return targets.map(({ connection, queue }) => {
    const size = sizes.get(connection)!.get(queue)!;
    if (size.total >= max) hub.emit(new QueueBusy(connection, queue, size.total));
    return { connection, queue, ...size };
  });
}
