import type { Duration } from '../../support/duration.js';

/** Options of a connection with `driver: 'database'`. */
export interface DatabaseConnectionOptions {
  readonly driver: 'database';
  /**
   * The name of a Nest DataSource, a DataSource, or its options, of type better-sqlite3, postgres, mysql or mariadb. Only where the
   * database is, is taken from it: the queue opens connections of its own, a few for each process. Default: the environment's
   * QUEUE_DATABASE_URL, else `./queue.sqlite`.
   */
  readonly dataSource?: string | DataSourceLike | DataSourceOptionsLike;
  /** Default 'jobs'. The queue's other tables are named after it. */
  readonly table?: string;
  readonly queue?: string;
  readonly retryAfter?: Duration;
  readonly afterCommit?: boolean;
  /** Create or update the tables on first use. Default: true on SQLite, false on servers, where `queue:install` does it. */
  readonly migrate?: boolean;
  readonly prefetch?: number;
  /** Default 'failed_jobs'. */
  readonly failedTable?: string;
  /** Default 'job_batches'. */
  readonly batchesTable?: string;
  /** The outbox of another connection: jobs on their way, and nothing else. Set by the package itself. */
  readonly outbox?: true;
}

/** What is looked at of TypeORM's DataSourceOptions. */
export interface DataSourceOptionsLike {
  readonly type: string;
  readonly database?: unknown;
  readonly driver?: unknown;
}

/** What is looked at of a TypeORM DataSource. */
export interface DataSourceLike {
  readonly options: DataSourceOptionsLike;
  readonly isInitialized: boolean;
  readonly driver: unknown;
}

/** What is used of a TypeORM EntityManager. */
export interface EntityManagerLike {
  readonly dataSource?: DataSourceLike;
  query(sql: string, parameters?: unknown[]): Promise<unknown>;
}

export function isDataSource(value: unknown): value is DataSourceLike {
  return typeof value === 'object' && value !== null && 'options' in value && 'driver' in value;
}
