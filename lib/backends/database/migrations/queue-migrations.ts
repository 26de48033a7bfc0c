import type { SchemaKind, SchemaPart } from '../../../contracts/backend.js';
import { InvalidOptionError } from '../../../support/queue-error.js';
import { mysqlComponents } from '../mysql/schema.js';
import { postgresComponents } from '../postgres/schema.js';
import type { Component } from '../schema-component.js';
import { SchemaError } from '../schema-error.js';
import { MYSQL_LOCK, POSTGRES_LOCK } from '../schema-lock.js';
import { SchemaPlan } from '../schema-plan.js';
import { quoting, SchemaSql } from '../schema-sql.js';
import { atHome, findTables, makeTables, type SchemaDoor } from '../schema-store.js';
import { sqliteComponents } from '../sqlite/schema.js';
import { tablesOf, type TableOptions, type Tables } from '../table-names.js';

/** What is used of TypeORM's QueryRunner. */
export interface QueueMigrationRunner {
  readonly dataSource: { readonly options: { readonly type: string } };
  query(sql: string): Promise<any>;
}

/** What TypeORM asks of a migration. */
export interface QueueMigration {
  readonly name: string;
  /** Makes the tables, unless they are there as they should be. */
  up(runner: QueueMigrationRunner): Promise<void>;
  /** Drops the tables, with all that is in them. */
  down(runner: QueueMigrationRunner): Promise<void>;
}

export type QueueMigrationClass = new () => QueueMigration;

/** Names of tables other than `jobs`, `failed_jobs` and `job_batches`: as the options of the module give them. */
export interface QueueTableNames {
  /** Option `table` of the connection. */
  readonly table?: string;
  /** Option `failed.table`. */
  readonly failedTable?: string;
  /** Option `batching.table`. */
  readonly batchesTable?: string;
  /** For a DataSource that is the `outbox` of a connection: true, or the `table` given there. Default: no outbox. */
  readonly outbox?: true | string;
}

/** The table of an outbox that names none. */
const OUTBOX_TABLE = 'queue_outbox';

const DATABASES: Readonly<Record<string, SchemaKind>> = {
  'better-sqlite3': 'sqlite',
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
};
const COMPONENTS: Readonly<Record<SchemaKind, (tables: Tables) => readonly Component[]>> = {
  sqlite: sqliteComponents,
  postgres: postgresComponents,
  mysql: mysqlComponents,
};
/** TypeORM knows a migration by its name, for ever: these must not change. It runs them in the order of the 13 digits. */
const MADE: Readonly<Record<SchemaPart, { readonly name: string; readonly at: number }>> = {
  jobs: { name: 'CreateQueueJobs', at: 1795305600001 },
  failed: { name: 'CreateQueueFailedJobs', at: 1795305600002 },
  batches: { name: 'CreateQueueJobBatches', at: 1795305600003 },
  outbox: { name: 'CreateQueueOutbox', at: 1795305600004 },
};

/**
 * TypeORM migrations that make the queue's tables on SQLite, Postgres, MySQL and MariaDB, for the `migrations` of a DataSource. Tables that
 * are there already are left as they are.
 *
 * @throws InvalidOptionError for a name that is no identifier
 */
export function queueMigrationsFor(names: QueueTableNames = {}): QueueMigrationClass[] {
  const { outbox, ...queue } = names;
  const parts = (['jobs', 'failed', 'batches'] as const).map((part) => {
    const own = tablesOf(queue, (name) => name).bare[part];
    return migrationOf(part, queue, own === tablesOf({}, (name) => name).bare[part] ? '' : `_${own}`);
  });
  if (outbox === undefined) return parts;
  const table = outbox === true ? OUTBOX_TABLE : outbox;
  return [...parts, migrationOf('outbox', { table, outbox: true }, table === OUTBOX_TABLE ? '' : `_${table}`)];
}

/** @param suffix tells migrations of tables with names of their own apart */
function migrationOf(part: SchemaPart, names: TableOptions, suffix: string): QueueMigrationClass {
  const { name, at } = MADE[part];
  const fullName = `${name}${suffix}${at}`;
  class Migration implements QueueMigration {
    readonly name = fullName;

    async up(runner: QueueMigrationRunner): Promise<void> {
      const database = new Database(runner, names);
      await database.alone(() => database.make(part));
    }

    async down(runner: QueueMigrationRunner): Promise<void> {
      const database = new Database(runner, names);
      await database.alone(() => database.drop(part));
    }
  }
  return Object.defineProperty(Migration, 'name', { value: fullName });
}

/** The tables of one database, as a TypeORM QueryRunner reaches them. */
class Database {
  readonly #kind: SchemaKind;
  readonly #tables: Tables;
  readonly #components: readonly Component[];
  readonly #sql: SchemaSql;
  readonly #door: SchemaDoor;

  constructor(runner: QueueMigrationRunner, names: TableOptions) {
    const { type } = runner.dataSource.options;
    const kind = DATABASES[type];
    if (kind === undefined) {
      throw new InvalidOptionError(
        `The queue's migrations were run on a DataSource of type ${type}. Use one of ${Object.keys(DATABASES).join(', ')}.`,
      );
    }
    this.#kind = kind;
    this.#tables = tablesOf(names, quoting(kind));
    this.#components = COMPONENTS[kind](this.#tables);
    this.#sql = new SchemaSql(kind, this.#tables, this.#components);
    this.#door = {
      rows: async (sql) => ((await runner.query(sql)) as object[]).map((row) => Object.values(row) as unknown[]),
      run: async (sql) => void (await runner.query(sql)),
    };
  }

  async make(part: SchemaPart): Promise<void> {
    const plan = new SchemaPlan(
      this.#components.filter(({ kind }) => kind === part),
      this.#tables.bare,
      () => 'the database',
    );
    await makeTables(this.#door, this.#sql, plan.steps(await findTables(this.#door, this.#sql, this.#tables)));
  }

  async drop(part: SchemaPart): Promise<void> {
    await this.#door.run(this.#sql.register);
    const { down, versions } = this.#sql.migration(part);
    for (const statement of down) await this.#door.run(statement);
    if ((await this.#door.rows(this.#sql.versions)).length === 0) await this.#door.run(`DROP TABLE ${versions}`);
  }

  /** Keeps others that make tables out for as long as it takes: on Postgres until the transaction that TypeORM opened has ended. */
  async alone(work: () => Promise<void>): Promise<void> {
    if (this.#kind === 'sqlite') return work();
    if (this.#kind === 'postgres') {
      await this.#door.run(`SELECT pg_advisory_xact_lock(${POSTGRES_LOCK})`);
      return atHome(this.#door, 'the database', work);
    }
    const [[taken] = []] = await this.#door.rows(`SELECT GET_LOCK(${MYSQL_LOCK}, 60) AS taken`);
    if (Number(taken) !== 1) {
      throw new SchemaError(
        'Another process has been installing tables for 60 seconds. Let it end, or end it, and run this again.',
      );
    }
    try {
      await work();
    } finally {
      await this.#door.run(`SELECT RELEASE_LOCK(${MYSQL_LOCK})`);
    }
  }
}
