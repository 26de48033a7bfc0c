import { describe, expect, it } from '@jest/globals';
import { mysqlFaults } from '../../lib/backends/database/mysql/mysql-faults.js';
import { connectionOptions, ownOptions } from '../../lib/backends/database/mysql/own-options.js';
import { LostLinkError } from '../../lib/backends/database/server/link.js';

const own = { applicationName: 'nestjs-queue default 1', poolSize: 5, connectTimeoutMs: 3_000 };

describe('options of an own pool on mysql', () => {
  const options = {
    type: 'mariadb',
    host: 'db',
    port: 3307,
    username: 'u',
    password: 'p',
    database: 'd',
    entities: [class {}],
    migrations: ['x'],
    migrationsRun: true,
    synchronize: true,
    dropSchema: true,
    logging: true,
    subscribers: [class {}],
    poolSize: 50,
    charset: 'latin1',
    timezone: '+05:00',
    flags: ['+SSL', 'FOUND_ROWS'],
    supportBigNumbers: false,
    bigNumberStrings: true,
    extra: { connectionLimit: 80, typeCast: () => 1, charset: 'latin1', localAddress: '10.0.0.1', rowsAsArray: true },
  };

  it('keeps where the server is, and nothing of how the application uses it', () => {
    expect(ownOptions(options, own)).toEqual({
      type: 'mariadb',
      host: 'db',
      port: 3307,
      username: 'u',
      password: 'p',
      database: 'd',
      charset: 'utf8mb4',
      timezone: 'Z',
      supportBigNumbers: true,
      bigNumberStrings: false,
      dateStrings: false,
      debug: false,
      multipleStatements: false,
      flags: ['+SSL', '-FOUND_ROWS'],
      connectTimeout: 3_000,
      poolSize: 5,
      entities: [],
      synchronize: false,
      logging: false,
      extra: {
        localAddress: '10.0.0.1',
        enableKeepAlive: true,
        keepAliveInitialDelay: 10_000,
        maxPreparedStatements: 256,
        maxIdle: 1,
        idleTimeout: 1_000,
        connectAttributes: { program_name: 'nestjs-queue default 1' },
      },
    });
  });

  it('goes to the primary of a replicated set', () => {
    const made = ownOptions(
      {
        type: 'mysql',
        database: 'd',
        replication: { master: { host: 'one', username: 'u' }, slaves: [{ host: 'two' }] },
      },
      own,
    );
    expect(made).toMatchObject({ host: 'one', username: 'u', database: 'd' });
    expect(made).not.toHaveProperty('replication');
  });

  it('reads a URL for a connection without a pool', () => {
    const made = connectionOptions(
      { type: 'mysql', url: 'mysql://us%40er:p%2Fw@[::1]:3310/my%20db', host: 'other' },
      own,
    );
    expect(made).toMatchObject({ host: '::1', port: 3310, user: 'us@er', password: 'p/w', database: 'my db' });
    expect(made).not.toHaveProperty('poolSize');
  });
});

describe('faults of mysql', () => {
  const error = (fields: object): Error => Object.assign(new Error('x'), fields);

  it.each([
    [{ errno: 1213 }, 'conflict'],
    [{ errno: 1205 }, 'conflict'],
    [{ errno: 1020 }, 'conflict'],
    [{ errno: 1305, message: 'SAVEPOINT one does not exist' }, 'conflict'],
    [{ errno: 1305, message: 'PROCEDURE x does not exist' }, 'other'],
    [{ errno: 1040 }, 'unavailable'],
    [{ errno: 1053 }, 'unavailable'],
    [{ errno: 1927 }, 'unavailable'],
    [{ errno: 1969 }, 'unavailable'],
    [{ errno: 3024 }, 'unavailable'],
    [{ errno: 1290, message: 'The MariaDB server is running with the --read-only option' }, 'unavailable'],
    [{ errno: 1290, message: 'The MySQL server is running with the --secure-file-priv option' }, 'other'],
    [{ errno: -111, code: 'ECONNREFUSED' }, 'unavailable'],
    [{ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }, 'unavailable'],
    [{ message: `Can't add new command when connection is in closed state`, fatal: true }, 'unavailable'],
    [{ message: 'Pool is closed.' }, 'unavailable'],
    [{ errno: 1062 }, 'row'],
    [{ errno: 1153 }, 'row'],
    [{ errno: 1406 }, 'row'],
    [{ errno: 1146 }, 'schema'],
    [{ errno: 1114 }, 'full'],
    [{ errno: 1030, message: 'Got error 28 "No space left on device" from storage engine InnoDB' }, 'full'],
    [{ errno: 1030, message: 'Got error 122 from storage engine' }, 'other'],
    [{ errno: 1045 }, 'refused'],
    [{ errno: 1049 }, 'refused'],
    [{ errno: 1064 }, 'other'],
    [{}, 'other'],
  ])('%j is %s, wrapped or not', (fields, fault) => {
    const plain = error(fields);
    expect(mysqlFaults.of(plain)).toBe(fault);
    expect(mysqlFaults.of(Object.assign(new Error('QueryFailedError'), { driverError: plain }))).toBe(fault);
    expect(mysqlFaults.of(new Error('wrapped', { cause: plain }))).toBe(fault);
    expect(mysqlFaults.of(new LostLinkError(plain))).toBe('unavailable');
  });

  it('knows a server that takes no writes', () => {
    const readOnly = error({ errno: 1290, message: 'running with the --super-read-only option' });
    expect(mysqlFaults.readOnly(readOnly)).toBe(true);
    expect(mysqlFaults.readOnly(error({ errno: 1836 }))).toBe(true);
    expect(mysqlFaults.readOnly(error({ errno: 1290, message: '--skip-grant-tables' }))).toBe(false);
    expect(mysqlFaults.readOnly(undefined)).toBe(false);
  });
});
