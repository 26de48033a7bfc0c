import pg from 'pg';

/** One connection for the harness's own questions. */
export async function withClient(url, work) {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export async function one(url, sql, params = []) {
  return withClient(url, async (client) => Object.values((await client.query(sql, params)).rows[0] ?? {})[0]);
}

/** Bytes of all tables of the database that are not the server's own, with their indexes and TOAST. */
export async function tableBytes(url) {
  const sum = await one(
    url,
    `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`,
  );
  return Number(sum);
}

/**
 * Transactions of this database so far, whoever asked for them. A connection that has gone quiet reports its last ones up to ten seconds
 * later.
 */
export async function transactions(url) {
  const sql = 'SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()';
  return Number(await one(url, sql));
}
