import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Job,
  JobAttempted,
  JobPopped,
  JobPopping,
  JobProcessed,
  type Backend,
  type BackendContext,
  type QueueDriver,
} from 'nestjs-queue';
import { memoryBackend } from '../../lib/backends/memory/memory-backend.js';
import { closeApps, openApp } from './open-app.js';

@Job()
class Slow {
  constructor(readonly ms: number) {}
  async handle(): Promise<void> {
    await sleep(this.ms);
  }
}

/** The memory store with its verbs counted. */
function counted() {
  const trips = { reserve: 0, settle: 0, exchange: 0 };
  const factory = (options: object, context: BackendContext): Backend => {
    const backend = memoryBackend(options, context);
    const queue = backend.queue!;
    const driver: QueueDriver = {
      ...queue,
      push: (entries) => queue.push(entries),
      size: (queues) => queue.size(queues),
      reserve: (request) => {
        trips.reserve += 1;
        return queue.reserve(request);
      },
      settle: (settlements) => {
        trips.settle += 1;
        return queue.settle(settlements);
      },
      exchange: (settlements, request) => {
        trips.exchange += 1;
        return queue.exchange!(settlements, request);
      },
      ...(queue.leases ? { leases: queue.leases } : {}),
    };
    return { ...backend, queue: driver, close: () => backend.close() };
  };
  return { trips, factory };
}

describe('trips to the store', () => {
  afterEach(closeApps);

  it.each([1, 10])(
    'ack and next claim go in one, at concurrency %i, with handlers that take time',
    async (concurrency) => {
      const { trips, factory } = counted();
      const at = await openApp('memory', {
        providers: [Slow],
        options: {
          default: 'counted',
          connections: { counted: { driver: 'counted' } } as never,
          drivers: { counted: factory as never },
        },
      });
      await at.bus.bulk(Array.from({ length: 100 }, () => new Slow(3)));
      await at.workers.work({ concurrency, stopWhenEmpty: true });
      // The last jobs find nothing more to ask for; every other one is handed in by the next claim.
      expect(trips.settle).toBeLessThanOrEqual(concurrency);
      expect(trips.exchange).toBeGreaterThanOrEqual(100 / concurrency - 1);
      expect(trips.reserve + trips.exchange).toBeLessThanOrEqual(100 + concurrency + 3);
      expect((await at.manager.connection().size()).total).toBe(0);
    },
  );

  it('events tell the ack before the next look, though both were one trip', async () => {
    const at = await openApp('memory', { providers: [Slow] });
    const told: string[] = [];
    for (const type of [JobPopping, JobPopped, JobProcessed, JobAttempted]) {
      at.manager.on<object>(type, () => told.push(type.name));
    }
    await at.bus.bulk([new Slow(5), new Slow(5)]);
    await at.workers.work({ stopWhenEmpty: true });
    const job = ['JobPopping', 'JobPopped', 'JobProcessed', 'JobAttempted'];
    expect(told).toEqual([...job, ...job, 'JobPopping', 'JobPopping']);
  });
});
