import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Job, JobFailed, Queueable, Tries, type QueueModuleOptions } from 'nestjs-queue';
import Database from 'libsql';
import type { ConnectionManager } from '../../lib/connections/connection-manager.js';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { findServer } from '../support/servers.mjs';
import { freshRedis, START_LIMIT_MS, type FreshRedis } from '../support/shared-redis.js';
import { onStores } from './on-stores.js';
import { closeApps, openApp, sqliteOptions, until, type Opened } from './open-app.js';

let ran: string[] = [];
let broken = true;

@Job()
@Tries(1)
class Send extends Queueable {
  constructor(readonly to: string) {
    super();
  }
  handle(): void {
    ran.push(this.to);
    if (broken) throw new Error(`no way to ${this.to}`);
  }
}

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'queue-failed-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  ran = [];
  broken = true;
});
afterEach(closeApps);

type Failed = NonNullable<QueueModuleOptions['failed']>;

/** Every store of failed jobs, beside a queue that is somewhere else. */
const HAS_REDIS = process.env['REQUIRE_ALL'] === '1' || findServer('redis') !== undefined;
let redis: FreshRedis | undefined;
beforeAll(async () => void (redis = HAS_REDIS ? await freshRedis() : undefined), START_LIMIT_MS);
afterAll(async () => redis?.drop(), START_LIMIT_MS);

const storesOf = (at: Opened): ConnectionManager => at.app.get<QueueRuntime>(QUEUE_RUNTIME).connections;
const PLACES: readonly (readonly [string, () => Failed])[] = [
  ['a database of its own', () => ({ driver: 'database', connection: 'reports', table: 'lost_jobs' })],
  ['memory', () => ({ driver: 'memory' })],
  ['a file', () => ({ driver: 'file', path: join(folder, 'failed.json') })],
  ...(HAS_REDIS ? [['Redis', (): Failed => ({ driver: 'redis', connection: 'cache' })] as const] : []),
];
if (!HAS_REDIS) console.info('Failed jobs on Redis are left out: there is no Redis here.');

onStores('failed jobs elsewhere', (connection) => {
  const open = (failed: Failed): Promise<Opened> =>
    openApp('memory', {
      providers: [Send],
      options: {
        default: 'jobs',
        failed,
        connections: {
          jobs: connection() as never,
          reports: sqliteOptions(folder) as never,
          ...(redis && { cache: { driver: 'redis', url: redis.url, prefix: redis.prefix } }),
        },
      },
    });

  it.each(PLACES)('are recorded in %s, listed, retried, and gone', async (_, failed) => {
    const at = await open(failed());
    const receipts = [await at.bus.dispatch(new Send('a')), await at.bus.dispatch(new Send('b'))];
    await at.drain();
    expect(ran.splice(0)).toEqual(['a', 'b']);
    const records = await at.failed.all();
    expect(records.map(({ id }) => id).sort()).toEqual(receipts.map((one) => one!.id).sort());
    expect(records[0]).toMatchObject({ connection: 'jobs', queue: 'default', name: 'Send' });
    expect(records[0]!.exception).toMatch(/^Error: no way to [ab]\n/);
    expect(await at.failed.count({ queue: 'default', connection: 'jobs' })).toBe(2);

    // One that fails again has a record again, and a later moment.
    const [again] = records;
    expect(await at.failed.retry(again!.id)).toBe(true);
    await at.drain();
    const now = await at.failed.find(again!.id);
    expect(now!.failedAt.getTime()).toBeGreaterThan(again!.failedAt.getTime());
    expect(await at.failed.count()).toBe(2);

    broken = false;
    ran = [];
    expect(await at.failed.retryAll()).toBe(2);
    expect(await at.failed.count()).toBe(0);
    await at.drain();
    expect(ran.sort()).toEqual(['a', 'b']);
    expect(await at.failed.count()).toBe(0);

    broken = true;
    await at.bus.dispatch(new Send('c'));
    await at.drain();
    expect(await at.failed.forget((await at.failed.all())[0]!.id)).toBe(true);
    await at.bus.bulk([new Send('d'), new Send('e')]);
    await at.drain();
    expect(await at.failed.flush()).toBe(2);
  });

  it('are kept nowhere where the driver is null', async () => {
    const at = await open({ driver: 'null' });
    const receipt = await at.bus.dispatch(new Send('a'));
    await at.drain();
    expect(at.seen.some((event) => event instanceof JobFailed)).toBe(true);
    expect([await at.failed.count(), await at.failed.all(), await at.failed.find(receipt!.id)]).toEqual([0, [], null]);
    expect([await at.failed.retry(receipt!.id), await at.failed.retryAll()]).toEqual([false, 0]);
    expect([await at.failed.forget(receipt!.id), await at.failed.prune(), await at.failed.flush()]).toEqual([
      true,
      0,
      0,
    ]);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('a job whose record could not be forgotten takes it with it when it is done, and only that record', async () => {
    const at = await open({ driver: 'file', path: join(folder, 'kept.json') });
    await at.bus.bulk([new Send('a'), new Send('b')]);
    await at.drain();
    const records = await at.failed.all();
    const store = await storesOf(at).failed();
    const forget = store.forget.bind(store);
    // As for a process that is killed between push and forget.
    store.forget = () => Promise.reject(new Error('gone'));
    await expect(at.failed.retryAll()).rejects.toThrow('gone');
    store.forget = forget;
    expect([await at.failed.count(), (await at.manager.connection().size()).pending]).toEqual([2, 2]);
    broken = false;
    ran = [];
    // Still queued: nothing is stored twice.
    expect(await at.failed.retry(records[0]!.id)).toBe(true);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 2 });
    await at.drain();
    expect(ran.sort()).toEqual(['a', 'b']);
    expect(await at.failed.count()).toBe(0);
    expect(await at.failed.retry(records[1]!.id)).toBe(false);
  });

  it('a job that fails again before its retry has forgotten it keeps its new record', async () => {
    const at = await open({ driver: 'memory' });
    const receipt = await at.bus.dispatch(new Send('a'));
    await at.drain();
    const store = await storesOf(at).failed();
    const forget = store.forget.bind(store);
    store.forget = async (ids, failedAt) => {
      await at.drain();
      return forget(ids, failedAt);
    };
    expect(await at.failed.retry(receipt!.id)).toBe(true);
    expect(ran).toEqual(['a', 'a']);
    expect((await at.failed.find(receipt!.id))?.payload).toContain('"retried":');
  });
});

