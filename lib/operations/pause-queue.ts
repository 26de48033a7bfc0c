import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import { atLeastMs } from '../connections/option-check.js';
import { assertQueueName, type QueueTarget } from '../connections/queue-name.js';
import { readMarks } from '../connections/read-marks.js';
import { EVERY_QUEUE, type PauseTarget } from '../contracts/control-store.js';
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
  await pause(services, checkedTarget(services, target), ttl);
}

/**
 * Pauses every queue of one connection. Queues that are paused by themselves stay so when this ends.
 *
 * @throws UnknownConnectionError, InvalidOptionError
 */
export async function pauseConnection(services: ControlServices, connection: string, ttl?: Duration): Promise<void> {
  const { name } = services.connections.get(connection);
  await pause(services, { connection: name, queue: EVERY_QUEUE }, ttl);
}

/** Pauses every queue of every connection. Queues that are paused by themselves stay so when this ends. @throws InvalidOptionError */
export async function pauseAllQueues(services: ControlServices, ttl?: Duration): Promise<void> {
  await pause(services, 'all', ttl);
}

async function pause({ connections, hub }: ControlServices, target: PauseTarget, ttl?: Duration): Promise<void> {
  if (ttl !== undefined) atLeastMs(1)(ttl, 'ttl');
  const ttlMs = ttl === undefined ? undefined : durationMs(ttl, 'ttl');
  const control = await connections.control();
  await control.pause(target, ttlMs);
  if (target === 'all') hub.emit(new QueuesPaused());
  else hub.emit(new QueuePaused(target.connection, target.queue, ttlMs === undefined ? null : ttlMs / 1_000));
}

/** Whether a queue is paused: by itself, with its connection, or with all others. */
export async function isQueuePaused(services: ControlServices, { connection, queue }: QueueTarget): Promise<boolean> {
  return (await pausedQueues(services, connection, [queue])).length > 0;
}

/** Those of a connection's queues that are paused: by themselves, with their connection, or with all others. */
export async function pausedQueues(
  services: ControlServices,
  connection: string,
  queues: readonly string[],
): Promise<readonly string[]> {
  for (const queue of queues) assertQueueName(queue);
  const target = services.connections.get(connection);
  const { paused } = await readMarks(await services.connections.control(), target, queues);
  return paused;
}

/** By the name the queue really has: a forwarded one is paused where its jobs are. @throws UnknownConnectionError, InvalidQueueNameError */
export function checkedTarget({ connections }: ControlServices, { connection, queue }: QueueTarget): QueueTarget {
  assertQueueName(queue);
  const target = connections.get(connection);
  return { connection: target.name, queue: target.queueName(queue) };
}
