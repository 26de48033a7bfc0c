import { SchemaError } from './schema-error.js';
import type { Found, Step } from './schema-plan.js';
import { POSTGRES_HOME, type SchemaSql } from './schema-sql.js';
import type { Tables } from './table-names.js';

/** What the tables are looked at and changed through. */
export interface SchemaDoor {
  /** Rows as arrays, columns in the order of the statement. */
  rows(sql: string): Promise<readonly (readonly unknown[])[]>;
  run(sql: string): Promise<void>;
}

/** Reads what there is. */
export async function findTables(door: SchemaDoor, sql: SchemaSql, { bare }: Tables): Promise<Found> {
  const names: readonly string[] = Object.values(bare);
  const look = async (): Promise<ReadonlySet<string>> => {
    const rows = await door.rows(sql.existing);
    const cased = rows.every(([, one]) => Number(one) === 1);
    const fold = (name: string): string => (cased ? name : name.toLowerCase());
    const there = new Set(rows.map(([name]) => fold(String(name))));
    return new Set(names.filter((name) => there.has(fold(name))));
  };
  let existing = await look();
  const recorded = existing.has(bare.schema) ? await door.rows(sql.versions) : [];
  // Another process may be making them: what is recorded was there before the record, and not yet at the first look.
  if (recorded.length > 0 && existing.size < names.length) existing = await look();
  return { recorded: new Map(recorded.map(([name, version]) => [String(name), Number(version)])), existing };
}

/** Does the steps, in the Postgres schema where the tables are. */
export async function makeTables(door: SchemaDoor, sql: SchemaSql, steps: readonly Step[]): Promise<void> {
  if (steps.length === 0) return;
  await door.run(sql.register);
  for (const step of steps) for (const statement of sql.statements(step)) await door.run(statement);
}

/**
 * Runs work where unqualified names mean the schema that the queue's tables are in. To be called within a transaction.
 *
 * @throws SchemaError where the search path leads nowhere
 */
export async function atHome<T>(door: SchemaDoor, store: string, work: () => Promise<T>): Promise<T> {
  const [[home, current, path] = []] = await door.rows(POSTGRES_HOME);
  if (typeof home !== 'string') {
    throw new SchemaError(
      `The search_path of ${store} is ${JSON.stringify(path)} and names no schema that exists: there is no place for tables. Create the schema, or set another search_path for the user.`,
    );
  }
  if (home === current) return work();
  await door.run(setPath(`"${home.replaceAll('"', '""')}"`));
  const result = await work();
  await door.run(setPath(String(path)));
  return result;
}

function setPath(path: string): string {
  return `SELECT set_config('search_path', '${path.replaceAll("'", "''")}', true)`;
}
