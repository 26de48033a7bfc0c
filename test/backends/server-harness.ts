import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import type { DatabaseConnectionOptions } from '../../lib/backends/database/database-options.js';
import { tablesOf } from '../../lib/backends/database/table-names.js';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import type { Harness } from '../../lib/testing/conformance/index.js';
import type { SqlServerKind } from '../support/servers.mjs';
import { rawSql, type RawSql } from '../support/raw-sql.js';
import { freshDatabase, type FreshDatabase } from '../support/shared-servers.js';
import { backendContext } from './sqlite-harness.js';

/** Backends on a database of a real server. The tables are made once and emptied between cases. */
export class ServerBackends {
  #database: Promise<FreshDatabase> | undefined;
  #raw: Promise<RawSql> | undefined;
  readonly #open: Backend[] = [];

  constructor(readonly kind: SqlServerKind) {}

  database(): Promise<FreshDatabase> {
    this.#database ??= freshDatabase(this.kind);
    return this.#database;
  }

  /** The options of a DataSource on the database. */
  async dataSource(): Promise<{ type: string; url: string }> {
    return { type: this.kind, url: (await this.database()).url };
  }

  async backend(
    over: Partial<BackendContext> = {},
    options: Partial<DatabaseConnectionOptions> = {},
  ): Promise<Backend> {
    const dataSource = await this.dataSource();
    const backend = databaseBackend(
      { driver: 'database', dataSource, migrate: true, ...options },
      backendContext(over),
    );
    this.#open.push(backend);
    return backend;
  }

  /** Closes the backends of one case and empties the tables. */
  async clean(): Promise<void> {
    for (const one of this.#open.splice(0)) await one.close();
    const quote = this.kind === 'postgres' ? '"' : '`';
    const { quoted, bare } = tablesOf({}, (name) => `${quote}${name}${quote}`);
    for (const key of Object.keys(quoted) as (keyof typeof quoted)[]) {
      if (bare[key] !== bare.schema) await this.sql(`DELETE FROM ${quoted[key]}`);
    }
  }

  /** On a connection that knows nothing of the queue. */
  async sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]> {
    this.#raw ??= this.database().then(({ url }) => rawSql(this.kind, url));
    return (await this.#raw).sql<Row>(text, values);
  }

  async drop(): Promise<void> {
    for (const one of this.#open.splice(0)) await one.close();
    if (this.#raw) await (await this.#raw).close();
    this.#raw = undefined;
    if (this.#database) await (await this.#database).drop();
    this.#database = undefined;
  }

  /** For the conformance cases: time is the server's, so it is waited for. */
  harness(): Harness {
    return {
      open: () => this.backend(),
      reopen: () => this.backend(),
      advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      now: () => Date.now(),
      close: () => this.clean(),
    };
  }
}
