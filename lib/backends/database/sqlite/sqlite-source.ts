import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BackendContext } from '../../../contracts/backend.js';
import { describe, InvalidOptionError } from '../../../support/queue-error.js';
import {
  isDataSource,
  type DatabaseConnectionOptions,
  type DataSourceLike,
  type DataSourceOptionsLike,
} from '../database-options.js';
import { loadSqlite, type SqliteDatabase, type SqliteLibrary } from './sqlite-library.js';

export const MEMORY = ':memory:';

/** Where the file is and with which library it is opened. */
export interface SqliteSource {
  /** Absolute, or ':memory:'. */
  readonly path: string;
  /**
   * Always the library that the application opens the file with: two copies of SQLite in one process undo each other's file locks, and
   * with them the file.
   */
  readonly library: () => Promise<SqliteLibrary>;
  /** The application's own handle, where the database exists only in it. */
  readonly shared?: () => SqliteDatabase;
}

/** @throws InvalidOptionError for a DataSource that is not SQLite */
export function sqliteSource(options: DatabaseConnectionOptions, context: BackendContext): SqliteSource {
  const { dataSource } = options;
  if (dataSource === undefined) {
    const url = process.env['QUEUE_DATABASE_URL'];
    const path = url ? sqlitePath(url) : resolve('queue.sqlite');
    return { path, library: () => loadSqlite('libsql') };
  }
  const given = typeof dataSource === 'string' ? context.dataSource(dataSource) : dataSource;
  if (isDataSource(given)) return ofDataSource(given, context.connection);
  if (typeof given === 'object' && given !== null && 'type' in given) {
    return ofOptions(given as DataSourceOptionsLike, context.connection);
  }
  if (typeof dataSource === 'string') {
    throw new InvalidOptionError(
      `The [${context.connection}] connection names the DataSource "${dataSource}", and the application has none of that name. Import TypeOrmModule.forRoot({ ${dataSource === 'default' ? '' : `name: '${dataSource}', `}… }), or mend the name.`,
    );
  }
  throw new InvalidOptionError(
    `dataSource of the [${context.connection}] connection is ${describe(given)}. Use the name of a DataSource, a DataSource, or DataSource options.`,
  );
}

/**
 * The file of a QUEUE_DATABASE_URL: a path, `sqlite:path`, `sqlite:///path` or a file URL.
 *
 * @throws InvalidOptionError for a server's URL
 */
export function sqlitePath(url: string): string {
  if (url === MEMORY) return MEMORY;
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();
  // One letter before a colon is a drive, not a scheme.
  if (scheme === undefined) return resolve(url);
  if (scheme === 'file' && url.slice(5).startsWith('//')) return fileURLToPath(url);
  if (scheme === 'file' || scheme === 'sqlite') {
    const path = decodeURIComponent(url.slice(scheme.length + 1).replace(/^\/\/(?=\/|\.|:memory:)/, ''));
    return path === MEMORY ? MEMORY : resolve(path);
  }
  throw new InvalidOptionError(
    `QUEUE_DATABASE_URL is a ${scheme} URL. Give a postgres, mysql or mariadb URL, a file's path for SQLite, or leave it out for ./queue.sqlite.`,
  );
}

function ofOptions(options: DataSourceOptionsLike, connection: string): SqliteSource {
  const path = fileOf(options, connection);
  const { driver } = options;
  if (typeof driver === 'function') return { path, library: () => Promise.resolve(driver as SqliteLibrary) };
  // TypeORM itself would take better-sqlite3 for these options.
  return { path, library: () => loadSqlite('better-sqlite3') };
}

function ofDataSource(dataSource: DataSourceLike, connection: string): SqliteSource {
  const path = fileOf(dataSource.options, connection);
  const driver = dataSource.driver as { readonly sqlite?: unknown; readonly databaseConnection?: SqliteDatabase };
  const library = driver.sqlite ?? dataSource.options.driver;
  return {
    path,
    library:
      typeof library === 'function'
        ? () => Promise.resolve(library as SqliteLibrary)
        : () => loadSqlite('better-sqlite3'),
    ...(path === MEMORY ? { shared: () => handleOf(dataSource, driver.databaseConnection, connection) } : {}),
  };
}

function handleOf(dataSource: DataSourceLike, handle: SqliteDatabase | undefined, connection: string): SqliteDatabase {
  if (dataSource.isInitialized && handle !== undefined) return handle;
  throw new InvalidOptionError(
    `The DataSource of the [${connection}] connection is in memory and not initialized. Call its initialize() before the queue is used.`,
  );
}

function fileOf(options: DataSourceOptionsLike, connection: string): string {
  if (options.type !== 'better-sqlite3') {
    throw new InvalidOptionError(
      `The DataSource of the [${connection}] connection is of type ${describe(options.type)}. Use a DataSource of type 'postgres', 'mysql', 'mariadb' or 'better-sqlite3'.`,
    );
  }
  const { database } = options;
  if (typeof database !== 'string' || database === '') {
    throw new InvalidOptionError(
      `The DataSource of the [${connection}] connection names no file: its database is ${describe(database)}.`,
    );
  }
  return database === MEMORY ? MEMORY : resolve(database);
}

/** The file that a TypeORM EntityManager works on; `undefined` when it is not SQLite. */
export function fileOfManager(dataSource: DataSourceLike | undefined): string | undefined {
  const database = dataSource?.options.type === 'better-sqlite3' ? dataSource.options.database : undefined;
  if (typeof database !== 'string') return undefined;
  return database === MEMORY ? MEMORY : resolve(database);
}
