import mysql from 'mysql2/promise';
import pg from 'pg';
import { mysqlComponents } from '../../lib/backends/database/mysql/schema.js';
import { postgresComponents } from '../../lib/backends/database/postgres/schema.js';
import type { ServerDialect } from '../../lib/backends/database/server/dialect.js';
import { statementOf } from '../../lib/backends/database/server/flavour.js';
import type { Link, Row } from '../../lib/backends/database/server/link.js';
import { ServerSchema } from '../../lib/backends/database/server/server-schema.js';
import { tablesOf } from '../../lib/backends/database/table-names.js';

export type ServerKind = 'postgres' | 'mysql';

/** A connection to a server without anything of the queue's around it. */
export interface PlainLink extends Link {
  close(): Promise<void>;
}

export async function plainLink(kind: ServerKind, url: string): Promise<PlainLink> {
  return kind === 'postgres' ? postgresLink(url) : mysqlLink(url);
}

async function postgresLink(url: string): Promise<PlainLink> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async <R extends Row>({ text }: { text: string }) => {
      const { rows, rowCount } = await client.query({ text, rowMode: 'array' });
      return { rows: rows as unknown as R[], changes: rowCount ?? 0 };
    },
    run: async (sql) => void (await client.query(sql)),
    close: () => client.end(),
  };
}

async function mysqlLink(url: string): Promise<PlainLink> {
  const connection = await mysql.createConnection({ uri: url.replace(/^mariadb:/, 'mysql:'), rowsAsArray: true });
  connection.on('error', () => undefined);
  return {
    query: async <R extends Row>({ text }: { text: string }) => {
      const [rows] = await connection.query(text);
      return { rows: rows as unknown as R[], changes: 0 };
    },
    run: async (sql) => void (await connection.query(sql)),
    close: () => connection.end(),
  };
}

/** The tables of a connection with these names, on a server of a kind. */
export function serverSchema(
  kind: ServerKind,
  names: { table?: string; failedTable?: string; batchesTable?: string } = {},
  longestWaitMs?: number,
): ServerSchema {
  const mark = kind === 'postgres' ? '"' : '`';
  const dialect: Pick<ServerDialect, 'name' | 'components'> & {
    flavour: Pick<ServerDialect['flavour'], 'begin' | 'statement'>;
  } = {
    name: kind,
    components: kind === 'postgres' ? postgresComponents : mysqlComponents,
    flavour: { begin: 'BEGIN ISOLATION LEVEL READ COMMITTED', statement: statementOf },
  };
  const tables = tablesOf(names, (name) => `${mark}${name}${mark}`);
  return new ServerSchema(dialect as ServerDialect, tables, {
    store: () => `${kind} at db:1/app`,
    ...(longestWaitMs !== undefined && { longestWaitMs }),
  });
}
