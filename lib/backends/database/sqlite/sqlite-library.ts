import { loadPeer, MissingPackageError } from '../../../support/load-peer.js';

/** What is used of libsql and better-sqlite3, which have it in common. */
export interface SqliteLibrary {
  new (path: string, options?: { readonly timeout?: number }): SqliteDatabase;
}

export interface SqliteDatabase {
  readonly inTransaction: boolean;
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

export interface SqliteStatement {
  raw(on?: boolean): unknown;
  run(params: readonly unknown[]): { readonly changes: number };
  all(params: readonly unknown[]): unknown[];
  get(params: readonly unknown[]): unknown;
}

const PURPOSE = 'A database connection on SQLite';

/**
 * The SQLite package to use: the first one installed of the two.
 *
 * @throws MissingPackageError when neither is
 */
export async function loadSqlite(first: 'libsql' | 'better-sqlite3'): Promise<SqliteLibrary> {
  const loaders = first === 'libsql' ? [loadLibsql, loadBetterSqlite3] : [loadBetterSqlite3, loadLibsql];
  for (const load of loaders) {
    try {
      return await load();
    } catch (error) {
      if (!(error instanceof MissingPackageError)) throw error;
    }
  }
  return loadLibsql();
}

async function loadLibsql(): Promise<SqliteLibrary> {
  const peer = { name: 'libsql', purpose: PURPOSE, install: 'npm i typeorm libsql' };
  const loaded = await loadPeer(peer, () => import('libsql'));
  return loaded.default as unknown as SqliteLibrary;
}

async function loadBetterSqlite3(): Promise<SqliteLibrary> {
  const peer = { name: 'better-sqlite3', purpose: PURPOSE, install: 'npm i better-sqlite3' };
  // Not a peer of this package: an application may have it for TypeORM, and then its types are not to be asked for.
  const specifier: string = peer.name;
  const loaded = (await loadPeer(peer, () => import(specifier))) as { default: SqliteLibrary };
  return loaded.default;
}
