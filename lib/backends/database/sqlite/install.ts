import type { Tables } from '../table-names.js';
import { SqliteSchema } from './schema.js';
import { SqliteFile, type Patience } from './sqlite-file.js';
import type { SqliteSource } from './sqlite-source.js';

/**
 * Makes the tables whatever `migrate` says, on a handle of its own.
 *
 * @returns the tables by which the parts are known that were created or updated
 */
export async function installSqlite(
  source: SqliteSource,
  tables: Tables,
  patience: Patience,
): Promise<{ readonly applied: readonly string[] }> {
  const schema = new SqliteSchema(tables, { migrate: true, store: () => source.path });
  const file = new SqliteFile(() => source, schema);
  try {
    await file.ready(patience);
    return { applied: schema.applied };
  } finally {
    await file.close();
  }
}
