import type { BackendContext } from '../contracts/backend.js';
import type { Duration } from '../support/duration.js';
import type { OwnConnections } from './own-connections.js';

/** One named connection. `afterCommit`, `queue` (default 'default') and `retryAfter` (the lease, default 30 s, at least 1 s) mean the same everywhere. */
export type ConnectionOptions =
  | { driver: 'sync' | 'deferred'; afterCommit?: boolean }
  | { driver: 'null' }
  | { driver: 'memory'; queue?: string; retryAfter?: Duration; afterCommit?: boolean; outbox?: OutboxOptions }
  | {
      driver: 'database';
      /** The Nest name of a TypeORM DataSource, a DataSource, or its options. Default: `QUEUE_DATABASE_URL`, else `./queue.sqlite`. */
      dataSource?: string | object;
      /** Default 'jobs'. */
      table?: string;
      queue?: string;
      retryAfter?: Duration;
      afterCommit?: boolean;
      /** Create or update the tables at boot. Default: true on SQLite, false elsewhere. */
      migrate?: boolean;
      /** Jobs a worker may hold beyond its free slots. Default 0. */
      prefetch?: number;
    }
  | {
      driver: 'redis';
      /** `redis://user:password@host:6379/0`, `rediss://…` for TLS, or a socket's path. Default: env `REDIS_URL`, else localhost. */
      url?: string;
      /** Of an ioredis client, Sentinel and TLS among them; they stand before what the URL says. */
      options?: object;
      /** `options` are those of an ioredis Cluster. */
      cluster?: { nodes: { host: string; port: number }[]; options?: object };
      /** An ioredis client, Redis or Cluster, whose settings are used. The queue opens connections of its own and leaves this one alone. */
      client?: object;
      queue?: string;
      /** What all keys begin with. Default 'queue'. With braces in it everything is in one slot of a cluster. */
      prefix?: string;
      retryAfter?: Duration;
      /** How long a worker waits for a job in one call. */
      blockFor?: Duration;
      afterCommit?: boolean;
      /** Jobs that wait for a commit are written to the database within the transaction, and sent on from there. Default false. */
      outbox?: OutboxOptions;
      /**
       * Refuse a server that may throw jobs away (a `maxmemory-policy` other than noeviction), or does not say what its policy is, instead
       * of warning. Default false.
       */
      strict?: boolean;
      prefetch?: number;
    }
  | {
      driver: 'sqs';
      region: string;
      queue?: string;
      prefix?: string;
      suffix?: string;
      endpoint?: string;
      credentials?: object;
      afterCommit?: boolean;
      outbox?: OutboxOptions;
      overflow?: object;
    }
  | {
      driver: 'beanstalkd';
      host: string;
      port?: number;
      queue?: string;
      retryAfter?: Duration;
      afterCommit?: boolean;
      outbox?: OutboxOptions;
    }
  | { driver: 'failover'; connections: string[] }
  | OwnConnections[keyof OwnConnections];

/**
 * The outbox of a connection that is not the application's database. `true`: in the DataSource with the Nest name 'default'. What is
 * dispatched with `afterCommit` in a transaction of that DataSource, or `within(manager)`, is committed with it, and any worker of the
 * module sends it on.
 */
export type OutboxOptions =
  | boolean
  | {
      /** The Nest name of a TypeORM DataSource, a DataSource, or its options. */
      dataSource: string | object;
      /** Default 'queue_outbox'. Applications that share a database and a connection's name give it names of their own. */
      table?: string;
    };

/** Where failed jobs are kept. Default: env `QUEUE_FAILED_DRIVER`, else the default connection's own store. */
export interface FailedOptions {
  /** `null` keeps none. `dynamodb` needs a driver of that name of one's own. */
  driver: 'database' | 'redis' | 'dynamodb' | 'file' | 'memory' | 'null';
  /** Of database, redis and memory. Default: the default connection where it has that driver, else the first one that has. */
  connection?: string;
  /** Of database. Default 'failed_jobs'. */
  table?: string;
  /** Of file. Default './failed-jobs.json', from the working folder. */
  path?: string;
  /** Of file: so many are kept, the newest. Default 100. */
  limit?: number;
}

/** Where batches are kept. Default: the default connection's own store. */
export interface BatchingOptions {
  driver: 'database' | 'redis' | 'dynamodb' | 'memory';
  connection?: string;
  /** Default 'job_batches'. */
  table?: string;
}

/** Those of the module's options that say which connections and stores there are. */
export interface ConnectionsOptions {
  /** The connection of jobs that name none. Default: env `QUEUE_CONNECTION`, else 'database'. */
  default?: string;
  /** By name. `sync`, `null`, `deferred`, `memory` and `database` exist without being listed. */
  connections?: Record<string, ConnectionOptions>;
  failed?: FailedOptions;
  batching?: BatchingOptions;
  /** The connection whose store keeps unique and overlap locks and rate limits. Default: the default connection's own store. */
  locks?: { connection: string };
  /** Drivers of one's own, by name. Each is given the options of its connection, and answers with a driver or a whole `Backend`. */
  drivers?: Record<string, (options: any, context: BackendContext) => unknown>;
  /** How long a dispatch waits for its store. Default 5 s. */
  dispatchTimeout?: Duration;
  /** The largest body of a job in bytes. Default 1 MiB. */
  maxPayload?: number;
}
