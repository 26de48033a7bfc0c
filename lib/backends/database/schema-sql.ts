import type { SchemaKind, SchemaMigration, SchemaPart } from '../../contracts/backend.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import type { Component } from './schema-component.js';
import { SINCE, type Step } from './schema-plan.js';
import type { Tables } from './table-names.js';

/** What differs between the databases in how versions are kept and tables are looked for. */
interface Tongue {
  readonly quote: (name: string) => string;
  /** Columns of the table that keeps the versions. */
  readonly columns: string;
  /** Behind INSERT … VALUES: changes the version of a component that has one. */
  readonly orChange: string;
  /** Behind INSERT … VALUES: leaves the version of a component that has one. */
  readonly orKeep: string;
  /** Several statements of DDL can be undone together. */
  readonly transactional: boolean;
  /** One row for each of these tables that is there: its name, and whether names differ by case alone (1) or not (0). */
  existing(names: readonly string[]): string;
}

const TONGUES: Readonly<Record<SchemaKind, Tongue>> = {
  sqlite: {
    quote: (name) => `"${name}"`,
    columns: '(name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID',
    orChange: 'ON CONFLICT (name) DO UPDATE SET version = excluded.version',
    orKeep: 'ON CONFLICT (name) DO NOTHING',
    transactional: true,
    // A view would be in the way as well.
    existing: () => `SELECT name, 1 AS cased FROM sqlite_master WHERE type IN ('table', 'view')`,
  },
  postgres: {
    quote: (name) => `"${name}"`,
    columns: '(name text COLLATE "C" PRIMARY KEY, version integer NOT NULL)',
    orChange: 'ON CONFLICT (name) DO UPDATE SET version = excluded.version',
    orKeep: 'ON CONFLICT (name) DO NOTHING',
    transactional: true,
    existing: (names) =>
      `SELECT relname::text AS name, 1 AS cased FROM pg_class WHERE relnamespace = ${HOME} AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname IN (${names.map(literal).join(', ')})`,
  },
  mysql: {
    quote: (name) => `\`${name}\``,
    columns:
      '(name varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, version int NOT NULL) ENGINE=InnoDB',
    orChange: 'ON DUPLICATE KEY UPDATE version = VALUES(version)',
    orKeep: 'ON DUPLICATE KEY UPDATE version = version',
    transactional: false,
    existing: (names) =>
      `SELECT table_name AS name, CAST(@@lower_case_table_names = 0 AS SIGNED) AS cased FROM information_schema.tables WHERE table_schema = DATABASE() AND LOWER(table_name) IN (${names.map((name) => literal(name.toLowerCase())).join(', ')})`,
  },
};

/**
 * The Postgres schema that the tables are in: where the search path finds the versions, else where new tables go. A role whose own schema
 * comes first still finds what was installed in `public`.
 */
const HOME = `coalesce((SELECT relnamespace FROM pg_class WHERE relname = 'queue_schema' AND relkind = 'r' AND pg_table_is_visible(oid)), (SELECT oid FROM pg_namespace WHERE nspname = current_schema()))`;
/** For Postgres: that schema, the one where new tables go, and the search path. */
export const POSTGRES_HOME = `SELECT (SELECT nspname::text FROM pg_namespace WHERE oid = ${HOME}) AS home, current_schema()::text AS current, current_setting('search_path') AS path`;

/** The statements that keep and change the tables of one connection on one kind of database. */
export class SchemaSql {
  readonly transactional: boolean;
  readonly #tongue: Tongue;

  constructor(
    kind: SchemaKind,
    private readonly tables: Tables,
    private readonly components: readonly Component[],
  ) {
    this.#tongue = TONGUES[kind];
    this.transactional = this.#tongue.transactional;
  }

  /** Makes the table of versions, where it is not there. */
  get register(): string {
    return `CREATE TABLE IF NOT EXISTS ${this.tables.quoted.schema} ${this.#tongue.columns}`;
  }

  get versions(): string {
    return `SELECT name, version FROM ${this.tables.quoted.schema}`;
  }

  get existing(): string {
    return this.#tongue.existing(Object.values(this.tables.bare));
  }

  /** What does a step, once the table of versions is there. */
  statements({ component, from, left }: Step): readonly string[] {
    const { table, versions, drop } = component;
    return [
      ...(left === 'tables' ? drop : []),
      ...(left === 'record' ? [this.#forget(table)] : []),
      // Says whose tables these are if this is cut off. Never in the place of a version: tables that are in use must not seem half made.
      ...(from === 0 && !this.transactional ? [this.#insert(table, 0, this.#tongue.orKeep)] : []),
      ...versions.slice(from).flat(),
      this.#insert(table, versions.length, this.#tongue.orChange),
    ];
  }

  /** What undoes a component altogether. */
  undo({ table, drop }: Component): readonly string[] {
    return [...drop, this.#forget(table)];
  }

  /** Makes everything in a database that has none of it. */
  get script(): readonly string[] {
    const made = this.components.flatMap((component) => this.statements({ component, from: 0 }));
    const all = [this.register, ...made];
    return this.transactional ? ['BEGIN', ...all, 'COMMIT'] : all;
  }

  /** One part, made and undone by somebody else's hand. */
  migration(part: SchemaPart): SchemaMigration {
    // Of an outbox the jobs are all there is.
    const component = this.components.find(({ kind }) => kind === part || (kind === 'outbox' && part === 'jobs'));
    if (!component) throw new InvalidOptionError(`An outbox has no tables for ${part}: name a database connection.`);
    return {
      table: component.table,
      up: [this.register, ...this.statements({ component, from: 0 })],
      down: this.undo(component),
      versions: this.tables.quoted.schema,
    };
  }

  #insert(table: string, version: number, behind: string): string {
    return `INSERT INTO ${this.tables.quoted.schema} (name, version) VALUES (${literal(table)}, ${version}) ${behind}`;
  }

  #forget(table: string): string {
    return `DELETE FROM ${this.tables.quoted.schema} WHERE name IN (${literal(table)}, ${literal(table + SINCE)})`;
  }
}

/** As names of tables stand in the statements of a kind of database. */
export function quoting(kind: SchemaKind): (name: string) => string {
  return TONGUES[kind].quote;
}

/** Names are identifiers: there is nothing in them to escape. */
function literal(name: string): string {
  return `'${name}'`;
}
