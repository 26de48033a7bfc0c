import { setTimeout as sleep } from 'node:timers/promises';
import type { SchemaMigration, SchemaPart } from '../../../contracts/backend.js';
import { SchemaError } from '../schema-error.js';
import { SchemaPlan } from '../schema-plan.js';
import { SchemaSql } from '../schema-sql.js';
import { atHome, findTables, makeTables, type SchemaDoor } from '../schema-store.js';
import type { Tables } from '../table-names.js';
import type { ServerDialect } from './dialect.js';
import { atomically, type Link } from './link.js';
import { MYSQL_LOCK, POSTGRES_LOCK } from '../schema-lock.js';

/** How long an installation waits for another one of the same database. */
const LONGEST_WAIT_MS = 60_000;
/** Tried in small steps: a wait within the server would meet the time limits that the session has for its statements. */
const TRY_EVERY_MS = 50;

/** The queue's tables on a server. */
export class ServerSchema {
  readonly #plan: SchemaPlan;
  readonly #sql: SchemaSql;

  constructor(
    private readonly dialect: ServerDialect,
    private readonly tables: Tables,
    private readonly options: {
      /** Where the tables are, for messages: `postgres at host:5432/database`. */
      readonly store: () => string;
      readonly longestWaitMs?: number;
    },
  ) {
    const components = dialect.components(tables);
    this.#plan = new SchemaPlan(components, tables.bare, options.store);
    this.#sql = new SchemaSql(dialect.name, tables, components);
  }

  /** @throws SchemaError with what to do, unless the tables are as this version needs them */
  async check(link: Link): Promise<void> {
    this.#plan.assertCurrent(await findTables(this.#door(link), this.#sql, this.tables));
  }

  /**
   * Creates what is missing and updates what is older. Of several processes that come at once one does it, the others wait for it. On
   * Postgres it is all or nothing; MySQL commits each statement, and what was cut off is made anew by the next call.
   *
   * @returns the tables by which the parts are known that were created or updated
   * @throws SchemaError where that must not be done, or another installation does not come to its end
   */
  async install(link: Link): Promise<{ readonly applied: readonly string[] }> {
    const door = this.#door(link);
    const found = await findTables(door, this.#sql, this.tables);
    if (this.#plan.steps(found).length === 0) return { applied: [] };
    const { longestWaitMs = LONGEST_WAIT_MS } = this.options;
    const giveUpAt = performance.now() + longestWaitMs;
    for (;;) {
      const applied = this.dialect.name === 'postgres' ? await this.#inTransaction(link) : await this.#underName(link);
      if (applied) return { applied };
      if (performance.now() >= giveUpAt) {
        throw new SchemaError(
          `Another process has been installing tables in ${this.options.store()} for ${Math.round(longestWaitMs / 1_000)} seconds. Let it end, or end it, and run this again.`,
        );
      }
      await sleep(TRY_EVERY_MS * (0.5 + Math.random()));
    }
  }

  /** The statements that make everything in an empty database. */
  script(): readonly string[] {
    return this.#sql.script;
  }

  migration(part: SchemaPart): SchemaMigration {
    return this.#sql.migration(part);
  }

  /** `undefined` while another one is at it. */
  #inTransaction(link: Link): Promise<readonly string[] | undefined> {
    const door = this.#door(link);
    return atomically(link, this.dialect.flavour.begin, async () => {
      const [[taken] = []] = await door.rows(`SELECT pg_try_advisory_xact_lock(${POSTGRES_LOCK})::int AS taken`);
      if (Number(taken) !== 1) return undefined;
      // A table that is in use makes the statement wait, and behind that wait everybody else waits.
      await link.run(`SET LOCAL lock_timeout = '3s'`);
      return atHome(door, this.options.store(), () => this.#make(door));
    });
  }

  async #underName(link: Link): Promise<readonly string[] | undefined> {
    const door = this.#door(link);
    const [[taken] = []] = await door.rows(`SELECT GET_LOCK(${MYSQL_LOCK}, 0) AS taken`);
    if (Number(taken) !== 1) return undefined;
    try {
      return await this.#make(door);
    } finally {
      // A connection that was lost has given it back by itself, and its own error is the one to be told.
      await door.rows(`SELECT RELEASE_LOCK(${MYSQL_LOCK}) AS freed`).catch(() => {});
    }
  }

  async #make(door: SchemaDoor): Promise<readonly string[]> {
    const steps = this.#plan.steps(await findTables(door, this.#sql, this.tables));
    await makeTables(door, this.#sql, steps);
    return steps.map(({ component }) => component.table);
  }

  #door(link: Link): SchemaDoor {
    return {
      rows: async (sql) => (await link.query(this.dialect.flavour.statement(sql), [])).rows,
      run: (sql) => link.run(sql),
    };
  }
}
