import { SchemaError } from '../schema-error.js';
import type { Tables } from '../table-names.js';
import type { Session } from './session.js';
import type { SchemaCheck } from './sqlite-file.js';

/** Tables that have a version together, by the one that names them, and the statements that lead from each version to the next. */
interface Component {
  readonly table: string;
  readonly versions: readonly (readonly string[])[];
}

/** The queue's tables, brought up to date on first use unless `migrate` is false. */
export class SqliteSchema implements SchemaCheck {
  readonly #components: readonly Component[];
  readonly #register: string;

  constructor(
    private readonly tables: Tables,
    private readonly options: { readonly migrate: boolean; readonly store: () => string },
  ) {
    this.#components = [jobsComponent(tables), failedComponent(tables), batchesComponent(tables)];
    this.#register = `CREATE TABLE IF NOT EXISTS ${tables.quoted.schema} (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID`;
  }

  current(session: Session): boolean {
    return this.isCurrent(this.#versions(session));
  }

  /** @throws SchemaError for a newer schema, and where an older one must not be brought up to date */
  isCurrent(versions: ReadonlyMap<string, number>): boolean {
    for (const { table, versions: known } of this.#components) {
      const version = versions.get(table) ?? 0;
      if (version > known.length) {
        throw new SchemaError(
          `The table [${table}] in ${this.options.store()} was made by a newer version of nestjs-queue (schema ${version}, this one knows ${known.length}). Update nestjs-queue here as well.`,
        );
      }
    }
    if (this.#components.every(({ table, versions: known }) => versions.get(table) === known.length)) return true;
    if (this.options.migrate) return false;
    const [behind] = this.#components.filter(({ table, versions: known }) => versions.get(table) !== known.length);
    throw new SchemaError(
      `The table [${behind!.table}] in ${this.options.store()} is ${versions.has(behind!.table) ? 'of an older version' : 'missing'}. Run: npx nestjs-queue queue:install`,
    );
  }

  migrate(session: Session): void {
    for (const statement of this.statements(this.#versions(session), this.#existing(session))) session.exec(statement);
  }

  /** What is still to be run, given the versions that are there. @throws SchemaError where a table of that name is somebody else's */
  statements(versions: ReadonlyMap<string, number>, existing: ReadonlySet<string>): readonly string[] {
    const statements = [this.#register];
    for (const { table, versions: known } of this.#components) {
      const version = versions.get(table) ?? 0;
      if (version === known.length) continue;
      if (version === 0 && existing.has(table)) {
        throw new SchemaError(
          `There is a table [${table}] in ${this.options.store()} that nestjs-queue did not make. Give the connection another name for its table (options table, failed.table, batching.table).`,
        );
      }
      statements.push(
        ...known.slice(version).flat(),
        `INSERT INTO ${this.tables.quoted.schema} (name, version) VALUES ('${table}', ${known.length}) ON CONFLICT (name) DO UPDATE SET version = excluded.version`,
      );
    }
    return statements;
  }

  #versions(session: Session): ReadonlyMap<string, number> {
    if (!this.#existing(session).has(this.tables.bare.schema)) return new Map();
    const recorded = session.all<[string, number]>(`SELECT name, version FROM ${this.tables.quoted.schema}`, []);
    const existing = this.#existing(session);
    // A version without its table: somebody dropped it.
    return new Map(recorded.filter(([name]) => existing.has(name)));
  }

  #existing(session: Session): ReadonlySet<string> {
    return new Set(
      session.all<[string]>(`SELECT name FROM sqlite_master WHERE type = 'table'`, []).map(([name]) => name),
    );
  }
}

function jobsComponent({ bare, quoted: t }: Tables): Component {
  return {
    table: bare.jobs,
    versions: [
      [
        `CREATE TABLE ${t.jobs} (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          queue TEXT NOT NULL,
          priority INTEGER NOT NULL,
          available_at INTEGER NOT NULL,
          leased_until INTEGER,
          token TEXT,
          attempts INTEGER NOT NULL DEFAULT 0,
          stalls INTEGER NOT NULL DEFAULT 0,
          created_at INTEGER NOT NULL,
          lock_key TEXT,
          lock_owner TEXT,
          memo TEXT,
          body TEXT NOT NULL
        )`,
        // Exactly the claim's order, over free rows alone: neither what is reserved nor what is delayed is walked over.
        `CREATE INDEX "${bare.jobs}_claim" ON ${t.jobs} (queue, priority DESC, available_at, seq) WHERE leased_until IS NULL`,
        `CREATE INDEX "${bare.jobs}_leases" ON ${t.jobs} (leased_until) WHERE leased_until IS NOT NULL`,
        `CREATE TABLE ${t.once} (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID`,
        `CREATE INDEX "${bare.once}_expiry" ON ${t.once} (expires_at)`,
        `CREATE TABLE ${t.cancelled} (token TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID`,
        `CREATE TABLE ${t.effects} (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          job_id TEXT NOT NULL,
          kind TEXT NOT NULL,
          effect TEXT NOT NULL,
          created_at INTEGER NOT NULL
        )`,
        `CREATE TABLE ${t.locks} (key TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at INTEGER) WITHOUT ROWID`,
        `CREATE INDEX "${bare.locks}_expiry" ON ${t.locks} (expires_at) WHERE expires_at IS NOT NULL`,
        `CREATE TABLE ${t.limits} (key TEXT PRIMARY KEY, hits INTEGER NOT NULL, ends_at INTEGER NOT NULL) WITHOUT ROWID`,
        `CREATE INDEX "${bare.limits}_expiry" ON ${t.limits} (ends_at)`,
        `CREATE TABLE ${t.control} (mark TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER) WITHOUT ROWID`,
      ],
    ],
  };
}

function failedComponent({ bare, quoted: t }: Tables): Component {
  return {
    table: bare.failed,
    versions: [
      [
        `CREATE TABLE ${t.failed} (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          connection TEXT NOT NULL,
          queue TEXT NOT NULL,
          name TEXT NOT NULL,
          display_name TEXT NOT NULL,
          payload TEXT NOT NULL,
          exception TEXT NOT NULL,
          failed_at INTEGER NOT NULL,
          batch_id TEXT
        )`,
        `CREATE INDEX "${bare.failed}_time" ON ${t.failed} (failed_at, seq)`,
      ],
    ],
  };
}

function batchesComponent({ bare, quoted: t }: Tables): Component {
  return {
    table: bare.batches,
    versions: [
      [
        `CREATE TABLE ${t.batches} (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          name TEXT NOT NULL,
          options TEXT NOT NULL,
          total INTEGER NOT NULL,
          pending INTEGER NOT NULL,
          failed INTEGER NOT NULL,
          ended INTEGER NOT NULL,
          sealed INTEGER NOT NULL,
          cancel_on_failure INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          cancelled_at INTEGER,
          finished_at INTEGER,
          then_due INTEGER,
          catch_due INTEGER,
          finally_due INTEGER,
          confirmed TEXT NOT NULL,
          unconfirmed_since INTEGER
        )`,
        `CREATE INDEX "${bare.batches}_unconfirmed" ON ${t.batches} (unconfirmed_since) WHERE unconfirmed_since IS NOT NULL`,
        `CREATE TABLE ${t.members} (
          batch INTEGER NOT NULL,
          job_id TEXT NOT NULL,
          state TEXT,
          ended_at INTEGER,
          PRIMARY KEY (batch, job_id)
        ) WITHOUT ROWID`,
        `CREATE INDEX "${bare.members}_failed" ON ${t.members} (batch, ended_at) WHERE state = 'failed'`,
      ],
    ],
  };
}
