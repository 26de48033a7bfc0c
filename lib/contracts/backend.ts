import type { Clock } from '../support/clock.js';
import type { BatchStore } from './batch-store.js';
import type { ControlStore } from './control-store.js';
import type { FailedJobStore } from './failed-job-store.js';
import type { LockStore } from './lock-store.js';
import type { EffectKind, QueueDriver, ReservedJob, SettleResult } from './queue-driver.js';
import type { RateLimiterStore } from './rate-limiter-store.js';

/** One store behind one connection: a driver and whatever else it can keep. Opens nothing before its first verb. */
export interface Backend {
  readonly queue?: QueueDriver;
  readonly locks?: LockStore;
  readonly limits?: RateLimiterStore;
  readonly failed?: FailedJobStore;
  readonly batches?: BatchStore;
  readonly control?: ControlStore;
  /** Effects that a settlement applies in its own write. The others are applied by the worker. */
  readonly atomic?: ReadonlySet<EffectKind>;
  /**
   * How a watchdog thread reaches the same store: a module that exports `openWatch` (an `OpenWatch`), and cloneable data for it. Asked
   * for once the store has been reached. Absent: it can be reached from this thread alone, and leases are renewed from the main loop.
   */
  readonly watch?: { readonly entry: URL; readonly data: unknown } | undefined;
  /** What is wrong with the store's tables or server, with the command that mends it. A worker and every command ask before they start. */
  check?(): Promise<void>;
  /** Where the store has tables that somebody has to make. */
  readonly schema?: SchemaAbility;
  close(): Promise<void>;
}

/** MySQL stands for MariaDB too. */
export type SchemaKind = 'sqlite' | 'postgres' | 'mysql';

/** Makes a store's tables, or tells how. */
export interface SchemaAbility {
  /** @throws InvalidOptionError where the connection names a DataSource that is not there */
  readonly kind: SchemaKind;
  /** Where the tables are, without credentials: a file, or `postgres at host:5432/database`. */
  readonly store: string;
  /** Creates what is missing and updates what is older; processes that do it at once do it once. */
  install(): Promise<{
    /** The tables by which the parts are known that were created or updated. */
    readonly applied: readonly string[];
  }>;
  /** The statements that make everything in a database that has none of it. Opens nothing. */
  script(): readonly string[];
  /** The same for one part, with what undoes it, as a migration of the application's own. Opens nothing. */
  migration(part: SchemaPart): SchemaMigration;
}

/** Jobs with all that a queue needs, failed jobs, batches; the outbox of another connection. */
export type SchemaPart = 'jobs' | 'failed' | 'batches' | 'outbox';

export interface SchemaMigration {
  /** The table that the part is known by. */
  readonly table: string;
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** The table that keeps versions, shared by all parts: to be dropped with the last of them. */
  readonly versions: string;
}

/** A reservation as a watchdog thread knows it. */
export type WatchedJob = Pick<ReservedJob, 'id' | 'queue' | 'token'>;

/** A store as a watchdog thread reaches it, over a connection of its own: every verb is fenced by token and aligned by index. */
export interface StoreWatch {
  renew(jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]>;
  /** As a release by `settle`. */
  release(
    jobs: readonly (WatchedJob & {
      readonly delayMs: number;
      readonly countAttempt: boolean;
      /** Absent keeps what is there. */
      readonly memo?: string;
    })[],
  ): Promise<readonly SettleResult[]>;
  close(): Promise<void>;
}

/** What the module at `Backend.watch.entry` exports under the name `openWatch`. Opens nothing before the first verb. */
export type OpenWatch = (data: unknown) => StoreWatch | Promise<StoreWatch>;

/** What a connection hands to the backend it makes. */
export interface BackendContext {
  readonly connection: string;
  readonly clock: Clock;
  /** A write on behalf of a producer gives up after this. */
  readonly dispatchTimeoutMs: number;
  /** Runs a job here and now, for connections without a store. Rejects with what the handler threw. */
  readonly run: (job: ReservedJob) => Promise<void>;
  /** Calls `fn` once the current HTTP response is out, at once outside a request. */
  readonly afterResponse: (fn: () => Promise<void>) => void;
  /** A TypeORM DataSource of the application by its Nest name. */
  readonly dataSource: (name: string) => unknown;
  /** One line for the log, said once. */
  readonly warn: (message: string) => void;
}

export type BackendFactory<Options = never> = (options: Options, context: BackendContext) => Backend | QueueDriver;
