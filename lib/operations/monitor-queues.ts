import { whole } from '../connections/option-check.js';
import type { QueueSizes } from '../connections/queue-connection.js';
import { parseQueueTarget, type QueueTarget } from '../connections/queue-name.js';
import { QueueBusy } from '../contracts/queue-events.js';
import type { ControlServices } from './pause-queue.js';

export type MonitoredQueue = QueueTarget & QueueSizes;

/**
 * The sizes of queues, in the order given. Each that holds `max` jobs or more raises QueueBusy, once, also where another connection
 * cannot be reached.
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
  const found = new Map<string, MonitoredQueue>();
  await Promise.all(
    [...byConnection].map(async ([connection, asked]) => {
      const names = [...asked];
      const target = connections.get(connection);
      await target.check();
      const sizes = await target.sizes(names);
      names.forEach((queue, index) => {
        const size = sizes[index]!;
        found.set(keyOf({ connection, queue }), { connection, queue, ...size });
        if (size.total >= max) hub.emit(new QueueBusy(connection, queue, size.total));
      });
    }),
  );
  return targets.map((target) => found.get(keyOf(target))!);
}

function keyOf({ connection, queue }: QueueTarget): string {
  return `${connection}\n${queue}`;
}
