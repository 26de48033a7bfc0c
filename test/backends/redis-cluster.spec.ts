import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Backend } from '../../lib/contracts/backend.js';
import { startRedisCluster, type RedisCluster } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ackAll, entries, entry, LONG_MS, push, RedisBackends, settled, sleep } from './redis-harness.js';
import { request } from './sqlite-harness.js';

/** One of its jobs in each of several slots. */
const QUEUES = ['default', 'mails', 'reports', 'images'];

describeRedis('redis cluster: slots and nodes', () => {
  let cluster: RedisCluster;
  const backends = new RedisBackends(() => ({ cluster: { nodes: [...cluster.addresses] } }));
  beforeAll(async () => void (cluster = await startRedisCluster({ replicas: 1 })), START_LIMIT_MS);
  afterEach(async () => {
    await backends.close();
    for (const node of cluster.nodes) await node.start();
    await cluster.settled();
    for (const node of cluster.nodes) await node.command('FLUSHALL').catch(() => undefined);
  }, LONG_MS);
  afterAll(() => cluster.close(), LONG_MS);

  async function left(backend: Backend): Promise<number> {
    const sizes = await backend.queue!.size(QUEUES);
    return sizes.reduce((sum, { pending, delayed, reserved }) => sum + pending + delayed! + reserved!, 0);
  }

  /** Works all queues until told, and then until nothing is left: how often each job was taken, and which ends were accepted. */
  async function work(backend: Backend, leaseMs: number, more: () => boolean) {
    const taken = new Map<string, number>();
    const accepted: string[] = [];
    let idleSince: number | undefined;
    while (more() || idleSince === undefined || performance.now() - idleSince < 2 * leaseMs) {
      const wanted = request({ queues: QUEUES, limit: 10, leaseMs, waitMs: 300 });
      const { value: jobs = [] } = await settled(backend.queue!.reserve(wanted));
      for (const { id } of jobs) taken.set(id, (taken.get(id) ?? 0) + 1);
      await sleep(2);
      const results = await backend.queue!.settle(jobs.map((job) => ({ kind: 'ack' as const, job })));
      results.forEach(({ ok }, at) => ok && accepted.push(jobs[at]!.id));
      if (jobs.length > 0) idleSince = undefined;
      else idleSince ??= performance.now();
    }
    return { taken, accepted };
  }

  it('serves queues of different slots, earlier ones first, and wakes whoever waits for any of them', async () => {
    const worker = backends.open();
    const nodes = new Set(await Promise.all(QUEUES.map((name) => cluster.masterOf(`queue:{${name}}`))));
    expect(nodes.size).toBeGreaterThan(1);
    await push(worker, ...QUEUES.map((queue) => entry({ queue })));
    const jobs = await worker.queue!.reserve(request({ queues: [...QUEUES].reverse() }));
    expect(jobs.map(({ queue }) => queue)).toEqual([...QUEUES].reverse());
    await ackAll(worker, jobs);
    for (const queue of QUEUES) {
      const waiting = worker.queue!.reserve(request({ queues: QUEUES, waitMs: 10_000 }));
      await sleep(300);
      const at = performance.now();
      await push(backends.open(), entry({ queue }));
      await ackAll(worker, await waiting);
      // A look without the bell would come after five.
      expect([queue, performance.now() - at < 2_000]).toEqual([queue, true]);
    }
  });

  it('keeps all keys of a queue in one slot, whatever its name', async () => {
    const worker = backends.open();
    for (const queue of ['{default}', 'a{b}c', '{}', 'a:b', 'x/y']) {
      await push(worker, entry({ queue }), entry({ queue, delayMs: 200 }), entry({ queue, priority: 2 }));
      const jobs = await worker.queue!.reserve(request({ queues: [queue] }));
      expect(jobs).toHaveLength(2);
      const [answer] = await worker.queue!.settle([{ kind: 'release', job: jobs[0]!, delayMs: 0 }]);
      expect(answer).toEqual({ ok: true });
    }
  });

  it(
    'what a job leaves for other slots arrives: its record, its lock, the job behind it',
    async () => {
      const worker = backends.open();
      await worker.locks!.acquire('far', 'me', 60_000);
      await push(worker, entry());
      const [job] = await worker.queue!.reserve(request());
      const next = entry({ queue: 'reports' });
      const failure = {
        id: job!.id,
        connection: 'redis',
        queue: 'default',
        name: 'n',
        displayName: 'n',
        payload: job!.body,
        exception: 'Error: no',
        failedAt: new Date(),
      };
      const effects = { push: [next], unlock: [{ key: 'far', owner: 'me' }], failure };
      expect(await worker.queue!.settle([{ kind: 'ack', job: job!, effects }])).toEqual([{ ok: true }]);
      expect((await worker.failed!.find(job!.id))?.exception).toBe('Error: no');
      expect(await worker.locks!.owner('far')).toBeUndefined();
      expect((await worker.queue!.reserve(request({ queues: ['reports'], waitMs: 1_000 })))[0]?.id).toBe(next.id);
    },
    LONG_MS,
  );

  it(
    'a slot that moves under load: no job is lost, none stored twice, nobody stuck',
    async () => {
      const [producer, worker] = [backends.open(), backends.open()];
      const from = await cluster.masterOf('queue:{default}');
      const slot = await cluster.slotOf('queue:{default}');
      const others = [];
      for (const node of cluster.nodes) {
        const { role } = await node.info('replication');
        if (role === 'master' && node !== from) others.push(node);
      }
      let on = true;
      const pushed: string[] = [];
      const refused: unknown[] = [];
      const producing = (async () => {
        while (on) {
          const some = entries(3);
          const { error } = await settled(producer.queue!.push(some));
          if (error === undefined) pushed.push(...some.map(({ id }) => id));
          else refused.push(error);
          await sleep(3);
        }
      })();
      const working = work(worker, 1_500, () => on);
      await sleep(300);
      // At once, then key by key, so that the slot is split for a while; then home.
      await cluster.migrate(slot, from, others[0]!);
      await sleep(300);
      await cluster.migrate(slot, others[0]!, others[1]!, { pauseMs: 150 });
      await sleep(300);
      await cluster.migrate(slot, others[1]!, from);
      await sleep(300);
      on = false;
      await producing;
      const { taken, accepted } = await working;
      expect(refused).toEqual([]);
      expect(pushed.length).toBeGreaterThan(100);
      expect(pushed.filter((id) => !taken.has(id))).toEqual([]);
      expect(accepted).toHaveLength(new Set(accepted).size);
      expect(await left(worker)).toBe(0);
    },
    LONG_MS,
  );

  it(
    'a node that is killed and replaced by its replica: nothing that the replica had is lost, and no job is stuck',
    async () => {
      const [producer, worker] = [backends.open({ dispatchTimeoutMs: 8_000 }), backends.open()];
      const victim = await cluster.masterOf('queue:{default}');
      // Answered and replicated, before it happens.
      const before = QUEUES.flatMap((queue) => entries(50, { queue }));
      await push(producer, ...before);
      const held = await worker.queue!.reserve(request({ queues: ['default'], limit: 5, leaseMs: 6_000 }));
      for (const node of cluster.nodes) await node.command('WAIT', 1, 500).catch(() => undefined);
      await sleep(200);
      let on = true;
      const answered: string[] = [];
      const producing = (async () => {
        while (on) {
          const some = QUEUES.map((queue) => entry({ queue }));
          const { error } = await settled(producer.queue!.push(some));
          if (error === undefined) answered.push(...some.map(({ id }) => id));
          await sleep(20);
        }
      })();
      await victim.stop('SIGKILL');
      const killedAt = performance.now();
      const working = work(worker, 2_000, () => on);
      await cluster.settled();
      const renewed = await worker.queue!.leases!.renew(held, 30_000);
      expect(renewed).toEqual(held.map(() => ({ ok: true })));
      await ackAll(worker, held);
      await sleep(500);
      on = false;
      await producing;
      const { taken } = await working;
      expect(performance.now() - killedAt).toBeLessThan(25_000);
      const holding = new Set(held.map(({ id }) => id));
      expect(before.filter(({ id }) => !taken.has(id) && !holding.has(id))).toEqual([]);
      // All of these were answered by nodes that lived on: the killed one was dead before the first.
      expect(answered.length).toBeGreaterThan(0);
      expect(answered.filter((id) => !taken.has(id))).toEqual([]);
      expect(await left(worker)).toBe(0);
      // The wait for the queue of the lost node has moved, too.
      const waiting = worker.queue!.reserve(request({ waitMs: 10_000 }));
      await sleep(300);
      const at = performance.now();
      await push(producer, entry());
      await ackAll(worker, await waiting);
      expect(performance.now() - at).toBeLessThan(1_000);
    },
    LONG_MS,
  );

  it(
    'a slot without a node: its queue is waited for, and the others are served',
    async () => {
      const worker = backends.open({ dispatchTimeoutMs: 700 });
      await push(worker, ...QUEUES.map((queue) => entry({ queue })));
      const victim = await cluster.masterOf('queue:{default}');
      const served = [];
      for (const name of QUEUES) if ((await cluster.masterOf(`queue:{${name}}`)) !== victim) served.push(name);
      expect(served.length).toBeGreaterThan(0);
      process.kill(victim.pid!, 'SIGSTOP');
      try {
        const { error } = await settled(worker.queue!.push([entry()]));
        expect((error as Error).message).toMatch(/did not take the job within 700 ms/);
        const jobs = await worker.queue!.reserve(request({ queues: served, waitMs: 1_000 }));
        expect(jobs.map(({ queue }) => queue)).toEqual(served);
      } finally {
        process.kill(victim.pid!, 'SIGCONT');
      }
      await cluster.settled();
      const jobs = await worker.queue!.reserve(request({ waitMs: 8_000 }));
      expect(jobs.length).toBeGreaterThanOrEqual(1);
    },
    LONG_MS,
  );
});
