import type { BackendContext } from '../../contracts/backend.js';
import { unlimited } from '../../contracts/driver-limits.js';
import type { PushEntry, PushResult, QueueDriver, ReservedJob } from '../../contracts/queue-driver.js';
import { pause } from '../../support/abort.js';

/** A driver that keeps nothing: a worker finds no jobs, every size is 0. What becomes of a push is all that differs. */
export function inProcessDriver(context: BackendContext, push: (entry: PushEntry) => Promise<PushResult>): QueueDriver {
  return {
    limits: unlimited,
    storeless: true,
    async push(entries) {
      const results: PushResult[] = [];
      // One after the other: a bulk runs in the order in which it was written.
      for (const entry of entries) results.push(await push(entry));
      return results;
    },
    async reserve({ waitMs, signal }) {
      // Without the wait a worker on such a connection would ask without pause.
      await pause(waitMs, signal, context.clock);
      return [];
    },
    settle: (settlements) => Promise.resolve(settlements.map(() => ({ ok: false, reason: 'lease-lost' }))),
    size: (queues) => Promise.resolve(queues.map(() => ({ pending: 0, delayed: 0, reserved: 0 }))),
    inspection: {
      page: () => Promise.resolve({ jobs: [] }),
      find: () => Promise.resolve(undefined),
      remove: () => Promise.resolve(false),
      queues: () => Promise.resolve([]),
    },
  };
}

/** What was pushed, as a worker would have got it: its first pick-up, under a lease that never ends. */
export function pickedUp(entry: PushEntry): ReservedJob {
  return {
    id: entry.id,
    queue: entry.queue,
    body: entry.body,
    priority: entry.priority ?? 0,
    attempts: 1,
    stalls: 0,
    token: entry.id,
    leasedUntil: Number.MAX_SAFE_INTEGER,
    ...(entry.live && { live: entry.live }),
  };
}
