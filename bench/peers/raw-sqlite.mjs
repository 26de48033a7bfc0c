import { createRequire } from 'node:module';

// The package's own SQLite library, so that the difference is what the queue costs.
const Database = createRequire(new URL('../../package.json', import.meta.url))('libsql');

/** Not a queue: the fewest statements that one with a reservation and an acknowledgement needs. No lease, no retry, no waking. */
export async function open({ store }) {
  const db = new Database(store.file, { timeout: 5_000 });
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = NORMAL');
  db.exec(`CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, available_at INTEGER NOT NULL, reserved_at INTEGER, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS jobs_claim ON jobs (available_at, id) WHERE reserved_at IS NULL`);
  const insert = db.prepare('INSERT INTO jobs (available_at, body) VALUES (?, ?)');
  const claim = db.prepare(`UPDATE jobs SET reserved_at = ? WHERE id IN
    (SELECT id FROM jobs WHERE reserved_at IS NULL AND available_at <= ? ORDER BY available_at, id LIMIT ?) RETURNING id, body`);
  const remove = db.prepare('DELETE FROM jobs WHERE id = ?');
  const count = db.prepare('SELECT count(*) AS n FROM jobs');
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    async dispatch(data, at = Date.now()) {
      insert.run([at, JSON.stringify(data)]);
    },
    async bulk(list) {
      const at = Date.now();
      db.exec('BEGIN IMMEDIATE');
      for (const data of list) insert.run([at, JSON.stringify(data)]);
      db.exec('COMMIT');
    },
    async pending() {
      return count.get([]).n;
    },
    async work({ concurrency, onJob }) {
      let going = true;
      const loop = async () => {
        while (going) {
          const at = Date.now();
          const jobs = claim.all([at, at, concurrency]);
          await Promise.all(
            jobs.map(async ({ body }) => {
              if (onJob(JSON.parse(body).n) === false) going = false;
            }),
          );
          if (jobs.length > 0) {
            db.exec('BEGIN IMMEDIATE');
            for (const { id } of jobs) remove.run([id]);
            db.exec('COMMIT');
          }
          await turn();
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
      db.close();
    },
  };
}
