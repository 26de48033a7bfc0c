import { afterAll, afterEach, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import {
  describeRedis,
  freshCluster,
  freshRedis,
  type FreshCluster,
  type FreshRedis,
} from '../support/shared-redis.js';
import { ackAll, entry, LONG_MS, push, RedisBackends, sleep, until } from './redis-harness.js';
import { request } from './sqlite-harness.js';

const listenersOf = (client: Redis | Cluster): Record<string, number> =>
  Object.fromEntries(client.eventNames().map((name) => [String(name), client.listenerCount(name)]));

describeRedis("redis with the application's own ioredis", () => {
  let fresh: FreshRedis | undefined;
  let onCluster: FreshCluster | undefined;
  const clients: (Redis | Cluster)[] = [];
  const backends = new RedisBackends(() => ({}));

  async function redis(options: object = {}): Promise<Redis> {
    fresh ??= await freshRedis();
    const client = new Redis(fresh.url, { keyPrefix: `${fresh.prefix}-app:`, ...options });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  }

  afterEach(async () => {
    await backends.close();
    for (const client of clients.splice(0)) client.disconnect();
  }, LONG_MS);
  afterAll(async () => {
    await fresh?.drop();
    await onCluster?.drop();
  });

  it(
    'uses its settings, its prefix of keys too, and leaves it as it was',
    async () => {
      const client = await redis();
      await client.ping();
      const before = listenersOf(client);
      const worker = backends.open({}, { client });
      await push(worker, entry(), entry({ delayMs: 60_000 }));
      const jobs = await worker.queue!.reserve(request());
      await worker.locks!.acquire('key', 'me', 1_000);
      await ackAll(worker, jobs);
      const raw = await redis({ keyPrefix: '' });
      const keys = await raw.keys(`${fresh!.prefix}-app:*`);
      expect(keys.length).toBeGreaterThan(1);
      expect(keys.every((key) => key.startsWith(`${fresh!.prefix}-app:queue:{`))).toBe(true);
      await worker.close();
      expect(await client.ping()).toBe('PONG');
      expect(client.status).toBe('ready');
      expect(listenersOf(client)).toEqual(before);
    },
    LONG_MS,
  );

  it(
    'never waits on it: a command of the application is answered while workers wait',
    async () => {
      const client = await redis();
      const worker = backends.open({}, { client });
      const waiting = [1, 2, 3].map(() => worker.queue!.reserve(request({ limit: 1, waitMs: 5_000 })));
      await sleep(300);
      const began = performance.now();
      for (let n = 0; n < 20; n += 1) await client.ping();
      expect(performance.now() - began).toBeLessThan(500);
      const at = performance.now();
      await push(worker, ...waiting.map(() => entry()));
      const jobs = (await Promise.all(waiting)).flat();
      expect(jobs).toHaveLength(3);
      expect(performance.now() - at).toBeLessThan(1_000);
      await ackAll(worker, jobs);
    },
    LONG_MS,
  );

  it(
    'goes on when the application ends its client',
    async () => {
      const client = await redis();
      await client.ping();
      const worker = backends.open({}, { client });
      await push(worker, entry());
      const waiting = worker.queue!.reserve(request({ queues: ['later'], waitMs: 8_000 }));
      await sleep(200);
      client.disconnect();
      await sleep(100);
      await push(worker, entry({ queue: 'later' }));
      await ackAll(worker, await waiting);
      await ackAll(worker, await worker.queue!.reserve(request()));
      expect(client.status).toBe('end');
    },
    LONG_MS,
  );

  it(
    'takes one that is set to connect later, to give up soon, or to queue nothing',
    async () => {
      for (const options of [
        { lazyConnect: true },
        { enableOfflineQueue: false, lazyConnect: true },
        { maxRetriesPerRequest: 0, commandTimeout: 200 },
        { autoPipelining: true },
        { stringNumbers: true },
        { db: 5 },
      ]) {
        const client = await redis(options);
        const worker = backends.open({}, { client });
        await push(worker, entry());
        // Longer than its own time for a command, and than one look takes.
        const waiting = worker.queue!.reserve(request({ queues: ['other'], waitMs: 600 }));
        expect([options, await waiting]).toEqual([options, []]);
        const jobs = await worker.queue!.reserve(request());
        expect([options, jobs.length]).toEqual([options, 1]);
        expect(Number.isSafeInteger(jobs[0]!.leasedUntil)).toBe(true);
        await ackAll(worker, jobs);
        await worker.close();
        expect(client.status === 'wait').toBe('lazyConnect' in options);
      }
    },
    LONG_MS,
  );

  it(
    'takes its cluster, and leaves that as it was',
    async () => {
      onCluster ??= await freshCluster();
      const client = new Cluster([...onCluster.nodes], { keyPrefix: `${onCluster.prefix}-app:` });
      client.on('error', () => undefined);
      clients.push(client);
      await until(() => client.status === 'ready', 'the cluster');
      const before = listenersOf(client);
      const worker = backends.open({}, { client });
      await push(worker, entry(), entry({ queue: 'mails' }), entry({ queue: 'reports' }));
      const jobs = await worker.queue!.reserve(request({ queues: ['reports', 'mails', 'default'] }));
      expect(jobs.map(({ queue }) => queue)).toEqual(['reports', 'mails', 'default']);
      const waiting = worker.queue!.reserve(request({ queues: ['reports', 'mails'], waitMs: 5_000 }));
      await sleep(200);
      await push(worker, entry({ queue: 'mails' }));
      await ackAll(worker, [...jobs, ...(await waiting)]);
      await worker.close();
      expect(client.status).toBe('ready');
      expect(listenersOf(client)).toEqual(before);
      expect(await client.set('mine', '1')).toBe('OK');
    },
    LONG_MS,
  );
});
