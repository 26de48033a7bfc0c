import { describe, expect, it } from '@jest/globals';
import { memoryBackend } from '../../../lib/backends/memory/memory-backend.js';
import { MemoryStore } from '../../../lib/backends/memory/memory-store.js';
import { fitDriver, PayloadTooLargeError } from '../../../lib/connections/fit-driver.js';
import type { Backend, BackendContext } from '../../../lib/contracts/backend.js';
import { unlimited, type DriverLimits } from '../../../lib/contracts/driver-limits.js';
import type { PushEntry, QueueDriver, ReserveRequest, Settlement } from '../../../lib/contracts/queue-driver.js';
import { queueDriverCases, runCase, type Harness } from '../../../lib/testing/conformance/index.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { entryOf } from './open-manager.js';

const never = new AbortController().signal;

function memory(clock = new FakeClock(), store = new MemoryStore(clock)): Backend {
  const context: BackendContext = {
    connection: 'memory',
    clock,
    dispatchTimeoutMs: 5_000,
    run: () => Promise.reject(new Error('runs nothing')),
    afterResponse: () => {},
    dataSource: () => undefined,
    warn: () => {},
  };
  return memoryBackend({ store }, context);
}

/** A driver that keeps to its limits by refusing what is beyond them, over a real memory store. */
function narrow(inner: QueueDriver, limits: Partial<DriverLimits>, options: { exchange?: boolean } = {}) {
  const all = { ...unlimited, ...limits };
  const calls: string[] = [];
  const within = (what: string, count: number, most: number): void => {
    calls.push(`${what} ${count}`);
    if (count > most) throw new Error(`${what} of ${count}, at most ${most}`);
  };
  const asked = (request: ReserveRequest): void => {
    within('reserve', request.limit, all.reserveBatch);
    if (request.waitMs > all.waitMs || request.leaseMs > all.leaseMs) throw new Error('waits or leases too long');
  };
  const driver: QueueDriver = {
    limits: all,
    push: async (entries) => {
      within('push', entries.length, all.pushBatch);
      return inner.push(entries);
    },
    reserve: async (request) => {
      asked(request);
      return inner.reserve(request);
    },
    settle: async (settlements) => {
      within('settle', settlements.length, all.settleBatch);
      return inner.settle(settlements);
    },
    size: (queues) => inner.size(queues),
    ...(inner.leases && { leases: inner.leases }),
    ...(inner.clearing && { clearing: inner.clearing }),
    ...(inner.inspection && { inspection: inner.inspection }),
    ...(options.exchange && {
      exchange: async (settlements: readonly Settlement[], request: ReserveRequest) => {
        within('settle', settlements.length, all.settleBatch);
        asked(request);
        return inner.exchange!(settlements, request);
      },
    }),
  };
  return { driver, calls };
}

function ask(limit: number, more: Partial<ReserveRequest> = {}): ReserveRequest {
  return { queues: ['default'], limit, leaseMs: 30_000, waitMs: 0, signal: never, ...more };
}

const entries = (count: number): PushEntry[] => Array.from({ length: count }, () => entryOf());

describe.each([
  ['without an exchange', false],
  ['with one', true],
])('a driver of small batches %s, fitted, passes as a whole one', (_, exchange) => {
  it.each(queueDriverCases.map((one) => [one.name, one] as const))('%s', async (__, one) => {
    const clock = new FakeClock();
    const store = new MemoryStore(clock);
    const open = async (): Promise<Backend> => {
      const backend = memory(clock, store);
      const limits = { pushBatch: 3, settleBatch: 2, reserveBatch: 2, waitMs: 20_000 };
      return { ...backend, queue: fitDriver(narrow(backend.queue!, limits, { exchange }).driver, 'narrow') };
    };
    const harness: Harness = {
      open,
      reopen: open,
      advance: (ms) => clock.advance(ms / 1_000),
      now: () => clock.now(),
      close: async () => {},
    };
    const { skipped } = await runCase(one, harness);
    if (skipped !== undefined) console.info(`skipped: ${one.name}: ${skipped}`);
    // Two cases need what no memory store has: a limit on bodies, and a writer that keeps the others out.
    expect(skipped ?? 'ran').toMatch(/^ran$|bodies of any size|keep the others out/);
  });
});

