import type { QueueConnection } from '../../connections/queue-connection.js';
import { readMarks } from '../../connections/read-marks.js';
import type { ControlStore } from '../../contracts/control-store.js';
import type { QueueLoad } from './pool-gauge.js';

/**
 * How much there is to do in queues, aligned with them. What is paused waits for somebody else than a worker: it counts as nothing.
 *
 * @param force the workers work through every pause
 */
export async function queueLoads(
  connection: Pick<QueueConnection, 'name' | 'queueName' | 'sizes'>,
  control: Pick<ControlStore, 'read'>,
  queues: readonly string[],
  { now, force }: { readonly now: number; readonly force: boolean },
): Promise<readonly QueueLoad[]> {
  const [sizes, { paused }] = await Promise.all([connection.sizes(queues), readMarks(control, connection, queues)]);
  return sizes.map(({ pending, oldestPendingAt }, at) => {
    const rests = !force && paused.includes(queues[at]!);
    if (rests || pending === 0) return { waiting: 0, oldestMs: 0 };
    return { waiting: pending, oldestMs: Math.max(0, now - (oldestPendingAt?.getTime() ?? now)) };
  });
}
