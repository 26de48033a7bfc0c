import type { Backend, BackendContext } from '../../contracts/backend.js';
import type { DatabaseConnectionOptions } from './database-options.js';
import { sqliteBackend } from './sqlite/sqlite-backend.js';

/**
 * A connection with `driver: 'database'`: queue, locks, limits, failed jobs, batches and marks in one database. Nothing is opened before
 * the first verb.
 *
 * @throws InvalidOptionError for names of tables that are no identifiers, and for a database that this version does not know
 */
export function databaseBackend(options: DatabaseConnectionOptions, context: BackendContext): Backend {
  return sqliteBackend(options, context);
}
