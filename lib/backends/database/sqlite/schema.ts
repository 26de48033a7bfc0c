import { outboxOf, type Component } from '../schema-component.js';
import { SchemaPlan, type Found } from '../schema-plan.js';
import { SchemaSql } from '../schema-sql.js';
import type { Tables } from '../table-names.js';
import type { Session } from './session.js';
import type { SchemaCheck } from './sqlite-file.js';

export function sqliteComponents(tables: Tables): readonly Component[] {
  if (tables.outbox) return [outboxOf(jobsComponent(tables), tables)];
  return [jobsComponent(tables), failedComponent(tables), batchesComponent(tables)];
}

/** The queue's tables, brought up to date on first use unless `migrate` is false. */
export class SqliteSchema implements SchemaCheck {
  readonly sql: SchemaSql;
  readonly #plan: SchemaPlan;
  #applied: readonly string[] = [];

  constructor(
    private readonly tables: Tables,
    private readonly options: { readonly migrate: boolean; readonly store: () => string },
  ) {
    const components = sqliteComponents(tables);
    this.sql = new SchemaSql('sqlite', tables, components);
    this.#plan = new SchemaPlan(components, tables.bare, options.store);
  }

  /** What the last migration made or changed. */
  get applied(): readonly string[] {
    return this.#applied;
  }

  current(session: Session): boolean {
    return this.isCurrent(this.#found(session));
  }

  /** @throws SchemaError for a newer schema, and where an older one must not be brought up to date */
  isCurrent(found: Found): boolean {
    if (!this.options.migrate) this.#plan.assertCurrent(found);
    return this.#plan.steps(found).length === 0;
  }

  migrate(session: Session): void {
    const found = this.#found(session);
    for (const statement of this.statements(found)) session.exec(statement);
    this.#applied = this.#plan.steps(found).map(({ component }) => component.table);
  }

  /** What is still to be run. @throws SchemaError where a table of that name is somebody else's */
  statements(found: Found): readonly string[] {
    return [this.sql.register, ...this.#plan.steps(found).flatMap((step) => this.sql.statements(step))];
  }

  #found(session: Session): Found {
    const existing = new Set(session.all<[string, number]>(this.sql.existing, []).map(([name]) => name));
    const recorded = existing.has(this.tables.bare.schema) ? session.all<[string, number]>(this.sql.versions, []) : [];
    return { recorded: new Map(recorded), existing };
  }
}

function jobsComponent({ bare, quoted: t }: Tables): Component {
  const columns = `
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
        `;
  const indexes = [
    // Exactly the claim's order, over free rows alone: neither what is reserved nor what is delayed is walked over.
    `CREATE INDEX "${bare.jobs}_claim" ON ${t.jobs} (queue, priority DESC, available_at, seq) WHERE leased_until IS NULL`,
    `CREATE INDEX "${bare.jobs}_leases" ON ${t.jobs} (leased_until) WHERE leased_until IS NOT NULL`,
  ];
  const next = `"${bare.jobs}_next"`;
  return {
    kind: 'jobs',
    table: bare.jobs,
    versions: [
      [
        `CREATE TABLE ${t.jobs} (seq INTEGER PRIMARY KEY AUTOINCREMENT, ${columns})`,
        ...indexes,
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
      [
        // Without AUTOINCREMENT a push writes a page less. A row is still behind all that are there, which is what the order needs.
        `CREATE TABLE ${next} (seq INTEGER PRIMARY KEY, ${columns})`,
        `INSERT INTO ${next} SELECT * FROM ${t.jobs}`,
        `DROP TABLE ${t.jobs}`,
        `ALTER TABLE ${next} RENAME TO ${t.jobs}`,
        ...indexes,
        // The first version's packages work with it as it is.
        `INSERT INTO ${t.schema} (name, version) VALUES ('${bare.jobs}:since', 1) ON CONFLICT (name) DO UPDATE SET version = 1`,
      ],
    ],
    drop: [t.control, t.limits, t.locks, t.effects, t.cancelled, t.once, t.jobs].map(dropTable),
  };
}

function failedComponent({ bare, quoted: t }: Tables): Component {
  return {
    kind: 'failed',
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
    drop: [dropTable(t.failed)],
  };
}

function batchesComponent({ bare, quoted: t }: Tables): Component {
  return {
    kind: 'batches',
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
    drop: [t.members, t.batches].map(dropTable),
  };
}

function dropTable(table: string): string {
  return `DROP TABLE IF EXISTS ${table}`;
}
