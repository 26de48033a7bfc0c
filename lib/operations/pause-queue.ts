import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import { atLeastMs } from '../connections/option-check.js';
import { assertQueueName, type QueueTarget } from '../connections/queue-name.js';
import { QueuePaused, QueuesPaused } from '../contracts/queue-events.js';
import { durationMs, type Duration } from '../support/duration.js';

/** What pausing and resuming work on. */
export interface ControlServices {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
}

/**
 * Workers take no more jobs from the queue; those they have go on. Until it is resumed, or for `ttl`.
 *
 * @throws UnknownConnectionError, InvalidQueueNameError, InvalidOptionError
 */
export async function pauseQueue(services: ControlServices, target: QueueTarget, ttl?: Duration): Promise<void> {
  const { connection, queue } = checkedTarget(services, target);
  if (ttl !== undefined) atLeastMs(1)(ttl, 'ttl');
  const ttlMs = ttl === undefined ? undefined : durationMs(ttl, 'ttl');
  const control = await services.connections.control();
  await control.pause({ connection, queue }, ttlMs);
  services.hub.emit(new QueuePaused(connection, queue, ttlMs === undefined ? null : ttlMs / 1_000));
}

/** Pauses every queue of every connection. Queues that are paused by themselves stay so when this ends. */
export async function pauseAllQueues(services: ControlServices): Promise<void> {
  const control = await services.connections.control();
  await control.pause('all');
  services.hub.emit(new QueuesPaused());
}

/** Whether a queue is paused, by itself or with all others. */
export async function isQueuePaused(services: ControlServices, target: QueueTarget): Promise<boolean> {
  const { connection, queue } = checkedTarget(services, target);
  const control = await services.connections.control();
  const { allPaused, paused } = await control.read(connection, [queue]);
  return allPaused || paused.includes(queue);
}

/** By the name the queue really has: a forwarded one is paused where its jobs are. @throws UnknownConnectionError, InvalidQueueNameError */
export function checkedTarget({ connections }: ControlServices, { connection, queue }: QueueTarget): QueueTarget {
  assertQueueName(queue);
  const target = connections.get(connection);
  return { connection: target.name, queue: target.queueName(queue) };
}
