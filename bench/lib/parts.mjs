import { hear, say } from './fork.mjs';
import { send } from './senders.mjs';
import { workUntil } from './work-until.mjs';

const PARTS = {
  /** One of several workers on one store: opens, says so, works when told. */
  async worker({ openQueue, concurrency, seconds, jobs }) {
    const queue = await openQueue();
    const go = hear('go');
    say('open');
    await go;
    const { log, cpuMicros } = await workUntil(queue, { concurrency, seconds, jobs, quietMs: 500 });
    await queue.close();
    return { log, cpuMicros };
  },

  /** Sends jobs from a process that runs none. */
  async producer({ openQueue, sending }) {
    const queue = await openQueue();
    const sent = await send(queue, sending);
    await queue.close();
    return sent;
  },
};

export function partOf(name) {
  return PARTS[name];
}
