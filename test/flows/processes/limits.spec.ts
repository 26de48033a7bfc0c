import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startRedis, type RedisServer } from '../../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../../support/shared-redis.js';
import { Site, LEFT_OUT_OF_SWEEPS, SWEPT_STORES, type Child } from './site.js';

const WORKERS = 4;
const CONCURRENCY = 8;
const LEASE_MS = 1_000;
const SWEEP_MS = 500;
/** Not promised: what a machine with more processes than cores may add, and the release of the job that waits. */
const MACHINE_MS = 1_500;

let site: Site;
let server: RedisServer | undefined;
afterEach(async () => {
  await site?.close();
  await server?.close();
  server = undefined;
}, START_LIMIT_MS);

async function dispatched(...wanted: readonly (readonly [name: string, count: number, ...args: unknown[]])[]) {
  const producer = site.start(
    'limited-producer',
    'producer',
    wanted.map((one) => JSON.stringify(one)),
  );
  const ids = await producer.message<readonly string[]>();
  await producer.ended;
  return ids;
}

async function worker(name: string, concurrency = CONCURRENCY, env: object = {}): Promise<Child> {
  const started = site.start('limited-worker', name, ['-q', '--sleep=50ms', `--concurrency=${concurrency}`], { env });
  await site.working(name, started);
  return started;
}

const workers = (): Promise<Child[]> => Promise.all(Array.from({ length: WORKERS }, (_, n) => worker(`worker ${n}`)));

if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

describe.each(SWEPT_STORES)('limits over four processes on %s', (store) => {
  it('a window never lets more through than its limit, and every job gets through', async () => {
    site = await Site.open({}, store);
    const ids = await dispatched(['Ten', 45]);
    await workers();
    await site.until('all of them', (lines) => lines.filter(({ what }) => what === 'start').length >= 45);
    await sleep(200);
    const starts = site.lines('start').toSorted((one, other) => one.at - other.at);
    expect(starts.map(({ id }) => id!).toSorted()).toEqual([...ids].toSorted());
    // The first window began no sooner than somebody asked, and each lasts a second: so many can have begun by then.
    const began = Math.min(...site.lines('ask').map(({ at }) => at));
    const tooMany = starts.filter(({ at }, index) => index + 1 > 10 * (Math.floor((at - began) / 1_000) + 1));
    expect(tooMany).toEqual([]);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);

  it('two limits are taken together or not at all: what is refused burns nothing', async () => {
    site = await Site.open({}, store);
    const all = await workers();
    expect(all).toHaveLength(WORKERS);
    await dispatched(['Two', 100, false]);
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    expect(site.lines('start')).toHaveLength(12);
    await dispatched(['Two', 60, true]);
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    expect(site.lines('start').filter(({ info }) => info === true)).toHaveLength(40 - 12);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);

  it('WithoutOverlapping: never two at a time; the lock of a killed worker ends with its lease', async () => {
    site = await Site.open({ RETRY_AFTER: String(LEASE_MS / 1_000) }, store);
    const [long] = await dispatched(['Lonely', 1, 60_000]);
    const dying = await worker('dying', 1);
    await site.seen('start', long!);
    const [next] = await dispatched(['Lonely', 1, 0]);
    await worker('living');
    // Longer than the lease: the lock is renewed with it.
    await sleep(LEASE_MS + SWEEP_MS + 500);
    expect(site.lines('start', next)).toEqual([]);
    expect(site.lines('released', next).length).toBeGreaterThan(0);

    const killedAt = Date.now();
    await dying.end('SIGKILL');
    const started = await site.seen('start', next!);
    expect(started.at - killedAt).toBeLessThan(LEASE_MS + SWEEP_MS + MACHINE_MS);
    // What was released is told as processed, too.
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    for (const id of [long!, next!]) expect(site.lines('end', id)).toHaveLength(1);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);
});

describeRedis('locks and limits on a Redis that goes away', () => {
  it('jobs are put off without losing their only try, and run when it is back', async () => {
    server = await startRedis({ durable: true });
    site = await Site.open({ LOCKS_REDIS: server.url });
    await server.stop();
    const ids = await dispatched(['Guarded', 1, 1], ['Guarded', 1, 2], ['Guarded', 1, 3]);
    await worker('worker');
    const those = (what: string) => new Set(site.lines(what).map(({ id }) => id)).size;
    await site.until('the releases', () => those('released') === 3);
    expect(site.lines('start')).toEqual([]);
    expect(await site.stored()).toEqual(ids.map(() => ({ attempts: 0, reserved: false })));
    await server.start();
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    expect(site.lines('start').map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 120_000);
});
