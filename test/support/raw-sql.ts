import mysql from 'mysql2/promise';
import pg from 'pg';
import type { SqlServerKind } from './servers.mjs';

/** A connection that knows nothing of the queue. */
export interface RawSql {
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export async function rawSql(kind: SqlServerKind, url: string): Promise<RawSql> {
  if (kind === 'postgres') {
    const client = new pg.Client({ connectionString: url });
    // A server that is stopped under it is what some tests are about.
    client.on('error', () => {});
    await client.connect();
    return {
      sql: async (text, values = []) => (await client.query(text, values)).rows,
      close: () => client.end(),
    };
  }
  const connection = await mysql.createConnection({ uri: url.replace(/^mariadb:/, 'mysql:') });
  connection.on('error', () => {});
  return {
    sql: async (text, values = []) => (await connection.query(text, values))[0] as never,
    close: () => connection.end(),
  };
}
