import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { openWatch } from '../../lib/backends/redis/redis-watch.js';
import type { StoreWatch } from '../../lib/contracts/backend.js';
import { startRedis, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { entry, LONG_MS, push, RedisBackends, SharedRedisBackends, type RedisPlace } from './redis-harness.js';

const signal = new AbortController().signal;
const request = { queues: ['mails', 'default'], limit: 10, leaseMs: 2_000, waitMs: 0, signal };

describeRedis('the watch of a redis connection', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let backends: RedisBackends;
  let place: RedisPlace;
  let watch: StoreWatch | undefined;

  beforeAll(async () => void (server = await startRedis()), START_LIMIT_MS);
  beforeEach(async () => {
    await server.command('FLUSHALL');
    proxy = await TcpProxy.to(server.port);
    place = { url: proxy.url(server.url) };
    backends = new RedisBackends(() => place);
  });
  afterEach(async () => {
    await watch?.close();
    watch = undefined;
    await backends.close();
    await proxy.close();
  });
  afterAll(() => server.close());

  it('renews and releases by queue and token, also after its connection was killed', async () => {
    const backend = backends.open();
    await push(backend, entry({ queue: 'mails' }), entry());
    const jobs = await backend.queue!.reserve(request);
    const [a, b] = jobs.map(({ id, queue, token }) => ({ id, queue, token }));
    // As the thread gets it.
    watch = await openWatch(structuredClone(backend.watch!.data));
    expect(await watch.renew([a!, { ...b!, token: 'x' }], 60_000)).toEqual([
      { ok: true },
      { ok: false, reason: 'lease-lost' },
    ]);
    const held = await backend.queue!.inspection!.find(a!.id);
    expect(held!.leasedUntil! - Date.now()).toBeGreaterThan(50_000);

    proxy.reset();
    expect(await watch.renew([b!], 60_000)).toEqual([{ ok: true }]);
    const back = await watch.release([
      { ...a!, delayMs: 0, countAttempt: true, memo: 'timed out' },
      { ...b!, delayMs: 60_000, countAttempt: false },
    ]);
    expect(back).toEqual([{ ok: true }, { ok: true }]);
    const [again] = await backend.queue!.reserve(request);
    expect(again).toMatchObject({ id: a!.id, queue: 'mails', attempts: 2, memo: 'timed out' });
    expect(await backend.queue!.inspection!.find(b!.id)).toMatchObject({ state: 'delayed', attempts: 0 });
    expect(await watch.renew([a!], 60_000)).toEqual([{ ok: false, reason: 'lease-lost' }]);
    expect(await watch.renew([], 60_000)).toEqual([]);
  });

  it(
    'answers with an error where the server is away, in time',
    async () => {
      const backend = backends.open();
      watch = await openWatch(structuredClone(backend.watch!.data));
      proxy.refuse();
      const began = performance.now();
      const answers = await watch.renew([{ id: 'a', queue: 'default', token: 't' }], 1_200);
      expect(answers).toMatchObject([{ ok: false, reason: 'error' }]);
      expect(performance.now() - began).toBeLessThan(1_500);
    },
    LONG_MS,
  );

  it('reaches a server that was named by a client of the application', async () => {
    const client = new Redis(place.url!, { lazyConnect: true, keyPrefix: 'app:', retryStrategy: () => 1 });
    const backend = backends.open({}, { url: undefined, client } as RedisPlace);
    await push(backend, entry());
    const [job] = await backend.queue!.reserve(request);
    watch = await openWatch(structuredClone(backend.watch!.data));
    expect(await watch.renew([job!], 60_000)).toEqual([{ ok: true }]);
    client.disconnect();
  });

  it('is not there where the servers are given by what no thread can be handed', () => {
    expect(
      backends.open({}, { url: undefined, options: { tls: { checkServerIdentity: () => undefined } } } as RedisPlace)
        .watch,
    ).toBeUndefined();
  });
});

describeRedis('the watch of a connection to a redis cluster', () => {
  const shared = new SharedRedisBackends('cluster');
  afterAll(() => shared.drop());

  it(
    'reaches queues of different slots',
    async () => {
      const backend = await shared.backend();
      await push(backend, entry({ queue: 'mails' }), entry());
      const jobs = await backend.queue!.reserve(request);
      expect(jobs).toHaveLength(2);
      const watch = await openWatch(structuredClone(backend.watch!.data));
      expect(await watch.renew(jobs, 60_000)).toEqual([{ ok: true }, { ok: true }]);
      const back = await watch.release(jobs.map((job) => ({ ...job, delayMs: 0, countAttempt: false })));
      expect(back).toEqual([{ ok: true }, { ok: true }]);
      await watch.close();
    },
    START_LIMIT_MS,
  );
});
