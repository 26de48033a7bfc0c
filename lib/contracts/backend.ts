import type { Clock } from '../support/clock.js';
import type { BatchStore } from './batch-store.js';
import type { ControlStore } from './control-store.js';
import type { FailedJobStore } from './failed-job-store.js';
import type { LockStore } from './lock-store.js';
import type { EffectKind, QueueDriver, ReservedJob } from './queue-driver.js';
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
  /** How a watchdog thread reaches the same store: cloneable data only. Absent: leases are renewed from the main loop. */
  readonly watch?: { readonly entry: URL; readonly data: unknown };
  /** What is wrong with the store's tables or server, with the command that mends it. A worker and every command ask before they start. */
  check?(): Promise<void>;
  close(): Promise<void>;
}

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
