import type { EventHub } from '../connections/event-hub.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import {
  FailedHookErrored,
  JobAttempted,
  JobExceptionOccurred,
  JobFailed,
  JobLeaseLost,
  JobReleased,
  JobReleasedAfterException,
  JobTimedOut,
} from '../contracts/queue-events.js';
import type { AttemptReport, AttemptTrace, QueueTelemetry } from '../contracts/telemetry.js';
import type { AttemptContext } from '../job/job-context.js';
import type { CompletionSteps } from './attempt-finisher.js';
import type { InProcessServices } from './in-process-run.js';
import { WorkerStoppingError } from './worker-errors.js';

/** An attempt, and what its events have told of its end so far. */
interface Traced {
  readonly trace: AttemptTrace;
  handled: boolean;
  report: Partial<AttemptReport>;
}

/**
 * Traces attempts by what the module was given for it, which never throws: whatever an attempt runs and sends is run inside its trace,
 * and how it ended is told by the events.
 */
export class AttemptTraces {
  readonly #traced = new WeakMap<JobContext, Traced>();

  constructor(
    private readonly telemetry: Pick<QueueTelemetry, 'processing'>,
    private readonly connectionOf: (name: string) => Pick<QueueConnection, 'driver' | 'inProcess'>,
    hub: Pick<EventHub, 'on'>,
  ) {
    this.#listen(hub);
  }

  /** Starts an attempt. */
  begin(context: AttemptContext, values: JobEnvelope['trace'], start: () => void): void {
    const { driver, inProcess } = this.connectionOf(context.connection);
    const here = inProcess || context.inProcess;
    const trace = this.telemetry.processing({ job: context, driver, values, inProcess: here });
    if (!trace) return start();
    this.#traced.set(context, { trace, handled: false, report: {} });
    context.restored = (fn, ...args) => trace.run(() => fn(...args));
    trace.run(start);
  }

  /** What follows an attempt, inside its trace. */
  completion(steps: CompletionSteps): CompletionSteps {
    return {
      ...steps,
      recordFailure: (end, reserved) => this.#after(end.context, () => steps.recordFailure(end, reserved)),
      effects: (end, reserved) => {
        const { context } = end;
        const effects = this.#after(context, () => steps.effects(end, reserved));
        if (!(effects instanceof Promise)) return this.#bound(context, effects);
        return effects.then((some) => this.#bound(context, some));
      },
      failedHook: (end) => this.#hooked(end.context, () => steps.failedHook(end)),
    };
  }

  /** The same for jobs that are run in this process. */
  inProcess(services: InProcessServices): InProcessServices {
    const { failed, follow } = services;
    return {
      ...services,
      failed: (end) => this.#hooked(end.context, () => failed(end)),
      ...(follow && { follow: (end) => this.#after(end.context, () => follow(end)) }),
    };
  }

  /** The handler is over. */
  #after<R>(context: AttemptContext, fn: () => R): R {
    const traced = this.#traced.get(context);
    if (!traced) return fn();
    if (!traced.handled) {
      traced.handled = true;
      traced.trace.handled();
    }
    return traced.trace.run(fn);
  }

  async #hooked(context: AttemptContext, fn: () => Promise<void>): Promise<void> {
    await this.#after(context, fn);
    this.#traced.get(context)?.trace.handled();
  }

  /** What is done once the store has accepted the end is called from elsewhere. */
  #bound<R>(context: AttemptContext, result: R): R {
    const trace = this.#traced.get(context)?.trace;
    const { accepted, counted } = context;
    if (trace && accepted) context.accepted = () => trace.run(accepted);
    if (trace && counted) context.counted = (progress) => trace.run(() => counted(progress));
    return result;
  }

  #listen(hub: Pick<EventHub, 'on'>): void {
    const tell = (job: JobContext, more: Partial<AttemptReport>): void => {
      const traced = this.#traced.get(job);
      if (traced) traced.report = { ...traced.report, ...more };
    };
    hub.on(JobTimedOut, ({ job, timeout }) => tell(job, { timedOutAfter: timeout }));
    hub.on(JobExceptionOccurred, ({ job, error }) => tell(job, { error }));
    hub.on(JobReleased, ({ job, delay }) => tell(job, { outcome: 'released', delay }));
    hub.on(JobReleasedAfterException, ({ job, backoff, error }) =>
      tell(job, { outcome: 'retried', delay: backoff, error }),
    );
    hub.on(JobFailed, ({ job, error }) => tell(job, { outcome: 'failed', error }));
    hub.on(FailedHookErrored, ({ job, error }) => tell(job, { hookError: error }));
    hub.on(JobLeaseLost, ({ job }) => tell(job, { outcome: 'lease_lost' }));
    hub.on(JobAttempted, ({ job, error }) => {
      const traced = this.#traced.get(job);
      if (!traced) return;
      const { trace, report } = traced;
      const done = (job as AttemptContext).superseded ? 'superseded' : 'processed';
      const handedOn = error instanceof WorkerStoppingError && report.outcome === 'released' && !('error' in report);
      if (handedOn) trace.ended({ outcome: 'handed_on' });
      else trace.ended({ ...(error !== null && { error }), ...report, outcome: report.outcome ?? done });
    });
  }
}
