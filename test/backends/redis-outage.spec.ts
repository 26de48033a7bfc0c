import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ackAll, entries, entry, LONG_MS, push, settled, sleep } from './redis-harness.js';
import { left, ProxiedRedis } from './redis-proxied.js';
import { request } from './sqlite-harness.js';

describeRedis('redis: the server itself', () => {
  const redis = new ProxiedRedis();
  const { direct } = redis;
  beforeAll(() => redis.begin(), START_LIMIT_MS);
  afterEach(() => redis.clean(), LONG_MS);
  afterAll(() => redis.end(), LONG_MS);

  it(
    'starts while it is down, and works once it is up',
    async () => {
      await redis.server.stop('SIGKILL');
      const early = direct.open({ dispatchTimeoutMs: 500 });
      const { error } = await settled(early.queue!.push([entry()]));
      expect((error as Error).message).toMatch(/Nothing was stored/);
      const reserving = settled(early.queue!.reserve(request({ waitMs: 100 })));
      expect((await reserving).error).toMatchObject({ code: 'ERR_QUEUE_STORE_UNREACHABLE', transient: true });
      await redis.server.start();
      // Where the machine is busy half a second may pass before the connection is there.
      let late = await settled(early.queue!.push([entry()]));
      const end = performance.now() + 3_000;
      while (late.error !== undefined && performance.now() < end) late = await settled(early.queue!.push([entry()]));
      expect(late.error).toBeUndefined();
      await ackAll(early, await early.queue!.reserve(request()));
    },
    LONG_MS,
  );

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'is restarted by %s while jobs are held: their leases go on',
    async (signal) => {
      const worker = direct.open();
      await push(worker, ...entries(2));
      const [held] = await worker.queue!.reserve(request({ limit: 1 }));
      await redis.server.restart({ signal, downMs: 300 });
      expect(await worker.queue!.leases!.renew([held!], 30_000)).toEqual([{ ok: true }]);
      const {
        settled: [answer],
        jobs,
      } = await worker.queue!.exchange!([{ kind: 'ack', job: held! }], request());
      expect([answer, jobs.length]).toEqual([{ ok: true }, 1]);
      await ackAll(worker, jobs);
    },
    LONG_MS,
  );

  it(
    'is killed under load, three times: nothing that was answered is lost, and only what was in hand comes twice',
    async () => {
      const [producer, worker] = [direct.open({ dispatchTimeoutMs: 3_000 }), direct.open()];
      const answered = new Set<string>();
      const unknown = new Set<string>();
      const taken = new Map<string, number>();
      const acked = new Set<string>();
      let on = true;
      const producing = (async () => {
        while (on) {
          const some = entries(5);
          const { error } = await settled(producer.queue!.push(some));
          const to = error === undefined ? answered : unknown;
          for (const { id } of some) to.add(id);
          await sleep(2);
        }
      })();
      let unsettled = 0;
      const work = async (until: () => boolean): Promise<void> => {
        while (!until()) {
          const { value: jobs = [] } = await settled(
            worker.queue!.reserve(request({ limit: 10, leaseMs: 2_000, waitMs: 300 })),
          );
          for (const { id } of jobs) taken.set(id, (taken.get(id) ?? 0) + 1);
          const results = await worker.queue!.settle(jobs.map((job) => ({ kind: 'ack' as const, job })));
          results.forEach(({ ok }, at) => (ok ? acked.add(jobs[at]!.id) : (unsettled += 1)));
        }
      };
      const working = work(() => !on);
      for (let kill = 0; kill < 3; kill += 1) {
        await sleep(700);
        await redis.server.restart({ signal: 'SIGKILL', downMs: 200 });
      }
      await sleep(700);
      on = false;
      await Promise.all([producing, working]);
      const end = performance.now() + 10_000;
      const gone = async (): Promise<boolean> => (await left(worker)) === 0;
      while (!(await gone()) && performance.now() < end) {
        const stop = performance.now() + 300;
        await work(() => performance.now() > stop);
      }
      expect(await left(worker)).toBe(0);
      expect(answered.size).toBeGreaterThan(100);
      expect([...answered].filter((id) => !taken.has(id))).toEqual([]);
      const again = [...taken.values()].filter((times) => times > 1).length;
      // What a kill finds in hand: of one claim, or of one settlement without an answer.
      expect(again).toBeLessThanOrEqual(3 * 10 * 2);
      expect([...taken.keys()].filter((id) => !answered.has(id) && !unknown.has(id))).toEqual([]);
      expect(acked.size + unsettled).toBeGreaterThanOrEqual(answered.size);
    },
    LONG_MS,
  );

  it(
    'is away for longer than a wait lasts: the worker is woken by the next job, at once',
    async () => {
      const worker = direct.open({}, { blockFor: 1 });
      const waiting = settled(worker.queue!.reserve(request({ waitMs: 30_000 })));
      await sleep(300);
      await redis.server.restart({ signal: 'SIGKILL', downMs: 6_500 });
      const jobs = waiting.then(
        async ({ value }) => value ?? (await worker.queue!.reserve(request({ waitMs: 15_000 }))),
      );
      // Back on its feet: clients wait up to 3 s between two tries.
      await sleep(3_500);
      const at = performance.now();
      await push(direct.open(), entry());
      await ackAll(worker, await jobs);
      expect(performance.now() - at).toBeLessThan(1_000);
    },
    LONG_MS,
  );
});
