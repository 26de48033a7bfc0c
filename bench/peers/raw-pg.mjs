import pg from 'pg';

const TABLE = `CREATE TABLE IF NOT EXISTS jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, available_at timestamptz NOT NULL, reserved_at timestamptz, body text NOT NULL);
  CREATE INDEX IF NOT EXISTS jobs_claim ON jobs (available_at, id) WHERE reserved_at IS NULL`;
const INSERT = { name: 'insert', text: 'INSERT INTO jobs (available_at, body) VALUES (now(), $1)' };
const INSERT_MANY = { name: 'bulk', text: 'INSERT INTO jobs (available_at, body) SELECT now(), unnest($1::text[])' };
// Acknowledges what is done and claims the next, in one statement and one commit.
const TURN = {
  name: 'turn',
  text: `WITH done AS (DELETE FROM jobs WHERE id = ANY ($1::bigint[])),
    next AS MATERIALIZED (SELECT id FROM jobs WHERE reserved_at IS NULL AND available_at <= now() ORDER BY available_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
    UPDATE jobs SET reserved_at = now() FROM next WHERE jobs.id = next.id RETURNING jobs.id, jobs.body`,
};

/**
 * Not a queue: the fewest statements that one with a reservation and an acknowledgement needs, over named prepared statements. One loop
 * claims `concurrency` jobs (or `batch`) at a time. No lease, no retry, no waking.
 */
export async function open({ store, options }) {
  const pool = new pg.Pool({ connectionString: store.url, max: 10 });
  await pool.query(TABLE).catch((error) => {
    // Two processes that open at once: the other one has made it.
    if (error.code !== '23505') throw error;
  });
  return {
    async dispatch(data) {
      await pool.query({ ...INSERT, values: [JSON.stringify(data)] });
    },
    async bulk(list) {
      await pool.query({ ...INSERT_MANY, values: [list.map((data) => JSON.stringify(data))] });
    },
    async pending() {
      return Number((await pool.query('SELECT count(*) AS n FROM jobs')).rows[0].n);
    },
    async work({ concurrency, onJob }) {
      let going = true;
      const loop = async () => {
        let done = [];
        while (going || done.length > 0) {
          const limit = going ? Math.max(concurrency, options?.batch ?? 0) : 0;
          const { rows } = await pool.query({ ...TURN, values: [done, limit] });
          for (const { body } of rows) if (onJob(JSON.parse(body).n) === false) going = false;
          done = rows.map(({ id }) => id);
          if (rows.length === 0 && going) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const ended = loop();
      return {
        async stop() {
          going = false;
          await ended;
        },
      };
    },
    async close() {
      await pool.end();
    },
  };
}
