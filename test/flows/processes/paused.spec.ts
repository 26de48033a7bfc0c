import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { START_LIMIT_MS } from '../../support/shared-servers.js';
import { Site, SITE_STORES, siteServer, type Child, type SiteStore } from './site.js';
import { openBook, settingsOf, spent, type Spent } from './spent.js';

const SETTLE_MS = 3_000;
const WATCHED_MS = 9_000;
/** What has expired is looked for now and then, which may fall into the time that is watched. */
const SWEEP = 5;
const SERVERS = SITE_STORES.filter((store) => store !== 'sqlite');

interface Watched {
  readonly idle: Spent;
  /** Of a server. */
  readonly queries?: number;
  /** How often the job had begun: while it was paused, and with the worker that began behind the store's restart. */
  readonly begun: readonly number[];
  readonly ended: readonly (number | null)[];
}

const watched = new Map<SiteStore, Watched>();
const over: (() => Promise<void>)[] = [];

// All stores at the same time: it is the waiting that takes long.
beforeAll(async () => {
  await Promise.all(SITE_STORES.map(async (store) => watched.set(store, await watch(store))));
}, 2 * START_LIMIT_MS);
afterAll(async () => {
  for (const end of over) await end();
}, START_LIMIT_MS);

describe('a worker whose connection is paused', () => {
  it.each(SITE_STORES)('on %s uses less than 2 %% of a CPU', (store) => {
    expect(watched.get(store)!.idle.cpu).toBeLessThan(0.02);
  });

  it.each(SERVERS)('asks %s once a second at most', (store) => {
    const { idle, queries } = watched.get(store)!;
    expect(queries).toBeGreaterThan(0);
    expect(queries).toBeLessThanOrEqual(Math.ceil(idle.seconds) + SWEEP);
  });

  it.each(SITE_STORES)('takes nothing, also behind a restart of %s, until queue:resume', (store) => {
    const { begun, ended } = watched.get(store)!;
    expect(begun).toEqual([0, 0, 1]);
    expect(ended).toEqual([0, 0]);
  });
});

async function watch(store: (typeof SITE_STORES)[number]): Promise<Watched> {
  const server = store === 'sqlite' ? undefined : await siteServer(store, settingsOf(store));
  const site = server ? await Site.on(server) : await Site.open();
  over.push(async () => {
    await site.close();
    await server?.close();
  });
  const connection = `--connection=${store === 'redis' ? 'redis' : 'database'}`;
  const first = await pausedWorker(site, 'first', () => command(site, 'queue:pause', connection));
  const producer = await site.producer();
  const [id] = await producer.dispatch(['Tick']);
  await producer.child.end('SIGTERM');
  const begun = [];

  const book = server && (await openBook(server));
  await sleep(SETTLE_MS);
  const asked = await book?.read();
  const idle = await spent(site, first, WATCHED_MS);
  const queries = book && (await book.read()) - asked!;
  await book?.close();
  begun.push(site.lines('start', id).length);

  const ended = [(await first.end('SIGTERM')).code];
  await server?.stop();
  await server?.start();
  const second = await pausedWorker(site, 'second');
  begun.push(site.lines('start', id).length);
  await command(site, 'queue:resume', connection);
  await site.seen('processed', id!);
  begun.push(site.lines('start', id).length);
  ended.push((await second.end('SIGTERM')).code);
  return { idle, ...(queries !== undefined && { queries }), begun, ended };
}

/** One that has seen that its queue is paused. */
async function pausedWorker(site: Site, name: string, pause?: () => Promise<void>): Promise<Child> {
  const worker = site.start('worker', name, [], { node: ['--expose-gc'] });
  await site.working(name, worker);
  await pause?.();
  await site.until('a paused queue', () => /\bpaused\b/i.test(worker.err));
  return worker;
}

async function command(site: Site, ...args: string[]): Promise<void> {
  const { code, err } = await site.start('commands', args[0]!, args).ended;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${err}`);
}
