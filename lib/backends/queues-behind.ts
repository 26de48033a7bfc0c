import type { Settlement } from '../contracts/queue-driver.js';

/** The queues in which settlements leave something that a waiting worker may take. */
export function queuesBehind(settlements: readonly Settlement[]): ReadonlySet<string> {
  const queues = new Set<string>();
  for (const { kind, job, effects } of settlements) {
    if (kind === 'release') queues.add(job.queue);
    for (const { queue } of effects?.push ?? []) queues.add(queue);
  }
  return queues;
}
