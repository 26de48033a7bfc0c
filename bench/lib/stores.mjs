import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withClient } from './pg.mjs';

/** A fresh store for each cell: a database on the Postgres server, a file in a temporary folder, an empty Redis. */
export class Stores {
  #folder = mkdtempSync(join(tmpdir(), 'nestjs-queue-bench-'));
  #next = 0;

  constructor({ postgresUrl, redis }) {
    this.postgresUrl = postgresUrl;
    this.redis = redis;
    process.once('exit', () => this.close());
  }

  async open(family) {
    this.#next += 1;
    if (family === 'sqlite') {
      const folder = mkdtempSync(join(this.#folder, 'cell-'));
      return { store: { file: join(folder, 'queue.sqlite') }, drop: async () => rmSync(folder, { recursive: true }) };
    }
    if (family === 'postgres') return this.#database(`bench_${process.pid}_${this.#next}`);
    if (family === 'redis') return this.redis.open();
    return { store: {}, drop: async () => {} };
  }

  close() {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #database(name) {
    const run = (sql) => withClient(this.postgresUrl, (client) => client.query(sql));
    await run(`CREATE DATABASE ${name}`);
    const url = new URL(this.postgresUrl);
    url.pathname = `/${name}`;
    return {
      store: { url: url.href },
      drop: async () => {
        await run(`DROP DATABASE ${name} WITH (FORCE)`);
        // What the cell before has written must not be flushed in the next one's time.
        await run('CHECKPOINT');
      },
    };
  }
}
