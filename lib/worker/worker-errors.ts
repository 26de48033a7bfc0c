import { QueueError } from '../support/queue-error.js';

/** A job was picked up more often than it may be. */
export class MaxAttemptsExceededError extends QueueError {
  constructor(message: string, code = 'ERR_QUEUE_MAX_ATTEMPTS_EXCEEDED') {
    super(code, message);
  }

  static of(displayName: string): MaxAttemptsExceededError {
    return new MaxAttemptsExceededError(`${displayName} has been attempted too many times.`);
  }
}

/** An attempt ran longer than its timeout. */
export class TimeoutExceededError extends MaxAttemptsExceededError {
  constructor(displayName: string) {
    super(`${displayName} has timed out.`, 'ERR_QUEUE_TIMEOUT_EXCEEDED');
  }
}

/** The job's workers died while they held it, more often than it may be. */
export class JobStalledError extends QueueError {
  constructor(displayName: string, stalls: number) {
    super(
      'ERR_QUEUE_JOB_STALLED',
      `${displayName} ended with a dead worker ${stalls} ${stalls === 1 ? 'time' : 'times'}: it may be ending the process that runs it.`,
    );
  }
}

/** The job is someone else's by now, or was removed: nothing this attempt does is written any more. */
export class LeaseLostError extends QueueError {
  constructor(
    displayName: string,
    readonly reason: 'lease-lost' | 'cancelled',
  ) {
    super(
      'ERR_QUEUE_LEASE_LOST',
      reason === 'cancelled'
        ? `${displayName} was removed while it ran.`
        : `${displayName} has lost its lease: another worker may run it by now.`,
    );
  }
}

/** A promise that a job left behind was rejected, or a callback of it threw. */
export class UnhandledRejectionError extends QueueError {
  constructor(displayName: string, cause: unknown) {
    super(
      'ERR_QUEUE_UNHANDLED_REJECTION',
      `${displayName} left an error that nothing handled: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Why a job's signal aborts when its worker must end. */
export class WorkerStoppingError extends QueueError {
  constructor() {
    super('ERR_QUEUE_WORKER_STOPPING', 'The worker is stopping and the time for its jobs is nearly over.');
  }
}