describe('fitDriver', () => {
  it('hands on what needs no fitting', async () => {
    const { queue } = memory();
    const fitted = fitDriver(queue!, 'memory');
    const stored = entryOf();
    await expect(fitted.push([stored])).resolves.toEqual([{ stored: true }]);
    const { jobs } = await fitted.exchange([], ask(5));
    expect(jobs.map((job) => job.id)).toEqual([stored.id]);
    expect(Object.keys(fitted).sort()).toEqual(
      ['clearing', 'exchange', 'inspection', 'leases', 'limits', 'push', 'reserve', 'settle', 'size'].sort(),
    );
    for (const verb of ['push', 'reserve', 'settle', 'exchange'] as const)
      expect(fitted[verb].name).toBe(`bound ${verb}`);
  });

  it('sends groups one after the other, in order, and stops behind one that fails', async () => {
    const { queue } = memory();
    const { driver, calls } = narrow(queue!, { pushBatch: 2 });
    const broken = new Error('store gone');
    let groups = 0;
    const fitted = fitDriver(
      {
        ...driver,
        push: async (group) => {
          groups += 1;
          if (groups === 2) throw broken;
          return driver.push(group);
        },
      },
      'narrow',
    );
    const results = await fitted.push(entries(6));
    expect(results.map((one) => (one.stored ? 'stored' : one.error))).toEqual([
      'stored',
      'stored',
      broken,
      broken,
      broken,
      broken,
    ]);
    expect(groups).toBe(2);
    expect(calls).toEqual(['push 2']);
  });

  it('refuses bodies and delays that are beyond the limits, one by one', async () => {
    const { queue } = memory();
    const fitted = fitDriver(narrow(queue!, { bodyBytes: 10, delayMs: 900_000 }).driver, 'sqs', 1_000);
    const [small, large, wide, late] = [
      entryOf('12345'),
      entryOf('x'.repeat(11)),
      entryOf('ää€€€'),
      entryOf('{}', { delayMs: 900_001 }),
    ];
    const results = await fitted.push([large, small, wide, late]);
    expect(results[1]).toEqual({ stored: true });
    expect(results[0]).toMatchObject({
      stored: false,
      reason: 'error',
      error: { code: 'ERR_QUEUE_PAYLOAD_TOO_LARGE', size: 11, limit: 10 },
    });
    expect(results[2]).toMatchObject({ error: { size: 13, limit: 10 } });
    expect(results[3]).toMatchObject({ error: { message: expect.stringContaining('at most 900 s') } });
    expect((results[0] as { error: unknown }).error).toBeInstanceOf(PayloadTooLargeError);
    await expect(fitDriver(queue!, 'memory', 4).push([entryOf('12345')])).resolves.toMatchObject([
      { error: { limit: 4 } },
    ]);
    await expect(fitted.size(['default'])).resolves.toMatchObject([{ pending: 1 }]);
  });

  it('takes no longer wait and no longer lease than there is, and waits for the first job only', async () => {
    const { queue } = memory();
    const asked: ReserveRequest[] = [];
    const { driver } = narrow(queue!, { reserveBatch: 2, waitMs: 20, leaseMs: 60_000 });
    const fitted = fitDriver(
      {
        ...driver,
        reserve: (request) => {
          asked.push(request);
          return driver.reserve(request);
        },
      },
      'narrow',
    );
    await fitted.push(entries(3));
    const jobs = await fitted.reserve(ask(10, { waitMs: 5_000, leaseMs: 90_000 }));
    expect(jobs).toHaveLength(3);
    expect(asked.map(({ limit, waitMs, leaseMs }) => [limit, waitMs, leaseMs])).toEqual([
      [2, 20, 60_000],
      [2, 0, 60_000],
    ]);
  });

  it('loses no job when a later group of a reserve fails', async () => {
    const { queue } = memory();
    let calls = 0;
    const fitted = fitDriver(
      {
        ...narrow(queue!, { reserveBatch: 1 }).driver,
        reserve: async (request) => {
          calls += 1;
          if (calls === 2) throw new Error('store gone');
          return queue!.reserve(request);
        },
      },
      'narrow',
    );
    await fitted.push(entries(3));
    await expect(fitted.reserve(ask(3))).resolves.toHaveLength(1);
  });

  it('tells what was settled even where the look for more jobs fails', async () => {
    const { queue } = memory();
    let down = false;
    const { driver } = narrow(queue!, {});
    const fitted = fitDriver(
      { ...driver, reserve: (request) => (down ? Promise.reject(new Error('store gone')) : queue!.reserve(request)) },
      'narrow',
    );
    await fitted.push(entries(1));
    const [job] = await fitted.reserve(ask(1));
    down = true;
    await expect(fitted.exchange([{ kind: 'ack', job: job! }], ask(1))).resolves.toEqual({
      settled: [{ ok: true }],
      jobs: [],
    });
    await expect(fitted.exchange([], ask(1))).rejects.toThrow('store gone');
  });

  it('keeps a release within the longest delay', async () => {
    const clock = new FakeClock();
    const { queue } = memory(clock);
    const fitted = fitDriver(narrow(queue!, { delayMs: 1_000 }).driver, 'narrow');
    await fitted.push(entries(1));
    const [job] = await fitted.reserve(ask(1));
    await expect(fitted.settle([{ kind: 'release', job: job!, delayMs: 60_000 }])).resolves.toEqual([{ ok: true }]);
    await clock.advance(1);
    await expect(fitted.reserve(ask(1))).resolves.toHaveLength(1);
  });
});
