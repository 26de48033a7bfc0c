import type { QueueTarget } from '../connections/queue-name.js';
import { QueueResumed, QueuesResumed } from '../contracts/queue-events.js';
import { checkedTarget, type ControlServices } from './pause-queue.js';

/** Workers take jobs from the queue again. A pause of all queues stays. @throws UnknownConnectionError, InvalidQueueNameError */
export async function resumeQueue(services: ControlServices, target: QueueTarget): Promise<void> {
  const { connection, queue } = checkedTarget(services, target);
  const control = await services.connections.control();
  await control.resume({ connection, queue });
  services.hub.emit(new QueueResumed(connection, queue));
}

/** Ends the pause of all queues. Those that are paused by themselves stay so. */
export async function resumeAllQueues(services: ControlServices): Promise<void> {
  const control = await services.connections.control();
  await control.resume('all');
  services.hub.emit(new QueuesResumed());
}
