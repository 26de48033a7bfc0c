import type { EventHub } from '../connections/event-hub.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { JobProcessing } from '../contracts/queue-events.js';
import { AttemptContext, type AttemptServices } from '../job/job-context.js';
import type { JobRegistry, RegisteredJob } from '../job/job-registry.js';
import { toError } from '../support/error-text.js';
import { readMemo } from './attempt-memo.js';
import { failedByTimeout } from './past-timeout.js';
import { runRestored } from './restored-context.js';
import { limitsOf, type RunOptions, type RunServices } from './run-options.js';
import { RunningAttempt } from './running-attempt.js';

/** What running jobs takes from the floors around it. */
export interface RunnerServices extends RunServices<RunningAttempt> {
  readonly hub: EventHub;
  readonly registry: JobRegistry;
  readonly context: AttemptServices;
  /** Absent where nothing is traced. */
  readonly traces?:
    { begin(context: AttemptContext, values: JobEnvelope['trace'], start: () => void): void } | undefined;
}

/** Turns a reservation into an attempt. One for all workers of a process. */
export class JobRunner {
  constructor(private readonly services: RunnerServices) {}

  /** The attempt, not started yet: whoever holds it must be able to name it from its first moment. */
  prepare(reserved: ReservedJob, connection: string, options: RunOptions): RunningAttempt {
    const { services } = this;
    let envelope: JobEnvelope | undefined;
    let registered: RegisteredJob | undefined;
    let unreadable: Error | undefined;
    try {
      envelope = services.read(reserved.body);
      registered = services.registry.find(envelope.name);
      unreadable = services.refusal?.(envelope, reserved.id, registered?.definition);
      // What nobody vouches for is recorded under its name, and nothing of its class is called with it.
      if (unreadable || registered?.knows?.(envelope) === false) registered = undefined;
    } catch (error) {
      unreadable = toError(error);
    }
    const memo = readMemo(reserved.memo);
    let late: Error | undefined;
    if (memo.timedOut !== undefined && registered && options.limited) {
      const limits = limitsOf(envelope!.displayName, envelope, options);
      late = failedByTimeout(reserved, memo, limits, services.clock.now());
    }
    // What is only recorded now is still about the attempt that timed out.
    const seen = late ? { ...reserved, attempts: reserved.attempts - 1 } : reserved;
    const context = new AttemptContext(connection, seen, envelope, services.context);
    if (memo.following) context.following = memo.following;
    return new RunningAttempt(
      context,
      reserved,
      memo,
      envelope,
      unreadable,
      registered,
      services,
      options,
      services.clock.elapsed(),
      late,
    );
  }

  start(attempt: RunningAttempt): void {
    if (this.services.traces) this.#traced(attempt);
    else this.#start(attempt);
  }

  #traced(attempt: RunningAttempt): void {
    this.services.traces!.begin(attempt.context, attempt.trace, () => this.#start(attempt));
  }

  #start(attempt: RunningAttempt): void {
    const { restore, storage } = this.services;
    const values = restore && attempt.values;
    if (values === undefined) {
      this.#processing(attempt.context);
      attempt.start();
      return;
    }
    const { context } = attempt;
    // An error that a listener leaves behind is not the job's.
    const outside = <R>(fn: () => R): R => storage.exit(fn);
    attempt.start((begin) => runRestored(restore!, values, context, outside, () => this.#processing(context), begin));
  }

  #processing(context: AttemptContext): void {
    const { hub } = this.services;
    if (hub.heard(JobProcessing)) hub.emit(new JobProcessing(context.connection, context));
  }
}
