import type { Batch } from './batch.js';
import type { FailedJob } from './failed-job-store.js';
import type { JobContext } from './job-context.js';
import type { StopReason, WorkerOptions } from './worker-options.js';

/** An event class: listened to by its class on the QueueManager, by its name on the application's event emitter. */
export interface QueueEventType<E = object> {
  readonly event: string;
  new (...args: any[]): E;
}

/** A job is about to be handed to its store. */
export class JobQueueing {
  static readonly event = 'queue.job.queueing';
  constructor(
    readonly connectionName: string,
    /** As asked for; `null` is the connection's own. */
    readonly queue: string | null,
    readonly job: object,
    readonly payload: string,
    /** Seconds; `null` is none. */
    readonly delay: number | null,
  ) {}
}

/** The store has the job. */
export class JobQueued {
  static readonly event = 'queue.job.queued';
  constructor(
    readonly connectionName: string,
    readonly queue: string | null,
    readonly id: string,
    readonly job: object,
    readonly payload: string,
    readonly delay: number | null,
  ) {}
}

/** A worker looks for jobs, behind what it hands in with the same trip. `queue` lists all it serves, by commas. */
export class JobPopping {
  static readonly event = 'queue.job.popping';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
  ) {}
}

/** A worker has got a job. */
export class JobPopped {
  static readonly event = 'queue.job.popped';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
  ) {}
}

/** An attempt begins, before its limits are looked at. */
export class JobProcessing {
  static readonly event = 'queue.job.processing';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
  ) {}
}

/** The handler returned (also after a release, delete or fail by hand) and the store has accepted what came of it. */
export class JobProcessed {
  static readonly event = 'queue.job.processed';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
  ) {}
}

/** An attempt has ended, however it went. */
export class JobAttempted {
  static readonly event = 'queue.job.attempted';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    /** What was thrown; `null` where nothing was. */
    readonly error: unknown,
    private readonly failed: boolean = false,
  ) {}

  /** No exception, and not failed by hand. */
  successful(): boolean {
    return this.error === null && !this.failed;
  }
}

/** An exception left the handler or its middleware. */
export class JobExceptionOccurred {
  static readonly event = 'queue.job.exception_occurred';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    readonly error: unknown,
  ) {}
}

/** The job was released by hand or by middleware. */
export class JobReleased {
  static readonly event = 'queue.job.released';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    /** Seconds. */
    readonly delay: number,
  ) {}
}

/** The job goes back for another try. */
export class JobReleasedAfterException {
  static readonly event = 'queue.job.released_after_exception';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    /** Seconds. */
    readonly backoff: number,
    readonly error: unknown,
  ) {}
}

/** The job has failed for good: recorded, and gone from its queue. */
export class JobFailed {
  static readonly event = 'queue.job.failed';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    readonly error: Error,
  ) {}
}

/** The job has run past its timeout. */
export class JobTimedOut {
  static readonly event = 'queue.job.timed_out';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    /** Seconds. */
    readonly timeout: number,
  ) {}
}

/** The store refused what came of an attempt: the job is someone else's by now, or gone. */
export class JobLeaseLost {
  static readonly event = 'queue.job.lease_lost';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
  ) {}
}

/** A failed job is about to be sent again. */
export class JobRetryRequested {
  static readonly event = 'queue.job.retry_requested';
  constructor(readonly record: FailedJob) {}
}

/** A later dispatch took this one's place. */
export class JobDebounced {
  static readonly event = 'queue.job.debounced';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
  ) {}
}

/** A unique job was not dispatched: another one holds its lock. */
export class UniqueJobSkipped {
  static readonly event = 'queue.job.unique_skipped';
  constructor(readonly job: object) {}
}

/** A failed() hook threw or did not end in time. The job had been recorded before. */
export class FailedHookErrored {
  static readonly event = 'queue.job.failed_hook_errored';
  constructor(
    readonly connectionName: string,
    readonly job: JobContext,
    readonly error: unknown,
  ) {}
}

/** Before each look for jobs. A listener that answers `false` makes the worker skip it. */
export class Looping {
  static readonly event = 'queue.looping';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
    readonly options: WorkerOptions,
  ) {}
}

export class WorkerStarting {
  static readonly event = 'queue.worker.starting';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
    readonly options: WorkerOptions,
  ) {}
}

/** A look for jobs found none. */
export class WorkerIdle {
  static readonly event = 'queue.worker.idle';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
    readonly options: WorkerOptions,
  ) {}
}

export class WorkerStopping {
  static readonly event = 'queue.worker.stopping';
  constructor(
    /** The exit code. */
    readonly status: number,
    readonly reason: StopReason,
    readonly jobsProcessed: number,
    readonly lastJobProcessedAt: Date | null,
    readonly options: WorkerOptions,
    /** Resident set in MB. */
    readonly memoryUsage: number,
  ) {}
}

/** A signal told the worker to end. */
export class WorkerInterrupted {
  static readonly event = 'queue.worker.interrupted';
  constructor(
    readonly signal: string,
    readonly connectionName: string | null,
    readonly queue: string | null,
  ) {}
}

export class WorkerPausing {
  static readonly event = 'queue.worker.pausing';
  constructor(
    readonly connectionName: string | null,
    readonly queue: string | null,
  ) {}
}

export class WorkerResuming {
  static readonly event = 'queue.worker.resuming';
  constructor(
    readonly connectionName: string | null,
    readonly queue: string | null,
  ) {}
}

/** A worker has noticed that one of its queues is paused. */
export class WorkerQueuePaused {
  static readonly event = 'queue.worker.queue_paused';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
  ) {}
}

export class WorkerQueueResumed {
  static readonly event = 'queue.worker.queue_resumed';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
  ) {}
}

/** Every queue was paused. */
export class QueuesPaused {
  static readonly event = 'queue.all_paused';
}

export class QueuesResumed {
  static readonly event = 'queue.all_resumed';
}

/** A monitored queue has reached its limit. */
export class QueueBusy {
  static readonly event = 'queue.busy';
  constructor(
    readonly connectionName: string,
    readonly queue: string,
    readonly size: number,
  ) {}
}

export class QueuePaused {
  static readonly event = 'queue.paused';
  constructor(
    readonly connectionName: string,
    /** `*`: every queue of the connection. */
    readonly queue: string,
    /** Seconds; `null` is until resumed. */
    readonly ttl: number | null,
  ) {}
}

export class QueueResumed {
  static readonly event = 'queue.resumed';
  constructor(
    readonly connectionName: string,
    /** `*`: every queue of the connection. */
    readonly queue: string,
  ) {}
}

/** A member of a failover connection did not take a job; the next one was tried. */
export class QueueFailedOver {
  static readonly event = 'queue.failed_over';
  constructor(
    readonly connectionName: string,
    readonly job: object,
    readonly error: unknown,
  ) {}
}

export class BatchDispatched {
  static readonly event = 'queue.batch.dispatched';
  constructor(readonly batch: Batch) {}
}

export class BatchStarted {
  static readonly event = 'queue.batch.started';
  constructor(readonly batch: Batch) {}
}

export class BatchFinished {
  static readonly event = 'queue.batch.finished';
  constructor(readonly batch: Batch) {}
}

export class BatchCancelled {
  static readonly event = 'queue.batch.cancelled';
  constructor(
    readonly batch: Batch,
    readonly error: unknown,
  ) {}
}
