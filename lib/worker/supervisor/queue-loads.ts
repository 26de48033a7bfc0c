import type { QueueConnection } from '../../connections/queue-connection.js';
import { EVERY_QUEUE, type ControlStore } from '../../contracts/control-store.js';
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
  const real = queues.map((queue) => connection.queueName(queue));
  const [sizes, marks] = await Promise.all([
    connection.sizes(queues),
    control.read(connection.name, [...new Set(real), EVERY_QUEUE]),
  ]);
  const all = marks.allPaused || marks.paused.includes(EVERY_QUEUE);
  return sizes.map(({ pending, oldestPendingAt }, at) => {
    const paused = !force && (all || marks.paused.includes(real[at]!));
    if (paused || pending === 0) return { waiting: 0, oldestMs: 0 };
    return { waiting: pending, oldestMs: Math.max(0, now - (oldestPendingAt?.getTime() ?? now)) };
  });
}
