import { randomUUID } from 'node:crypto';
import mysql from 'mysql2';
import { mysqlDialect } from '../../lib/backends/database/mysql/mysql-dialect.js';
import { connectionOptions } from '../../lib/backends/database/mysql/own-options.js';
import type { QueueStatements } from '../../lib/backends/database/server/dialect.js';
import type { Answer, Link, OwnLink, Param, Row, Statement } from '../../lib/backends/database/server/link.js';
import { tablesOf, type Tables } from '../../lib/backends/database/table-names.js';
import type { PushEntry } from '../../lib/contracts/queue-driver.js';

/** The dialect's statements on a database that has nothing but the tables, without a backend above them. */
export class MysqlTables {
  readonly tables: Tables = tablesOf({}, (name) => mysqlDialect.quote(name));
  readonly statements: QueueStatements = mysqlDialect.statements(this.tables);
  readonly #open: OwnLink[] = [];

  constructor(private readonly url: () => string) {}

  async link(): Promise<OwnLink> {
    const options = connectionOptions({ url: this.url() }, { applicationName: 'spec', connectTimeoutMs: 5_000 });
    const connection = mysql.createConnection(options as mysql.ConnectionOptions);
    const link = await mysqlDialect.link(connection, () => connection.destroy());
    this.#open.push(link);
    return link;
  }

  async make(link: Link): Promise<void> {
    for (const { versions } of mysqlDialect.components(this.tables)) {
      for (const statement of versions.flat()) await link.run(statement);
    }
  }

  async empty(link: Link): Promise<void> {
    const { jobs, once, cancelled, locks } = this.tables.quoted;
    for (const table of [jobs, once, cancelled, locks]) await link.run(`DELETE FROM ${table}`);
  }

  close(): void {
    for (const link of this.#open.splice(0)) link.destroy(new Error('the spec is over'));
  }
}

/** A link that keeps what was sent through it. */
export class RecordingLink implements Link {
  readonly sent: { readonly text: string; readonly params: readonly Param[] }[] = [];

  constructor(private readonly link: Link) {}

  async query<R extends Row = Row>(statement: Statement, params: readonly Param[]): Promise<Answer<R>> {
    this.sent.push({ text: statement.text, params });
    return this.link.query<R>(statement, params);
  }

  async run(sql: string): Promise<void> {
    this.sent.push({ text: sql, params: [] });
    await this.link.run(sql);
  }

  /** What was sent since the last call. */
  take(): readonly { readonly text: string; readonly params: readonly Param[] }[] {
    return this.sent.splice(0);
  }
}

export function entry(over: Partial<PushEntry> = {}): PushEntry {
  return { id: randomUUID(), queue: 'default', body: '{}', delayMs: 0, ...over };
}

export function claimOf(over: { queues?: readonly string[]; limit?: number; leaseMs?: number } = {}) {
  return { queues: ['default'], limit: 100, leaseMs: 60_000, claim: randomUUID(), ...over };
}

/** Rows of a statement without parameters. */
export async function rowsOf<R extends Row = Row>(link: Link, text: string, params: readonly Param[] = []) {
  return (await link.query<R>({ name: '', text }, params)).rows;
}
