import { memoryBackend } from '../../lib/backends/memory/memory-backend.js';
import { MemoryStore } from '../../lib/backends/memory/memory-store.js';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import { systemClock } from '../../lib/support/clock.js';

/** A real store in memory that can be taken down and brought up again, as a whole or one verb of it. */
export class BrittleStore {
  /** Verbs that reject: `reserve`, `settle`, `exchange`, `renew`, `push`, `record`, `read`. */
  readonly down = new Set<string>();
  /** How often each verb was called. */
  readonly calls = new Map<string, number>();
  readonly backend: Backend;

  constructor() {
    const context = { clock: systemClock, connection: 'brittle' } as BackendContext;
    const inner = memoryBackend({ store: new MemoryStore(systemClock) }, context);
    const queue = inner.queue!;
    const guard =
      <A extends unknown[], R>(verb: string, fn: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        this.calls.set(verb, (this.calls.get(verb) ?? 0) + 1);
        if (this.down.has(verb)) throw new Error(`the store is down (${verb})`);
        return fn(...args);
      };
    const { failed, control } = inner;
    this.backend = {
      ...inner,
      queue: {
        limits: queue.limits,
        push: guard('push', (entries) => queue.push(entries)),
        reserve: guard('reserve', (request) => queue.reserve(request)),
        settle: guard('settle', (settlements) => queue.settle(settlements)),
        exchange: guard('exchange', (settlements, request) => queue.exchange!(settlements, request)),
        size: (queues) => queue.size(queues),
        leases: { renew: guard('renew', (jobs, leaseMs) => queue.leases!.renew(jobs, leaseMs)) },
        inspection: queue.inspection!,
      },
      failed: {
        record: guard('record', (failures) => failed!.record(failures)),
        find: (id) => failed!.find(id),
        page: (query) => failed!.page(query),
        count: (query) => failed!.count(query),
        forget: (ids, failedAt) => failed!.forget(ids, failedAt),
        prune: (before) => failed!.prune(before),
      },
      control: {
        pause: (target, ttl) => control!.pause(target, ttl),
        resume: (target) => control!.resume(target),
        restart: (mark) => control!.restart(mark),
        read: guard('read', (connection, queues) => control!.read(connection, queues)),
      },
    };
  }
}
