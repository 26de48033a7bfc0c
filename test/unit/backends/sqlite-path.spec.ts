import { resolve } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { databaseBackend } from '../../../lib/backends/database/database-backend.js';
import { sqlitePath } from '../../../lib/backends/database/sqlite/sqlite-source.js';
import { backendContext } from '../../backends/sqlite-harness.js';

describe('QUEUE_DATABASE_URL', () => {
  const before = process.env['QUEUE_DATABASE_URL'];
  afterEach(() => {
    if (before === undefined) delete process.env['QUEUE_DATABASE_URL'];
    else process.env['QUEUE_DATABASE_URL'] = before;
  });

  it.each([
    ['queue.sqlite', resolve('queue.sqlite')],
    ['./data/queue.sqlite', resolve('data/queue.sqlite')],
    ['/var/lib/app/queue.sqlite', '/var/lib/app/queue.sqlite'],
    ['sqlite:queue.sqlite', resolve('queue.sqlite')],
    ['sqlite:./queue.sqlite', resolve('queue.sqlite')],
    ['sqlite:///var/lib/queue.sqlite', '/var/lib/queue.sqlite'],
    ['sqlite://./queue.sqlite', resolve('queue.sqlite')],
    ['file:queue.sqlite', resolve('queue.sqlite')],
    ['file:./with%20space.sqlite', resolve('with space.sqlite')],
    ['file:///var/lib/queue.sqlite', '/var/lib/queue.sqlite'],
    [':memory:', ':memory:'],
    ['sqlite::memory:', ':memory:'],
  ])('%s is %s', (url, path) => {
    expect(sqlitePath(url)).toBe(path);
  });

  it.each(['mssql://user@host/db', 'mongodb://host/db', 'redis://host'])('%s is refused', (url) => {
    process.env['QUEUE_DATABASE_URL'] = url;
    expect(() => databaseBackend({ driver: 'database' }, backendContext())).toThrow(
      /QUEUE_DATABASE_URL is a \w+ URL.*postgres, mysql or mariadb/,
    );
  });
});
