import { describe, expect, it } from '@jest/globals';
import { nullFailedStore } from '../../../lib/connections/null-failed-store.js';
import { UnknownConnectionError } from '../../../lib/connections/connection-config.js';
import type { Backend, BackendContext } from '../../../lib/contracts/backend.js';
import { unlimited } from '../../../lib/contracts/driver-limits.js';
import type { QueueDriver } from '../../../lib/contracts/queue-driver.js';
import { memoryBackend } from '../../../lib/backends/memory/memory-backend.js';
import type { DriverLoader } from '../../../lib/connections/connection-manager.js';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import { InvalidOptionError, type QueueError } from '../../../lib/support/queue-error.js';
import { entryOf, openManager, outgoing } from './open-manager.js';

const bare = (more: object = {}): QueueDriver => ({
  limits: unlimited,
  push: (entries) => Promise.resolve(entries.map(() => ({ stored: true }))),
  reserve: () => Promise.resolve([]),
  settle: () => Promise.resolve([]),
  size: () => Promise.resolve([]),
  ...more,
});

describe('ConnectionManager', () => {
  it('opens nothing before it is used', async () => {
    const { manager, contexts } = openManager();
    expect(manager.defaultName).toBe('database');
    expect(manager.get()).toBe(manager.get('database'));
    expect(manager.names()).toEqual(['sync', 'null', 'deferred', 'memory', 'database']);
    manager.verifyDrivers();
    await manager.close();
    expect(contexts).toEqual([]);
  });

  it('refuses a connection that nobody configured', () => {
    const { manager } = openManager();
    expect(() => manager.get('nope')).toThrow(UnknownConnectionError);
  });

  it('tells a worker what keeps its failed jobs from being kept, unless the store is only away', async () => {
    let wrong: QueueError = new InvalidOptionError('The package libsql is not installed.');
    const broken: DriverLoader = () => (made: object, context: BackendContext) => ({
      ...memoryBackend(made, context),
      check: () => Promise.reject(wrong),
    });
    const { manager } = openManager({}, { drivers: { database: broken } });
    await expect(manager.checkStores('memory')).rejects.toThrow(
      'libsql is not installed. That is where failed jobs are kept, since the default connection is [database]: another one is named by default or QUEUE_CONNECTION.',
    );
    wrong = new StoreUnreachableError('database', 'a server', new Error('down'));
    await expect(manager.checkStores('memory')).resolves.toBeUndefined();
  });

  it('keeps everything with the default connection where that can', async () => {
    const { manager, contexts, warnings } = openManager({ default: 'memory' });
    const backend = await manager.get('memory').backend();
    expect(manager.sharesBackend('locks', 'memory')).toBe(false);
    await expect(manager.failed()).resolves.toBe(backend.failed);
    await expect(manager.batches()).resolves.toBe(backend.batches);
    await expect(manager.locks()).resolves.toBe(backend.locks);
    await expect(manager.limits()).resolves.toBe(backend.limits);
    await expect(manager.control()).resolves.toBe(backend.control);
    expect(manager.sharesBackend('locks', 'memory')).toBe(true);
    expect(manager.sharesBackend('failed', 'sync')).toBe(false);
    expect([contexts, warnings]).toEqual([['memory'], []]);
  });

  it('else with the first database connection', async () => {
    const { manager, contexts } = openManager({ default: 'sync', connections: { reports: { driver: 'database' } } });
    const failed = await manager.failed();
    expect(failed).toBe((await manager.get('reports').backend()).failed);
    expect(manager.sharesBackend('failed', 'reports')).toBe(true);
    expect(manager.sharesBackend('failed', 'sync')).toBe(false);
    expect(contexts).toEqual(['reports']);
  });

  it('else in memory, and says so once', async () => {
    const { manager, warnings } = openManager({ default: 'sync', connections: { database: { driver: 'null' } } });
    const [locks, failed] = [await manager.locks(), await manager.failed()];
    const memory = await manager.get('memory').backend();
    expect(locks).toBe(memory.locks);
    expect(failed).toBe(memory.failed);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('[sync]');
  });

  it('follows the options', async () => {
    const { manager } = openManager({
      default: 'memory',
      failed: { driver: 'null' },
      batching: { driver: 'database' },
      locks: { connection: 'database' },
    });
    const database = await manager.get('database').backend();
    await expect(manager.failed()).resolves.toBe(nullFailedStore);
    await expect(manager.batches()).resolves.toBe(database.batches);
    await expect(manager.locks()).resolves.toBe(database.locks);
    await expect(manager.limits()).resolves.toBe(database.limits);
    await expect(manager.control()).resolves.toBe(database.control);
    await expect(manager.locks('memory')).resolves.toBe((await manager.get('memory').backend()).locks);
    await expect(manager.limits('sync')).rejects.toMatchObject({ code: 'ERR_QUEUE_ABILITY_MISSING', driver: 'sync' });
    expect(manager.sharesBackend('failed', 'memory')).toBe(false);
    expect(manager.sharesBackend('batches', 'database')).toBe(true);
  });

  it('tells a backend its connection, its options and the time a dispatch may take', async () => {
    const seen: unknown[] = [];
    const { manager } = openManager(
      {
        connections: { jobs: { driver: 'database', table: 'queued' } },
        failed: { driver: 'database', table: 'lost' },
        dispatchTimeout: 2,
      },
      {
        drivers: {
          database: () => (options: object, context: BackendContext) => {
            seen.push(options, context.connection, context.dispatchTimeoutMs);
            return bare();
          },
        },
      },
    );
    await manager.get('jobs').queue();
    await manager.get('database').queue();
    expect(seen).toEqual([
      { driver: 'database', table: 'queued' },
      'jobs',
      2_000,
      { driver: 'database', failedTable: 'lost' },
      'database',
      2_000,
    ]);
  });

  it("takes drivers of one's own until they are used: bare, whole or promised", async () => {
    const { manager } = openManager({ default: 'own', connections: { own: { driver: 'kafka' } as never } });
    expect(() => manager.verifyDrivers()).toThrow(/\[own\] connection has the driver "kafka".*extend\(\)/);
    await expect(manager.get('own').push([outgoing(entryOf())])).rejects.toThrow(InvalidOptionError);
    let closed = 0;
    manager.extend('kafka', () => Promise.resolve(bare({ close: () => (closed += 1) })));
    manager.verifyDrivers();
    await expect(manager.get('own').push([outgoing(entryOf())])).resolves.toEqual([{ stored: true }]);
    expect(() => manager.extend('kafka', () => bare())).toThrow(/came after the \[own\] connection had been used/);
    await manager.close();
    expect(closed).toBe(1);
  });

  it.each([
    ['nothing', undefined, 'answered with undefined'],
    ['half a driver', { push: () => {} }, 'without reserve()'],
    ['an object of another kind', { hello: 1 }, 'without push() or close()'],
  ])('refuses a factory that makes %s', async (_, made, message) => {
    const { manager } = openManager();
    manager.extend('memory', () => made);
    await expect(manager.get('memory').queue()).rejects.toThrow(message);
    expect(() => manager.extend('memory', 'kafka' as never)).toThrow(InvalidOptionError);
  });

  it('closes each store once, says which one did not close, and makes none afterwards', async () => {
    const closed: string[] = [];
    const backend = (name: string, fail = false): Backend => ({
      queue: bare(),
      close: () => {
        closed.push(name);
        return fail ? Promise.reject(new Error('stuck')) : Promise.resolve();
      },
    });
    const { manager, warnings } = openManager(
      { connections: { a: { driver: 'memory' }, b: { driver: 'memory' }, c: { driver: 'memory' } } },
      {
        drivers: {
          memory: () => (_: object, context: BackendContext) => backend(context.connection, context.connection === 'a'),
        },
      },
    );
    await Promise.all([manager.get('a').queue(), manager.get('b').queue()]);
    await Promise.all([manager.close(), manager.close()]);
    await manager.close();
    expect(closed.sort()).toEqual(['a', 'b']);
    expect(warnings).toEqual(['The store of the [a] connection did not close: Error: stuck']);
    await expect(manager.get('c').queue()).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });
});

describe('the null failed store', () => {
  it('keeps nothing and forgets everything', async () => {
    await nullFailedStore.record([]);
    await expect(nullFailedStore.count()).resolves.toBe(0);
    await expect(nullFailedStore.page({ limit: 5 })).resolves.toEqual({ jobs: [] });
    await expect(nullFailedStore.find('x')).resolves.toBeUndefined();
    await expect(nullFailedStore.forget(['x'])).resolves.toBe(1);
    await expect(nullFailedStore.prune()).resolves.toBe(0);
  });
});
