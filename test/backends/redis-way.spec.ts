import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { QueueError } from '../../lib/support/queue-error.js';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { ackAll, entries, entry, LONG_MS, push, settled, sleep, until } from './redis-harness.js';
import { left, ProxiedRedis } from './redis-proxied.js';
import { request } from './sqlite-harness.js';

describeRedis('redis: the way to the server', () => {
  const redis = new ProxiedRedis();
  const { backends, direct } = redis;
  beforeAll(() => redis.begin(), START_LIMIT_MS);
  afterEach(() => redis.clean(), LONG_MS);
  afterAll(() => redis.end(), LONG_MS);

  it('a producer opens nothing before its first dispatch', async () => {
    const before = redis.proxy.accepted;
    const quiet = backends.open();
    await sleep(50);
    expect(redis.proxy.accepted).toBe(before);
    await push(quiet, entry());
    expect(redis.proxy.accepted).toBeGreaterThan(before);
  });

  it(
    'a push that is cut at any byte is stored once or not at all, and says so',
    async () => {
      const watching = direct.open();
      for (const from of ['client', 'server'] as const) {
        for (const after of from === 'client' ? [0, 1, 40, 200] : [0, 1]) {
          const cutting = backends.open({ dispatchTimeoutMs: 2_000 });
          await push(cutting, entry());
          const one = entry();
          redis.proxy.cut({ from, after, once: true });
          const { error, value } = await settled(cutting.queue!.push([one]));
          redis.proxy.restore();
          const there = (await watching.queue!.inspection!.find(one.id)) !== undefined;
          const said = error === undefined ? value : (error as QueueError).outcome;
          expect([from, after, said]).toEqual([from, after, error === undefined ? [{ stored: true }] : 'unknown']);
          expect([from, after, there || error !== undefined]).toEqual([from, after, true]);
          // The same dispatch again changes nothing where it was stored.
          const [again] = await cutting.queue!.push([one]);
          expect([from, after, again!.stored]).toEqual([from, after, !there]);
          await cutting.close();
        }
      }
    },
    LONG_MS,
  );

  it(
    'a claim that is cut loses no job: what it took is there when its lease has run out, at the latest',
    async () => {
      for (const from of ['client', 'server'] as const) {
        for (const after of from === 'client' ? [0, 5, 100] : [0, 5, 60]) {
          const worker = backends.open();
          const all = entries(3);
          await push(worker, ...all);
          expect(await worker.queue!.reserve(request({ queues: ['nothing'] }))).toEqual([]);
          redis.proxy.cut({ from, after, once: true });
          const first = await settled(worker.queue!.reserve(request({ limit: 3, leaseMs: 1_000 })));
          redis.proxy.restore();
          const jobs = [...(first.value ?? [])];
          while (jobs.length < 3) {
            const more = await worker.queue!.reserve(request({ limit: 3 - jobs.length, waitMs: 3_000 }));
            expect([from, after, more.length > 0]).toEqual([from, after, true]);
            jobs.push(...more);
          }
          expect(jobs.map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
          await ackAll(worker, jobs);
          expect(await left(worker)).toBe(0);
        }
      }
    },
    LONG_MS,
  );

  it(
    'an ack that is cut is handed in again, and is not taken for a lost lease',
    async () => {
      for (const from of ['client', 'server'] as const) {
        for (const after of from === 'client' ? [0, 5, 100] : [0, 5]) {
          const worker = backends.open();
          await push(worker, entry());
          const [taken] = await worker.queue!.reserve(request());
          redis.proxy.cut({ from, after, once: true });
          const [first] = await worker.queue!.settle([{ kind: 'ack', job: taken! }]);
          redis.proxy.restore();
          const again = first!.ok ? [first!] : await worker.queue!.settle([{ kind: 'ack', job: taken! }]);
          expect([from, after, again]).toEqual([from, after, [{ ok: true }]]);
          expect(await left(worker)).toBe(0);
        }
      }
    },
    LONG_MS,
  );

  it('every connection reset at once: the next verbs succeed', async () => {
    const worker = backends.open();
    await push(worker, ...entries(2));
    const [first] = await worker.queue!.reserve(request({ limit: 1 }));
    redis.proxy.reset();
    await sleep(20);
    expect(await worker.queue!.leases!.renew([first!], 30_000)).toEqual([{ ok: true }]);
    const { jobs } = await worker.queue!.exchange!([{ kind: 'ack', job: first! }], request({ limit: 1 }));
    expect(jobs).toHaveLength(1);
    await push(worker, entry());
    expect(await left(worker)).toBe(2);
  });

  it(
    'resets under load: each job is taken, and what is acknowledged does not come again',
    async () => {
      const worker = backends.open();
      const producer = direct.open();
      const all = entries(600);
      await push(producer, ...all);
      const done = new Set<string>();
      const twice: string[] = [];
      const resetting = setInterval(() => redis.proxy.reset(), 150);
      try {
        for (const end = performance.now() + 20_000; done.size < all.length;) {
          if (performance.now() > end) break;
          const claimed = await settled(worker.queue!.reserve(request({ limit: 10, leaseMs: 1_000, waitMs: 500 })));
          const jobs = claimed.value ?? [];
          await sleep(5);
          const results = await worker.queue!.settle(jobs.map((job) => ({ kind: 'ack' as const, job })));
          results.forEach(({ ok }, at) => {
            const { id } = jobs[at]!;
            if (ok && done.has(id)) twice.push(id);
            if (ok) done.add(id);
          });
        }
      } finally {
        clearInterval(resetting);
      }
      expect(twice).toEqual([]);
      expect(await left(producer)).toBe(0);
    },
    LONG_MS,
  );

  it(
    'a way that swallows everything is given up within seconds, and the next one taken',
    async () => {
      const worker = backends.open({ dispatchTimeoutMs: 1_000 });
      await push(worker, entry());
      const [taken] = await worker.queue!.reserve(request());
      expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
      redis.proxy.blackhole();
      const began = performance.now();
      const dispatched = await settled(worker.queue!.push([entry()]));
      expect(dispatched.error).toMatchObject({ outcome: 'unknown' });
      expect(performance.now() - began).toBeLessThan(3_000);
      const [renewed] = await worker.queue!.leases!.renew([taken!], 6_000);
      expect(renewed).toMatchObject({ ok: false, reason: 'error' });
      redis.proxy.restore();
      redis.proxy.reset();
      expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
      await push(worker, entry());
    },
    LONG_MS,
  );

  it(
    'a store that takes a second to answer still takes jobs and renews leases',
    async () => {
      const worker = backends.open();
      await push(worker, entry());
      const [taken] = await worker.queue!.reserve(request());
      redis.proxy.delay(500);
      expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
      await push(worker, entry());
      expect(await worker.queue!.settle([{ kind: 'ack', job: taken! }])).toEqual([{ ok: true }]);
    },
    LONG_MS,
  );

  it('a server that is not there: a dispatch rejects in time and says why', async () => {
    const nowhere = await TcpProxy.to(1);
    await nowhere.close();
    const away = backends.open({ dispatchTimeoutMs: 1_000 }, { url: nowhere.url(redis.server.url) });
    const began = performance.now();
    const many = await Promise.all(Array.from({ length: 50 }, () => settled(away.queue!.push([entry()]))));
    expect(performance.now() - began).toBeLessThan(2_500);
    for (const { error } of many)
      expect(String(error)).toMatch(/did not take the job within 1000 ms. Nothing was stored.*ECONNREFUSED/);
  });

  it(
    'connections that the server ends one by one are replaced, the waiting one too',
    async () => {
      const worker = backends.open();
      for (let round = 0; round < 5; round += 1) {
        const waiting = settled(worker.queue!.reserve(request({ waitMs: 8_000 })));
        await sleep(150);
        await redis.server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await sleep(150);
        await push(direct.open(), entry());
        // A look that was under way ends by an error, and the worker asks again.
        const { value } = await waiting;
        await ackAll(worker, value ?? (await worker.queue!.reserve(request({ waitMs: 5_000 }))));
      }
      expect(await left(worker)).toBe(0);
    },
    LONG_MS,
  );

  it(
    'a wait goes on over a black hole that lasts longer than one blocking call',
    async () => {
      const worker = backends.open({}, { blockFor: 1 });
      const waiting = worker.queue!.reserve(request({ waitMs: 30_000 }));
      await sleep(300);
      redis.proxy.blackhole();
      await sleep(7_000);
      redis.proxy.restore();
      redis.proxy.reset();
      await push(direct.open(), entry());
      // An outage may end a wait by an error, and the worker asks again.
      const { value } = await settled(waiting);
      await ackAll(worker, value ?? (await worker.queue!.reserve(request({ waitMs: 15_000 }))));
      expect(await left(worker)).toBe(0);
    },
    LONG_MS,
  );

  it(
    'a few connections are all it takes; they have a name, and go with it',
    async () => {
      const worker = backends.open();
      const waiting = new AbortController();
      const reserving = worker.queue!.reserve(
        request({ queues: ['default', 'more'], waitMs: 60_000, signal: waiting.signal }),
      );
      await Promise.all(Array.from({ length: 200 }, () => push(worker, entry({ queue: 'other' }))));
      const own = async (): Promise<string[]> =>
        String(await redis.server.command('CLIENT', 'LIST'))
          .split('\n')
          .filter((line) => /name=nestjs-queue/.test(line));
      const names = (await own()).map((line) => /name=(\S+)/.exec(line)![1]!);
      expect(names.length).toBeGreaterThan(0);
      expect(names.length).toBeLessThanOrEqual(3);
      for (const name of names) expect(name).toMatch(new RegExp(`^nestjs-queue.redis.*${process.pid}`));
      waiting.abort();
      expect(await reserving).toEqual([]);
      await worker.close();
      await until(async () => (await own()).length === 0, 'all connections closed', 2_000);
    },
    LONG_MS,
  );
});
