import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { describeRedis, freshRedis, START_LIMIT_MS, type FreshRedis } from '../support/shared-redis.js';
import { describeServer, useDatabase } from '../support/shared-servers.js';
import { sqliteOptions } from './open-app.js';

/**
 * The same tests on every store that outlives an application: SQLite, Postgres, MariaDB, Redis. One store serves all tests of a
 * `describe`; whoever needs an empty one empties it.
 *
 * @param flows given the options of a connection to the store, which may be read once tests run
 */
export function onStores(what: string, flows: (connection: () => object) => void): void {
  describe(`${what} on SQLite`, () => {
    let dir: string;
    beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'queue-stores-'))));
    afterAll(() => rmSync(dir, { recursive: true, force: true }));
    flows(() => sqliteOptions(dir));
  });
  describeServer('postgres', `${what} on Postgres`, () => {
    const database = useDatabase('postgres');
    flows(() => ({ driver: 'database', dataSource: { type: 'postgres', url: database.url }, migrate: true }));
  });
  describeServer('mariadb', `${what} on MariaDB`, () => {
    const database = useDatabase('mariadb');
    flows(() => ({ driver: 'database', dataSource: { type: 'mariadb', url: database.url }, migrate: true }));
  });
  describeRedis(`${what} on Redis`, () => {
    let redis: FreshRedis;
    beforeAll(async () => void (redis = await freshRedis()), START_LIMIT_MS);
    afterAll(async () => redis?.drop(), START_LIMIT_MS);
    flows(() => ({ driver: 'redis', url: redis.url, prefix: redis.prefix }));
  });
}
