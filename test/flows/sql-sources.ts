import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from '@jest/globals';
import libsql from 'libsql';
import { EntitySchema, type DataSourceOptions } from 'typeorm';
import { freshDatabase, describeServer, START_LIMIT_MS, type FreshDatabase } from '../support/shared-servers.js';

export interface Order {
  id: number;
  state: string;
}
export const OrderSchema = new EntitySchema<Order>({
  name: 'order',
  tableName: 'orders',
  columns: { id: { type: Number, primary: true }, state: { type: String } },
});

export type SqlKind = 'sqlite' | 'postgres' | 'mariadb';
export const SQL_KINDS: readonly SqlKind[] = ['sqlite', 'postgres', 'mariadb'];

/** A database for the tests of a `describe`: an application's own, with a table of orders. */
export interface SqlSource {
  readonly kind: SqlKind;
  /** DataSource options under a Nest name. @param url a way round, by a proxy */
  options(name: string, url?: string): DataSourceOptions & { name: string };
  /** Of a server. */
  readonly url: string;
}

/** Registers a `describe` for each of these kinds that can be had. */
export function describeSql(name: string, kinds: readonly SqlKind[], tests: (source: SqlSource) => void): void {
  const register = { run: describe };
  for (const kind of kinds) {
    const called = `${name}, on ${kind}`;
    if (kind === 'sqlite') register.run(called, () => tests(inFile()));
    else describeServer(kind, called, () => tests(onServer(kind)));
  }
}

function inFile(): SqlSource {
  let dir = '';
  beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'queue-sql-'))));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return {
    kind: 'sqlite',
    url: '',
    options: (name) => ({
      name,
      type: 'better-sqlite3',
      driver: libsql,
      database: join(dir, 'app.sqlite'),
      enableWAL: true,
      entities: [OrderSchema],
      synchronize: true,
    }),
  };
}

function onServer(kind: 'postgres' | 'mariadb'): SqlSource {
  let made: FreshDatabase | undefined;
  beforeAll(async () => void (made = await freshDatabase(kind)), START_LIMIT_MS);
  afterAll(async () => made?.drop(), START_LIMIT_MS);
  return {
    kind,
    get url() {
      return made!.url;
    },
    options: (name, url = made!.url) => ({ name, type: kind, url, entities: [OrderSchema], synchronize: true }),
  };
}
