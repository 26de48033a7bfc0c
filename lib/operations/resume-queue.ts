import type { QueueTarget } from '../connections/queue-name.js';
import { EVERY_QUEUE } from '../contracts/control-store.js';
import { QueueResumed, QueuesResumed } from '../contracts/queue-events.js';
import { checkedTarget, type ControlServices } from './pause-queue.js';

/**
 * Workers take jobs from the queue again. A pause of its connection, or of all queues, stays.
 *
 * @throws UnknownConnectionError, InvalidQueueNameError
 */
export async function resumeQueue(services: ControlServices, target: QueueTarget): Promise<void> {
  await resume(services, checkedTarget(services, target));
}

/** Ends the pause of a whole connection. Queues that are paused by themselves stay so. @throws UnknownConnectionError */
export async function resumeConnection(services: ControlServices, connection: string): Promise<void> {
  const { name } = services.connections.get(connection);
  await resume(services, { connection: name, queue: EVERY_QUEUE });
}

async function resume({ connections, hub }: ControlServices, { connection, queue }: QueueTarget): Promise<void> {
  const control = await connections.control();
  await control.resume({ connection, queue });
  hub.emit(new QueueResumed(connection, queue));
}

/** Ends the pause of all queues. Those that are paused by themselves stay so. */
export async function resumeAllQueues(services: ControlServices): Promise<void> {
  const control = await services.connections.control();
  await control.resume('all');
  services.hub.emit(new QueuesResumed());
}
