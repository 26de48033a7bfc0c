import type { JobContext } from './job-context.js';

/** What travels with a job of the trace that sent it, under the names of the W3C headers: `traceparent`, `tracestate`, `baggage`. */
export type TraceValues = Readonly<Record<string, string>>;

/**
 * Traces dispatches and attempts: the module's `telemetry` option. What it throws is said once in the log and changes nothing; what it
 * returns is not waited for.
 */
export interface QueueTelemetry {
  /** Called once for each queue that a dispatch sends jobs to, before they are written down. Not for jobs that run in this process. */
  publishing(to: Publishing): PublishTrace | undefined;
  /** Called for each attempt before anything of it runs. */
  processing(attempt: Processing): AttemptTrace | undefined;
  /** What a job is to carry that is sent by what runs around the caller; `undefined` where nothing is traced there. */
  current(): TraceValues | undefined;
}

/** Where a dispatch sends jobs. */
export interface Publishing {
  readonly kind: 'job' | 'bulk' | 'batch';
  /** Absent for a batch that leaves it to its members. */
  readonly connection?: string | undefined;
  /** The connection's driver. */
  readonly driver?: string | undefined;
  /** Absent for a batch that leaves it to its members. */
  readonly queue?: string | undefined;
  /** The registered name of the job; of a batch its own name, which may be empty. Absent for a bulk. */
  readonly name?: string | undefined;
  /** Of the job, or of a batch that is there already. */
  readonly id?: string | undefined;
}

/** A dispatch under way. */
export interface PublishTrace {
  /** What its jobs carry. */
  readonly values?: TraceValues | undefined;
  /** Calls a function with this around it, and gives what it returned. */
  run<R>(fn: () => R): R;
  /** The store has answered. Called once. */
  ended(answer: PublishAnswer): void;
}

export interface PublishAnswer {
  /** How many jobs there were; of a batch how many members. */
  readonly jobs: number;
  /** Nothing was stored, and that is no failure: a unique lock held it back. */
  readonly skipped?: true;
  /** Of a bulk, that of the first of its jobs that was not stored. */
  readonly error?: unknown;
}

/** An attempt that is about to begin. */
export interface Processing {
  readonly job: JobContext;
  /** The connection's driver. */
  readonly driver: string;
  /** What the job carries; `undefined` where that is nothing, or where nobody vouches for it. */
  readonly values: TraceValues | undefined;
  /** It runs where it was dispatched (`sync`, `deferred`, `dispatchSync()`), and there is no queue in between. */
  readonly inProcess: boolean;
}

/** An attempt under way. */
export interface AttemptTrace {
  /** Calls a function with this around it, and gives what it returned: the attempt, its `failed()`, its listeners, what is sent behind it. */
  run<R>(fn: () => R): R;
  /** The handler has ended; called again when a `failed()` has. What the job took ends here: until `ended` the store is waited for. */
  handled(): void;
  /** The store has accepted how it ended, or has refused it. Called once. */
  ended(report: AttemptReport): void;
}

/**
 * How an attempt ended. `retried`: it threw, and there is another try. `released`: by hand or by middleware. `handed_on`: its worker had to
 * end. `lease_lost`: the job was somebody else's by then, or gone. `superseded`: a newer dispatch of a debounced job took its place.
 */
export type AttemptVerdict =
  'processed' | 'superseded' | 'released' | 'retried' | 'failed' | 'handed_on' | 'lease_lost';

export interface AttemptReport {
  readonly outcome: AttemptVerdict;
  /** What it threw, or failed with. */
  readonly error?: unknown;
  /** Seconds until the next try. */
  readonly delay?: number;
  /** It ran past its timeout, so many seconds. */
  readonly timedOutAfter?: number;
  /** What its `failed()` threw. */
  readonly hookError?: unknown;
}
