import { describe, expect, it } from '@jest/globals';
import type { ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { entryOf, openManager, outgoing } from './open-manager.js';

describe('the sync driver', () => {
  it('runs each job inside the push, one after the other, whatever its delay', async () => {
    const ran: ReservedJob[] = [];
    let running = 0;
    const { manager } = openManager(
      {},
      {
        run: async (job) => {
          expect((running += 1)).toBe(1);
          await new Promise(setImmediate);
          ran.push(job);
          running -= 1;
        },
      },
    );
    const [one, two] = [entryOf('{"n":1}', { queue: 'high', delayMs: 60_000 }), entryOf('{"n":2}')];
    await manager.get('sync').push([outgoing(one), outgoing(two)]);
    expect(ran).toMatchObject([
      { id: one.id, queue: 'sync', body: '{"n":1}', attempts: 1, stalls: 0, priority: 0 },
      { id: two.id, queue: 'sync', body: '{"n":2}' },
    ]);
  });

  it('gives the caller what the handler threw', async () => {
    const thrown = new Error('handler');
    const { manager } = openManager(
      {},
      { run: (job) => (job.body === 'bad' ? Promise.reject(thrown) : Promise.resolve()) },
    );
    const sync = manager.get('sync');
    await expect(sync.push([outgoing(entryOf('bad'))])).rejects.toBe(thrown);
    await expect(sync.push([outgoing(entryOf('bad')), outgoing(entryOf('good'))])).resolves.toEqual([
      { stored: false, reason: 'error', error: thrown },
      { stored: true },
    ]);
  });
});

describe('the deferred driver', () => {
  it('runs after the response, and swallows what was reported by the run itself', async () => {
    const ran: string[] = [];
    const { manager, afterResponse } = openManager(
      {},
      {
        run: async (job) => {
          ran.push(job.body);
          throw new Error('handler');
        },
      },
    );
    await expect(manager.get('deferred').push([outgoing(entryOf('late'))])).resolves.toEqual([{ stored: true }]);
    expect(ran).toEqual([]);
    expect(afterResponse).toHaveLength(1);
    await expect(afterResponse[0]!()).resolves.toBeUndefined();
    expect(ran).toEqual(['late']);
  });
});

describe('the null driver', () => {
  it('forgets', async () => {
    const { manager } = openManager();
    const nothing = manager.get('null');
    await expect(nothing.push([outgoing(entryOf())])).resolves.toEqual([{ stored: true }]);
    await expect(nothing.clear()).resolves.toBe(0);
    await expect(nothing.size()).resolves.toMatchObject({ pending: 0, delayed: 0, reserved: 0, total: 0 });
  });
});

describe.each(['sync', 'deferred', 'null'])('a worker on the %s driver', (name) => {
  it('finds nothing and waits, until its time or its signal ends', async () => {
    const clock = new FakeClock();
    const { manager } = openManager({}, { clock });
    const driver = await manager.get(name).queue();
    const request = { queues: ['default'], limit: 5, leaseMs: 30_000, waitMs: 3_000 };
    let done = false;
    const waiting = driver.reserve({ ...request, signal: new AbortController().signal }).then((jobs) => {
      done = true;
      return jobs;
    });
    await clock.advance(2);
    expect(done).toBe(false);
    await clock.advance(1);
    await expect(waiting).resolves.toEqual([]);
    const stop = new AbortController();
    const cut = driver.reserve({ ...request, signal: stop.signal });
    stop.abort();
    await expect(cut).resolves.toEqual([]);
    await expect(manager.get(name).pendingJobs()).resolves.toEqual([]);
    await expect(manager.get(name).size()).resolves.toMatchObject({ total: 0 });
  });
});