describe('the place of failed jobs', () => {
  it('in a database has a table of its own name, made as the others', async () => {
    const dir = mkdtempSync(join(folder, 'misses-'));
    const at = await openApp('memory', {
      providers: [Send],
      dir,
      options: { default: 'memory', failed: { driver: 'database', table: 'misses' } },
    });
    await at.bus.dispatch(new Send('a'));
    await at.drain();
    expect(await at.failed.count()).toBe(1);
    await at.app.close();
    const database = new Database(join(dir, 'queue.sqlite'));
    const tables = database.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all([]) as {
      name: string;
    }[];
    database.close();
    expect(tables.map(({ name }) => name)).toContain('misses');
    expect(tables.map(({ name }) => name)).not.toContain('failed_jobs');
  });

  it('is told of by a worker before it works where it cannot be written', async () => {
    const path = join(folder, 'none', 'failed.json');
    const at = await openApp('memory', { providers: [Send], options: { failed: { driver: 'file', path } } });
    // A producer opens nothing.
    await at.bus.dispatch(new Send('a'));
    await expect(at.drain()).rejects.toThrow(
      `The file of failed jobs ${path} cannot be written (ENOENT). Its folder is not there: make it, or name another file by failed.path. That is where failed jobs are kept, as the option failed says.`,
    );
    expect(ran).toEqual([]);
  });

  it('keeps jobs in their queue while it is away, and records them once it is back', async () => {
    const path = join(folder, 'away.json');
    const at = await openApp('memory', { providers: [Send], options: { failed: { driver: 'file', path } } });
    await at.bus.dispatch(new Send('a'));
    const store = await storesOf(at).failed();
    const record = store.record.bind(store);
    let refused = 0;
    store.record = () => Promise.reject(new Error(`away ${(refused += 1)}`));
    await at.drain();
    expect([refused, (await at.manager.connection().size()).delayed, existsSync(path)]).toEqual([1, 1, false]);
    store.record = record;
    await until(async () => (await at.drain(), existsSync(path)), 'the record', 10_000);
    expect(ran).toEqual(['a']);
    expect(readFileSync(path, 'utf8')).toContain('no way to a');
  }, 20_000);

  it.each<[string, object, RegExp]>([
    [
      'dynamodb, which is not there',
      { driver: 'dynamodb' },
      /^failed\.driver is "dynamodb", which this version does not have\. There are database, redis, file, memory and null; bring/,
    ],
    [
      'an unknown driver',
      { driver: 'mongo' },
      /^failed\.driver is "mongo"\. Use one of database, redis, dynamodb, file, memory, null\.$/,
    ],
    [
      'a path on redis',
      { driver: 'redis', path: 'x' },
      /^failed\.path goes with the driver file, and failed\.driver is redis\. Leave it out/,
    ],
    [
      'a table on file',
      { driver: 'file', table: 'x' },
      /^failed\.table goes with the driver database, and failed\.driver is file\./,
    ],
    ['a limit on memory', { driver: 'memory', limit: 5 }, /^failed\.limit goes with the driver file, and/],
    [
      'a connection on null',
      { driver: 'null', connection: 'memory' },
      /^failed\.connection goes with the driver database or redis or memory, and/,
    ],
    ['a limit of none', { driver: 'file', limit: 0 }, /^failed\.limit is 0\. Give a whole number from 1 up\.$/],
    ['an empty path', { driver: 'file', path: ' ' }, /^failed\.path is " "\. Give a text that is not empty\.$/],
    [
      'a connection of another driver',
      { driver: 'redis', connection: 'memory' },
      /^failed\.connection is "memory"\. That connection's driver is memory/,
    ],
    ['a file as a connection', { driver: 'memory', file: {} }, /^failed\.file is not an option/],
  ])('refuses %s at boot, in one line', async (_, failed, message) => {
    await expect(openApp('memory', { options: { failed: failed as Failed } })).rejects.toThrow(message);
  });

  it('a connection cannot have the driver file: it keeps no queues', async () => {
    const at = await openApp('memory', { options: { connections: { notes: { driver: 'file' } as never } } });
    await expect(at.bus.dispatch(new Send('a')).onConnection('notes')).rejects.toThrow(/file driver has no queues/);
  });
});
