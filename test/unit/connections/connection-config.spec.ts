import { describe, expect, it } from '@jest/globals';
import { resolveConnections, UnknownConnectionError } from '../../../lib/connections/connection-config.js';
import { InvalidQueueNameError } from '../../../lib/connections/queue-name.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const resolve = (options: object = {}, env: Record<string, string> = {}) => resolveConnections(options, env);

describe('resolveConnections', () => {
  it('works without any option', () => {
    const resolved = resolve();
    expect(resolved.default).toBe('database');
    expect([...resolved.connections.keys()]).toEqual(['sync', 'null', 'deferred', 'memory', 'database']);
    expect(resolved.connections.get('database')).toEqual({
      name: 'database',
      driver: 'database',
      inProcess: false,
      options: { driver: 'database' },
      queue: 'default',
      leaseMs: 30_000,
      afterCommit: false,
      prefetch: 0,
    });
    expect(resolved).toMatchObject({
      failed: { kind: 'own' },
      batching: { kind: 'own' },
      locks: { kind: 'own' },
      dispatchTimeoutMs: 5_000,
      maxPayload: 1_048_576,
    });
  });

  it('knows which drivers of its own run jobs in this process', () => {
    const inProcess = (options: object): string[] =>
      [...resolve(options).connections.values()].filter((one) => one.inProcess).map(({ name }) => name);
    expect(inProcess({ connections: { later: { driver: 'deferred' } } })).toEqual(['later', 'sync', 'deferred']);
    expect(inProcess({ drivers: { sync: () => ({}) } })).toEqual(['deferred']);
  });

  it('takes the default from the option, then the environment', () => {
    expect(resolve({}, { QUEUE_CONNECTION: 'sync' }).default).toBe('sync');
    expect(resolve({ default: 'memory' }, { QUEUE_CONNECTION: 'sync' }).default).toBe('memory');
    expect(resolve({}, { QUEUE_CONNECTION: '' }).default).toBe('database');
  });

  it('reads durations and lists what was configured first', () => {
    const resolved = resolve({
      default: 'fast',
      connections: {
        fast: {
          driver: 'redis',
          url: 'redis://localhost',
          queue: 'high',
          retryAfter: '2m',
          blockFor: 5,
          afterCommit: true,
          prefetch: 3,
        },
        memory: { driver: 'memory', retryAfter: 1 },
      },
      dispatchTimeout: '500ms',
      maxPayload: 1_000,
    });
    expect([...resolved.connections.keys()].slice(0, 2)).toEqual(['fast', 'memory']);
    expect(resolved.connections.get('fast')).toMatchObject({
      queue: 'high',
      leaseMs: 120_000,
      blockForMs: 5_000,
      afterCommit: true,
      prefetch: 3,
    });
    expect(resolved.connections.get('memory')!.leaseMs).toBe(1_000);
    expect(resolved.dispatchTimeoutMs).toBe(500);
  });

  it('lets a connection that always exists be another one', () => {
    const resolved = resolve({ connections: { database: { driver: 'memory' } } });
    expect(resolved.connections.get('database')!.driver).toBe('memory');
  });

  it('hands the tables of failed jobs and batches to the connection that keeps them', () => {
    const resolved = resolve({
      default: 'memory',
      connections: { reports: { driver: 'database', table: 'queued' } },
      failed: { driver: 'database', table: 'lost' },
      batching: { driver: 'database', connection: 'database', table: 'groups' },
    });
    expect(resolved.failed).toEqual({ kind: 'connection', connection: 'reports' });
    expect(resolved.connections.get('reports')!.options).toEqual({
      driver: 'database',
      table: 'queued',
      failedTable: 'lost',
    });
    expect(resolved.connections.get('database')!.options).toEqual({ driver: 'database', batchesTable: 'groups' });
  });

  it('takes the failed driver from the environment where no option says', () => {
    expect(resolve({}, { QUEUE_FAILED_DRIVER: 'null' }).failed).toEqual({ kind: 'null' });
    expect(resolve({ failed: { driver: 'memory' } }, { QUEUE_FAILED_DRIVER: 'null' }).failed).toEqual({
      kind: 'connection',
      connection: 'memory',
    });
  });

  it("leaves the options of a driver of somebody's own alone, but for those the module reads", () => {
    const connections = { bus: { driver: 'kafka', brokers: ['a'], queue: 'jobs', retryAfter: 10 } };
    const resolved = resolve({ connections });
    expect(resolved.connections.get('bus')).toMatchObject({
      options: { brokers: ['a'] },
      queue: 'jobs',
      leaseMs: 10_000,
    });
    expect(() => resolve({ connections: { bus: { driver: 'kafka', retryAfter: 'soon' } } })).toThrow(
      /connections\.bus\.retryAfter/,
    );
  });

  it('names the connections there are where one is unknown', () => {
    expect(() => resolve({ default: 'rediss', connections: { redis: { driver: 'redis' } } })).toThrow(
      new UnknownConnectionError('rediss', ['redis', 'sync', 'null', 'deferred', 'memory', 'database']),
    );
    expect(() => resolve({}, { QUEUE_CONNECTION: 'nope' })).toThrow(/\[nope\].*database/);
    expect(() => resolve({ locks: { connection: 'nope' } })).toThrow(UnknownConnectionError);
    expect(() => resolve({ failed: { driver: 'database', connection: 'nope' } })).toThrow(UnknownConnectionError);
    expect(() => resolve({ connections: { both: { driver: 'failover', connections: ['memory', 'nope'] } } })).toThrow(
      UnknownConnectionError,
    );
    expect(new UnknownConnectionError('x', []).code).toBe('ERR_QUEUE_UNKNOWN_CONNECTION');
  });

  it.each([
    ['a connection that is no object', { connections: { a: 'redis' } }, 'connections.a is "redis"'],
    ['a connection without a driver', { connections: { a: {} } }, 'connections.a.driver is missing'],
    [
      'an unknown key',
      { connections: { memory: { driver: 'memory', retry: 3 } } },
      'connections.memory.retry is not an option. Known are',
    ],
    [
      'a Laravel key',
      { connections: { a: { driver: 'redis', retry_after: 3 } } },
      'connections.a.retry_after is not an option. It is written retryAfter here.',
    ],
    [
      'a lease that is too short',
      { connections: { a: { driver: 'memory', retryAfter: 0.5 } } },
      'connections.a.retryAfter is 0.5. Give at least 1 s.',
    ],
    [
      'a bad duration',
      { connections: { a: { driver: 'memory', retryAfter: '1 week' } } },
      'connections.a.retryAfter is "1 week"',
    ],
    [
      'a table that is no name',
      { connections: { a: { driver: 'database', table: 'jobs; --' } } },
      'connections.a.table',
    ],
    [
      'an outbox on the database itself',
      { connections: { a: { driver: 'database', outbox: true } } },
      "connections.a.outbox: a database connection needs no outbox. Dispatch with .within(manager), and the job is committed with the caller's transaction.",
    ],
    [
      'an outbox without a DataSource',
      { connections: { a: { driver: 'redis', outbox: {} } } },
      'connections.a.outbox.dataSource is missing',
    ],
    [
      'an outbox that is a name',
      { connections: { a: { driver: 'redis', outbox: 'reports' } } },
      'connections.a.outbox is "reports". Give true, or name the DataSource: { dataSource: \'reports\' }.',
    ],
    ['a missing region', { connections: { a: { driver: 'sqs' } } }, 'connections.a.region is missing'],
    [
      'a failover within a failover',
      {
        connections: {
          a: { driver: 'failover', connections: ['b'] },
          b: { driver: 'failover', connections: ['sync'] },
        },
      },
      'connections.a.connections',
    ],
    ['an unknown failed driver', { failed: { driver: 'mongo' } }, 'failed.driver is "mongo". Use one of database'],
    ['an unknown failed key', { failed: { driver: 'database', tabel: 'x' } }, 'failed.tabel is not an option'],
    ['a failed driver nobody has', { failed: { driver: 'redis' } }, 'no connection has that driver'],
    [
      'a failed connection of another driver',
      { failed: { driver: 'database', connection: 'memory' } },
      "That connection's driver is memory",
    ],
    ['locks where none can be kept', { locks: { connection: 'sync' } }, 'keeps no locks'],
    ['no dispatch timeout at all', { dispatchTimeout: 0 }, 'dispatchTimeout is 0'],
    ['a payload limit of half a byte', { maxPayload: 0.5 }, 'maxPayload is 0.5'],
    ['a default that is no text', { default: 3 }, 'default is 3'],
  ])('refuses %s in one line', (_, options, message) => {
    const attempt = () => resolve(options);
    expect(attempt).toThrow(InvalidOptionError);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/\n/);
  });

  it('knows where an outbox is', () => {
    const { connections } = resolve({
      connections: {
        none: { driver: 'redis', outbox: false },
        usual: { driver: 'redis', outbox: true },
        named: { driver: 'memory', outbox: { dataSource: 'reports', table: 'reports_outbox' } },
        own: { driver: 'mine', outbox: { dataSource: 'reports' } } as never,
        database: { driver: 'database', outbox: false } as never,
      },
      drivers: { mine: () => ({}) },
    });
    expect(connections.get('none')).not.toHaveProperty('outbox');
    expect(connections.get('usual')?.outbox).toEqual({ dataSource: 'default', table: 'queue_outbox' });
    expect(connections.get('named')?.outbox).toEqual({ dataSource: 'reports', table: 'reports_outbox' });
    expect(connections.get('own')?.outbox).toEqual({ dataSource: 'reports', table: 'queue_outbox' });
  });

  it('refuses a queue name that no store could carry', () => {
    expect(() => resolve({ connections: { memory: { driver: 'memory', queue: 'a b' } } })).toThrow(
      InvalidQueueNameError,
    );
  });

  it('refuses an unknown failed driver of the environment by its name', () => {
    expect(() => resolve({}, { QUEUE_FAILED_DRIVER: 'database-uuids' })).toThrow(
      /QUEUE_FAILED_DRIVER is "database-uuids". Use one of database/,
    );
  });
});
