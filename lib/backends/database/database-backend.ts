import type { Backend, BackendContext } from '../../contracts/backend.js';
import type { DatabaseConnectionOptions } from './database-options.js';
import { mysqlDialect } from './mysql/mysql-dialect.js';
import { postgresDialect } from './postgres/postgres-dialect.js';
import { serverBackend } from './server/server-backend.js';
import { serverSource } from './server/server-source.js';
import { sqliteBackend } from './sqlite/sqlite-backend.js';

const DIALECTS = { postgres: postgresDialect, mysql: mysqlDialect };

/**
 * A connection with `driver: 'database'`: queue, locks, limits, failed jobs, batches and marks in one database. Nothing is opened before
 * the first verb.
 *
 * @throws InvalidOptionError for names of tables that are no identifiers, and for a database that this version does not know
 */
export function databaseBackend(options: DatabaseConnectionOptions, context: BackendContext): Backend {
  const source = serverSource(options, context);
  return source ? serverBackend(source, DIALECTS[source.kind], options, context) : sqliteBackend(options, context);
}
