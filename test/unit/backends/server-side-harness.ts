import { createPool, type Pool as MysqlPool, type PoolConnection } from 'mysql2';
import pg from 'pg';
import type { Backend } from '../../../lib/contracts/backend.js';
import { mysqlFlavour } from '../../../lib/backends/database/mysql/mysql-flavour.js';
import { mysqlFaults } from '../../../lib/backends/database/mysql/mysql-faults.js';
import { mysqlLink } from '../../../lib/backends/database/mysql/mysql-link.js';
import { mysqlComponents } from '../../../lib/backends/database/mysql/schema.js';
import { postgresFaults } from '../../../lib/backends/database/postgres/postgres-faults.js';
import { postgresFlavour } from '../../../lib/backends/database/postgres/postgres-flavour.js';
import { postgresLink } from '../../../lib/backends/database/postgres/postgres-link.js';
import { postgresComponents } from '../../../lib/backends/database/postgres/schema.js';
import { BatchRows } from '../../../lib/backends/database/server/batch-rows.js';
import { FailedRows } from '../../../lib/backends/database/server/failed-rows.js';
import { atomically, type Link, type OwnLink } from '../../../lib/backends/database/server/link.js';
import { LockRows } from '../../../lib/backends/database/server/lock-rows.js';
import { ServerBatches } from '../../../lib/backends/database/server/server-batches.js';
import { ServerControl } from '../../../lib/backends/database/server/server-control.js';
import { ServerFailedJobs } from '../../../lib/backends/database/server/server-failed-jobs.js';
import { ServerLimits } from '../../../lib/backends/database/server/server-limits.js';
import { ServerLocks } from '../../../lib/backends/database/server/server-locks.js';
import type { SideStore } from '../../../lib/backends/database/server/side-store.js';
import { tablesOf } from '../../../lib/backends/database/table-names.js';

export type SideKind = 'postgres' | 'mysql';

interface Pool {
  connect(): Promise<OwnLink>;
  end(): Promise<void>;
}

/** Stores beside a queue on a server, over the least that can carry them: a pool, and transactions that are tried again. */
export class SideStores implements SideStore {
  readonly flavour;
  readonly faults;
  readonly tables;
  readonly locks;
  readonly limits;
  readonly control;
  readonly failed;
  readonly batches;
  readonly lockRows;
  readonly failedRows;
  readonly batchRows;
  /** Transactions that met another one and were done again. */
  conflicts = 0;
  readonly #pool: Pool;

  constructor(
    readonly kind: SideKind,
    url: string,
  ) {
    const postgres = kind === 'postgres';
    this.#pool = postgres ? postgresPool(url) : mysqlPool(url);
    this.flavour = postgres ? postgresFlavour : mysqlFlavour;
    this.faults = postgres ? postgresFaults : mysqlFaults;
    this.tables = tablesOf({}, (name) => (postgres ? `"${name}"` : `\`${name}\``));
    this.lockRows = new LockRows(this.tables, this.flavour);
    this.failedRows = new FailedRows(this.tables, this.flavour);
    this.batchRows = new BatchRows(this.tables, this.flavour);
    this.locks = new ServerLocks(this, this.lockRows);
    this.limits = new ServerLimits(this, this.tables, this.flavour);
    this.control = new ServerControl(this, this.tables, this.flavour);
    this.failed = new ServerFailedJobs(this, this.tables, this.flavour, this.failedRows);
    this.batches = new ServerBatches(this, this.batchRows);
  }

  async install(): Promise<void> {
    const components = this.kind === 'postgres' ? postgresComponents(this.tables) : mysqlComponents(this.tables);
    await this.read(async (link) => {
      for (const { versions, drop } of components) for (const sql of [...drop, ...versions.flat()]) await link.run(sql);
    });
  }

  async empty(): Promise<void> {
    const { jobs, once, locks, limits, control, failed, batches, members } = this.tables.quoted;
    await this.read(async (link) => {
      for (const table of [jobs, once, locks, limits, control, failed, batches, members]) {
        await link.run(`DELETE FROM ${table}`);
      }
    });
  }

  backend(): Backend {
    const { locks, limits, control, failed, batches } = this;
    return { locks, limits, control, failed, batches, close: () => Promise.resolve() };
  }

  async read<T>(work: (link: Link) => Promise<T>): Promise<T> {
    const link = await this.#pool.connect();
    try {
      for (;;) {
        try {
          return await work(link);
        } catch (error) {
          if (this.faults.of(error) !== 'conflict') throw error;
          this.conflicts += 1;
        }
      }
    } finally {
      link.release();
    }
  }

  write<T>(work: (link: Link) => Promise<T>): Promise<T> {
    return this.read((link) => atomically(link, this.flavour.begin, () => work(link)));
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

function postgresPool(url: string): Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on('error', () => {});
  return {
    connect: async () => {
      const client = await pool.connect();
      return postgresLink(client, () => client.release());
    },
    end: () => pool.end(),
  };
}

function mysqlPool(url: string): Pool {
  const pool: MysqlPool = createPool({
    uri: url.replace(/^mariadb:/, 'mysql:'),
    connectionLimit: 8,
    charset: 'utf8mb4',
    flags: ['-FOUND_ROWS'],
  });
  const taken = (): Promise<PoolConnection> =>
    new Promise((resolve, reject) =>
      pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))),
    );
  return {
    connect: async () => {
      const connection = await taken();
      return mysqlLink(connection, () => connection.release());
    },
    end: () => new Promise((resolve) => pool.end(() => resolve())),
  };
}
