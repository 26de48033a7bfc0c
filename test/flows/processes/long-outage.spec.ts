import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Gauges } from '../../fixtures/processes/gauges.js';
import { buildFixture } from '../../support/build-fixture.js';
import { freshRedis } from '../../support/shared-redis.js';
import { freshDatabase, START_LIMIT_MS } from '../../support/shared-servers.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Site, SITE_STORES, type Child } from './site.js';

/** Ten minutes of the worker's time, and the two before them in which it comes to rest. */
const FACTOR = 40;
const MINUTE_MS = 60_000 / FACTOR;
const MINUTES = 10;
const STORES = SITE_STORES.filter((store) => store !== 'sqlite');

interface Watched {
  /** Of the worker's time. */
  readonly minutes: number;
  readonly heapMb: number;
  readonly resources: number;
  /** How often it called, of its own, in those minutes. */
  readonly calls: number;
  readonly said: readonly string[];
  readonly all: string;
  readonly code: number | null;
}

const watched = new Map<string, Watched>();
const over: (() => Promise<unknown>)[] = [];

// All stores at the same time: it is the waiting that takes long.
beforeAll(async () => {
  await Promise.all(STORES.map(async (store) => watched.set(store, await watch(store))));
}, 2 * START_LIMIT_MS);
afterAll(async () => {
  for (const end of over) await end();
}, START_LIMIT_MS);

describe('a worker whose server is away for ten minutes', () => {
  it.each(STORES)('calls it every few seconds, and holds no more than before: %s', (store) => {
    const { minutes, heapMb, resources, calls } = watched.get(store)!;
    expect(minutes).toBeGreaterThan(MINUTES * 0.9);
    expect(heapMb).toBeLessThan(2);
    expect(resources).toBeLessThanOrEqual(3);
    // Several connections, each with a back-off that ends at three seconds.
    expect(calls).toBeGreaterThan(minutes * 2);
    expect(calls).toBeLessThan(minutes * 60 * 4);
  });

  it.each(STORES)('says what it cannot do a few times a minute, and not with every try: %s', (store) => {
    const { minutes, said, all } = watched.get(store)!;
    // The looks for jobs, for marks, and for what others left behind; a reason may have two wordings.
    expect(said.length).toBeLessThanOrEqual(minutes * 2 * 4);
    expect(all).toMatch(/ WARN /);
    expect(all).not.toMatch(/unhandled|uncaught|no job owns| ERROR /i);
  });

  it.each(STORES)('works the next job when it is back, and ends as ever: %s', (store) => {
    expect(watched.get(store)!.code).toBe(0);
  });
});

async function watch(store: (typeof SITE_STORES)[number]): Promise<Watched> {
  const fresh = await (store === 'redis' ? freshRedis() : freshDatabase(store as 'postgres' | 'mariadb'));
  const proxy = await TcpProxy.to(Number(new URL(fresh.url).port));
  const told = (url: string) =>
    'prefix' in fresh ? { SITE_REDIS: JSON.stringify({ url, prefix: fresh.prefix }) } : { QUEUE_DATABASE_URL: url };
  const site = await Site.open();
  over.push(async () => {
    await site.close();
    await proxy.close();
    await fresh.drop();
  });
  const { folder } = await buildFixture('processes', 'test/fixtures/processes');
  if (store !== 'redis') {
    const install = site.start('../lib/cli/bin', 'cli', ['queue:install', `--app=${folder}/app.module.js`], {
      env: told(fresh.url),
    });
    if ((await install.ended).code !== 0) throw new Error(install.err);
  }
  const worker = site.start('worker', 'worker', [], {
    env: { ...told(proxy.url(fresh.url)), TIME_FACTOR: String(FACTOR) },
    node: ['--expose-gc', '--import', join(folder, 'fast-time.js')],
  });
  await site.working('worker', worker);
  proxy.refuse();
  writeFileSync(join(site.folder, 'fast-time'), '');
  await sleep(2 * MINUTE_MS);
  const before = await gauge(site, worker);
  const [calls, at] = [proxy.accepted, worker.err.length];
  await sleep(MINUTES * MINUTE_MS);
  const after = await gauge(site, worker);
  const called = proxy.accepted - calls;
  const said = worker.err.slice(at).split('\n').filter(Boolean);
  rmSync(join(site.folder, 'fast-time'));
  proxy.restore();
  const producer = await site.producer('producer', told(fresh.url));
  const [id] = await producer.dispatch(['Tick']);
  await site.seen('processed', id!);
  const { code, err } = await worker.end('SIGTERM');
  return {
    minutes: (after.at - before.at) / 60_000,
    heapMb: (after.info.heap - before.info.heap) / 1_048_576,
    resources: after.info.resources - before.info.resources,
    calls: called,
    said,
    all: err,
    code,
  };
}

async function gauge(site: Site, worker: Child) {
  const before = site.lines('gauge').length;
  worker.kill('SIGIO');
  await site.until('a gauge', () => site.lines('gauge').length > before);
  const { at, info } = site.lines('gauge').at(-1)!;
  return { at, info: info as Gauges };
}
