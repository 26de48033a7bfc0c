import { afterEach, expect, it } from '@jest/globals';
import {
  startRedisCluster,
  startRedisSentinel,
  type RedisCluster,
  type RedisSentinel,
} from '../../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../../support/shared-redis.js';
import { Site, type Child } from './site.js';

const WORKERS = 3;
const CONCURRENCY = 5;
const JOBS = 600;
/** A replica gets what its master has answered within a moment; what it had not got when that was killed is gone. */
const NOT_REPLICATED = 10;
/** With those whose end was not replicated. */
const IN_HAND = WORKERS * CONCURRENCY + NOT_REPLICATED;

let site: Site | undefined;
let servers: RedisCluster | RedisSentinel | undefined;
afterEach(async () => {
  await site?.close();
  await servers?.close();
}, START_LIMIT_MS);

/** Works a stream of jobs and lets something happen in the middle of it: how many of them were lost, and how often one ran again. */
async function through(
  running: Site,
  happens: () => Promise<unknown>,
): Promise<{ readonly lost: number; readonly again: number }> {
  const producer = await running.producer();
  const names = Array.from({ length: WORKERS }, (_, n) => `worker ${n}`);
  const workers: Child[] = await Promise.all(
    names.map(async (name) => {
      const worker = running.start('worker', name, ['--sleep=200ms', `--concurrency=${CONCURRENCY}`]);
      await running.working(name, worker);
      return worker;
    }),
  );
  const processed = (): number => new Set(running.lines('processed').map(({ id }) => id)).size;
  const flood = producer.order({ kind: 'persist', job: ['Stroll', 20], count: JOBS, width: 4, pauseMs: 5 });
  await running.until('a third of them', () => processed() > JOBS / 3);
  await happens();
  const { ids, errors } = await flood;
  for (const error of errors) expect(error).toMatch(/^ERR_QUEUE_(DISPATCH_TIMEOUT|STORE_UNREACHABLE): /);
  // No job is stuck, whatever its state was when it happened.
  await running.until('an empty queue', async () => (await running.left()).jobs === 0);
  await running.until('rest', () => processed() >= ids.length - NOT_REPLICATED);

  const lines = running.lines();
  const done = new Set(lines.filter(({ what }) => what === 'processed').map(({ id }) => id));
  expect(await running.left()).toEqual({ jobs: 0, failed: 0 });
  for (const worker of workers) {
    const { code, err } = await worker.end('SIGTERM');
    expect(code).toBe(0);
    expect(err).not.toMatch(/unhandled|uncaught|no job owns| ERROR /i);
  }
  const lost = ids.filter((id) => !done.has(id)).length;
  return { lost, again: lines.filter(({ what }) => what === 'start').length - done.size };
}

describeRedis('workers on a Redis that fails over', () => {
  it('a cluster whose node is killed: its replica takes over, and no job is stuck', async () => {
    const cluster = await startRedisCluster({ replicas: 1 });
    servers = cluster;
    site = await Site.on(cluster, { RETRY_AFTER: '3', DISPATCH_TIMEOUT: '3' });
    const { lost, again } = await through(site, async () => {
      const victim = await cluster.masterOf('{default}');
      await victim.stop('SIGKILL');
      await cluster.settled();
    });
    expect(lost).toBeLessThanOrEqual(NOT_REPLICATED);
    expect(again).toBeLessThanOrEqual(IN_HAND);
  }, 90_000);

  it('a cluster whose slot moves, there and back: each job runs once', async () => {
    const cluster = await startRedisCluster();
    servers = cluster;
    site = await Site.on(cluster, { RETRY_AFTER: '3', DISPATCH_TIMEOUT: '5' });
    const moved = await through(site, async () => {
      const from = await cluster.masterOf('{default}');
      const to = cluster.nodes.find((node) => node !== from)!;
      const slot = await cluster.slotOf('{default}');
      await cluster.migrate(slot, from, to, { pauseMs: 50 });
      await cluster.migrate(slot, to, from, { pauseMs: 50 });
    });
    expect(moved).toEqual({ lost: 0, again: 0 });
  }, 90_000);

  it('a primary that is killed: the sentinel names the next one, and no job is stuck', async () => {
    const group = await startRedisSentinel();
    servers = group;
    site = await Site.on(group, { RETRY_AFTER: '3', DISPATCH_TIMEOUT: '3' });
    const { lost, again } = await through(site, async () => {
      const primary = await group.primary();
      await primary!.stop('SIGKILL');
      await group.promoted(primary);
    });
    expect(lost).toBeLessThanOrEqual(NOT_REPLICATED);
    expect(again).toBeLessThanOrEqual(IN_HAND);
  }, 90_000);
});
