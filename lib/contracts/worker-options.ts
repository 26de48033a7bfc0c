import type { Duration } from '../support/duration.js';

/** What a worker may be told. Durations are seconds as a number, or `'500ms' '90s' '5m' '1h' '2d'`. */
export interface WorkerOptions {
  /** Default: the module's default connection. */
  connection?: string;
  /** Earlier ones first. Default: the connection's own queue. Trimmed; empty and repeated names are dropped. */
  queues?: readonly string[];
  /** Default 'default'. */
  name?: string;
  /** Jobs at a time. Default 1. */
  concurrency?: number;
  /** For jobs that do not say: pick-ups before a job fails; 0 is unlimited. Default 1. */
  tries?: number;
  /** For jobs that do not say: delay before the next try, by attempt. Default 0. */
  backoff?: Duration | readonly Duration[];
  /** For jobs that do not say; 0 is none. Default 60. */
  timeout?: Duration;
  /** How long to wait for a job before looking at the stop conditions again. Default 3. */
  sleep?: Duration;
  /** Pause after each job of a slot. Default 0. */
  rest?: Duration;
  /** End after so many jobs; 0 is off. */
  maxJobs?: number;
  /** End after this time; 0 is off. */
  maxTime?: Duration;
  /** End, between jobs, when the process is larger than so many MB; 0 is off. */
  memory?: number;
  stopWhenEmpty?: boolean;
  /** End when there has been nothing to do for this long; 0 is off. */
  stopWhenEmptyFor?: Duration;
  /** Work through every pause. */
  force?: boolean;
  /** How long running jobs may take to end when the worker is told to stop. Default 25. */
  grace?: Duration;
  /** How long a timed-out handler may take to end by its signal. Default 5. */
  timeoutGrace?: Duration;
  /** Pick-ups that may end in a dead worker before the job fails. Default 3. */
  maxStalls?: number;
  /** Jobs to hold beyond the free slots. Default: the connection's, else 0. */
  prefetch?: number;
  /** Pick-ups of a job whose name nobody here knows before it fails. Default 3. */
  unknownJobTries?: number;
  /**
   * A thread keeps the leases while a handler blocks the event loop. Where a handler blocks it past its timeout and `timeoutGrace`, the
   * thread gives the job back as timed out and ends the process (SIGKILL), if that is a worker's own or `exitWhenStuck` is set. Where the
   * store cannot be reached from a thread (in memory, a library given as a function) there is none. Default true.
   */
  watchdog?: boolean;
  /** End with reason 'lost_connection' when the store goes away, instead of reconnecting. Default false. */
  stopOnLostConnection?: boolean;
  /** In-app worker: end the process when a handler cannot be stopped. Default false. */
  exitWhenStuck?: boolean;
}

export type StopReason =
  | 'interrupted'
  | 'lost_connection'
  | 'max_jobs'
  | 'memory'
  | 'max_time'
  | 'empty'
  | 'empty_for'
  | 'restart_signal'
  | 'timed_out';

export interface WorkerStatus {
  /** 'starting', 'running', 'paused', 'stopping' or 'stopped'. */
  state: string;
  running: number;
  processed: number;
  failed: number;
  since: Date;
  lastJobAt: Date | null;
}
