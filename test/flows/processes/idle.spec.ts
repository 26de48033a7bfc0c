import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { START_LIMIT_MS } from '../../support/shared-servers.js';
import { Site, SITE_STORES, siteServer, type SiteStore } from './site.js';
import { openBook, settingsOf, spent, type Spent } from './spent.js';

/** Looks become seldom with the time that nothing is to do. */
const SETTLE_MS = 12_000;
const WATCHED_MS = 15_000;
/** Once a minute what has expired is looked for in five tables: seldom in the time that is watched, and never twice. */
const SWEEP = 5;

const GONE_MS = 3_000;
const OUTAGE_MS = 20_000;
const SERVERS = SITE_STORES.filter((store) => store !== 'sqlite');

interface Watched {
  readonly idle: Spent;
  /** From here on: of a server. */
  readonly queries?: number;
  readonly outage?: Spent;
  readonly said?: string;
  readonly backMs?: number;
  readonly code?: number | null;
}

const watched = new Map<SiteStore, Watched>();
const over: (() => Promise<void>)[] = [];

// All stores at the same time: it is the waiting that takes long.
beforeAll(async () => {
  await Promise.all(SITE_STORES.map((store) => watch(store)));
}, 2 * START_LIMIT_MS);
afterAll(async () => {
  for (const end of over) await end();
}, START_LIMIT_MS);

describe('an idle worker', () => {
  it.each(SITE_STORES)('on %s uses less than 2 %% of a CPU', (store) => {
    expect(watched.get(store)!.idle.cpu).toBeLessThan(0.02);
  });

  it.each(SERVERS)('asks %s once a second at most', (store) => {
    const { idle, queries } = watched.get(store)!;
    expect(queries).toBeGreaterThan(0);
    // A machine that has much else to do is late with the first looks, which are the frequent ones.
    expect(queries).toBeLessThanOrEqual(Math.ceil(idle.seconds * 1.5) + 2 * SWEEP);
  });
});

describe('a worker whose server has gone', () => {
  it.each(SERVERS)('uses next to nothing, and no more memory with time: %s', (store) => {
    const { outage } = watched.get(store)!;
    expect(outage!.cpu).toBeLessThan(0.03);
    expect(outage!.heapMb).toBeLessThan(2);
    expect(outage!.resources).toBeLessThanOrEqual(3);
  });

  it.each(SERVERS)('says the same thing once: %s', (store) => {
    const { said } = watched.get(store)!;
    const texts = said!
      .split('\n')
      .flatMap((line) => (line.includes('WARN') ? [line.slice(line.indexOf('WARN'))] : []));
    expect(texts.length).toBeGreaterThan(0);
    expect(texts.length).toBeLessThanOrEqual(8);
    expect(texts).toEqual([...new Set(texts)]);
    expect(said).not.toMatch(/unhandled|uncaught|no job owns/i);
    expect(said).not.toContain(' ERROR ');
  });

  it.each(SERVERS)('is back at work within five seconds, and ends as ever: %s', (store) => {
    const { backMs, code } = watched.get(store)!;
    expect(backMs).toBeLessThan(5_000);
    expect(code).toBe(0);
  });
});

async function watch(store: (typeof SITE_STORES)[number]): Promise<void> {
  const server = store === 'sqlite' ? undefined : await siteServer(store, settingsOf(store));
  const site = server ? await Site.on(server) : await Site.open();
  over.push(async () => {
    await site.close();
    await server?.close();
  });
  const worker = site.start('worker', 'idle', [], { node: ['--expose-gc'] });
  await site.working('idle', worker);
  const book = server && (await openBook(server));
  await sleep(SETTLE_MS);
  const asked = await book?.read();
  const idle = await spent(site, worker, WATCHED_MS);
  const queries = book && (await book.read()) - asked!;
  await book?.close();
  if (!server) return void watched.set(store, { idle });

  const producer = await site.producer();
  await server.stop();
  await sleep(GONE_MS);
  const outage = await spent(site, worker, OUTAGE_MS);
  const said = worker.err;
  await server.start();
  const upAt = Date.now();
  const [id] = await producer.dispatch(['Tick']);
  const backMs = (await site.seen('start', id!)).at - upAt;
  const { code } = await worker.end('SIGTERM');
  watched.set(store, { idle, queries: queries!, outage, said, backMs, code });
}
