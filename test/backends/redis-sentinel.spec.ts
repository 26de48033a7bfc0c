import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { startRedisSentinel, type RedisSentinel } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ackAll, entries, entry, LONG_MS, push, RedisBackends, settled, sleep } from './redis-harness.js';
import { request } from './sqlite-harness.js';

describeRedis('redis behind a sentinel', () => {
  let group: RedisSentinel;
  const backends = new RedisBackends(() => ({ options: group.options }));
  beforeEach(async () => void (group = await startRedisSentinel()), START_LIMIT_MS);
  afterEach(async () => {
    await backends.close();
    await group.close();
  }, LONG_MS);

  it(
    'works on the primary, and on the next one after it was killed: what was replicated is all there',
    async () => {
      const [producer, worker] = [backends.open({ dispatchTimeoutMs: 8_000 }), backends.open()];
      const before = entries(100);
      await push(producer, ...before);
      const held = await worker.queue!.reserve(request({ limit: 5 }));
      const primary = await group.primary();
      await group.replicated();
      const waiting = settled(worker.queue!.reserve(request({ queues: ['later'], waitMs: 30_000 })));

      await primary!.stop('SIGKILL');
      const killedAt = performance.now();
      const after = entry();
      const pushing = settled(producer.queue!.push([after]));
      const next = await group.promoted(primary);
      const { value, error } = await pushing;
      expect(error ?? value).toEqual([{ stored: true }]);
      expect(performance.now() - killedAt).toBeLessThan(10_000);
      expect(await worker.queue!.leases!.renew(held, 30_000)).toEqual(held.map(() => ({ ok: true })));
      await ackAll(worker, held);

      const taken = held.map(({ id }) => id);
      for (;;) {
        const jobs = await worker.queue!.reserve(request({ limit: 50 }));
        if (jobs.length === 0) break;
        taken.push(...jobs.map(({ id }) => id));
        await ackAll(worker, jobs);
      }
      expect(taken.sort()).toEqual([...before, after].map(({ id }) => id).sort());
      expect(Number(await next.command('DBSIZE'))).toBeGreaterThan(0);

      // The wait that was under way has moved with it.
      const at = performance.now();
      await push(producer, entry({ queue: 'later' }));
      const woken = await waiting;
      await ackAll(worker, woken.value ?? (await worker.queue!.reserve(request({ queues: ['later'], waitMs: 5_000 }))));
      expect(performance.now() - at).toBeLessThan(4_000);
    },
    LONG_MS,
  );

  it(
    'follows when the part is handed over while both are up, instead of staying with the old primary until that is demoted',
    async () => {
      const [producer, worker] = [backends.open({ dispatchTimeoutMs: 8_000 }), backends.open()];
      const stored: string[] = [];
      const unknown: string[] = [];
      let on = true;
      const producing = (async () => {
        while (on) {
          const one = entry();
          const { error } = await settled(producer.queue!.push([one]));
          (error === undefined ? stored : unknown).push(one.id);
          await sleep(5);
        }
      })();
      await sleep(300);
      const before = await group.primary();
      const next = await group.failover();
      expect(next).not.toBe(before);
      expect((await before!.info('replication')).role).toBe('master');
      await sleep(3_000);
      on = false;
      await producing;
      expect(stored.length).toBeGreaterThan(50);
      const taken = new Set<string>();
      for (;;) {
        const { value: jobs = [] } = await settled(worker.queue!.reserve(request({ limit: 100, waitMs: 500 })));
        if (jobs.length === 0) break;
        for (const { id } of jobs) taken.add(id);
        await ackAll(worker, jobs);
      }
      // Lost is what the old primary answered until its clients heard of the new one: one in every 5 ms. They may take a second for it.
      const lost = stored.filter((id) => !taken.has(id));
      expect(lost.length).toBeLessThan(250);
      expect(unknown.length).toBeLessThan(20);
    },
    LONG_MS,
  );
});
