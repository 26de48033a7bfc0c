import { Logger, type LoggerService } from '@nestjs/common';
import type { JobContext } from '../contracts/job-context.js';
import {
  FailedHookErrored,
  JobFailed,
  JobLeaseLost,
  JobReleasedAfterException,
  JobTimedOut,
  QueueFailedOver,
  WorkerInterrupted,
  WorkerPausing,
  WorkerQueuePaused,
  WorkerQueueResumed,
  WorkerResuming,
  WorkerStarting,
  WorkerStopping,
  type QueueEventType,
} from '../contracts/queue-events.js';
import { systemClock, type Clock } from '../support/clock.js';
import { errorLine, errorText } from '../support/error-text.js';

/** What is needed of the event hub. */
export interface EventSource {
  on<E extends object>(type: QueueEventType<E>, listener: (event: E) => unknown): unknown;
}

/** A line about an outage that says what another has said is left out for this long. */
const QUIET_MS = 30_000;
/** Different lines remembered; more are a flood in which the oldest may come again. */
const REMEMBERED = 1_000;

/**
 * The queue's log, under the context `Queue`: the only place that writes it. Failures are errors, further tries, timeouts and lost leases
 * warnings, with the stack at debug level; a worker's start, pauses and end are at log level. Never what a job carries.
 */
export class LogSubscriber {
  readonly #said = new Map<string, number>();

  constructor(
    private readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error' | 'debug'> = new Logger('Queue'),
    private readonly clock: Clock = systemClock,
  ) {}

  subscribe(events: EventSource): void {
    events.on(JobFailed, ({ connectionName, job, error }) => {
      this.logger.error(oneLine(`${jobAt(connectionName, job)} failed ${tries(job)}: ${errorLine(error)}`));
      this.#stack(job, error);
    });
    events.on(JobReleasedAfterException, ({ connectionName, job, backoff, error }) => {
      this.logger.warn(
        oneLine(
          `${jobAt(connectionName, job)} threw in attempt ${job.attempts}, next try in ${backoff} s: ${errorLine(error)}`,
        ),
      );
      this.#stack(job, error);
    });
    events.on(JobTimedOut, ({ connectionName, job, timeout }) => {
      this.logger.warn(oneLine(`${jobAt(connectionName, job)} ran past its timeout of ${timeout} s.`));
    });
    events.on(JobLeaseLost, ({ connectionName, job }) => {
      this.logger.warn(
        oneLine(
          `${jobAt(connectionName, job)} was lost while it ran: another worker has it by now, or it was removed. Nothing was written for it.`,
        ),
      );
    });
    events.on(FailedHookErrored, ({ connectionName, job, error }) => {
      this.logger.error(
        oneLine(`${jobAt(connectionName, job)}: its failed() hook did not end well: ${errorLine(error)}`),
      );
      this.#stack(job, error);
    });
    events.on(QueueFailedOver, ({ connectionName, error }) => {
      this.outage(`Connection ${connectionName} did not take a job, the next one is tried: ${errorLine(error)}`);
    });
    this.#workers(events);
  }

  #workers(events: EventSource): void {
    const say = (line: string): void => this.logger.log(oneLine(line));
    events.on(WorkerStarting, ({ connectionName, queue, options: { concurrency = 1 } }) => {
      say(`Worker started on ${connectionName}, queue ${queue}, concurrency ${concurrency}, pid ${process.pid}.`);
    });
    events.on(WorkerInterrupted, ({ signal, connectionName, queue }) => {
      say(`${signal}: the worker on ${connectionName}, queue ${queue} ends after its running jobs.`);
    });
    events.on(WorkerPausing, ({ connectionName, queue }) => {
      say(`Worker on ${connectionName}, queue ${queue} is paused: it takes no job until it is told to go on.`);
    });
    events.on(WorkerResuming, ({ connectionName, queue }) =>
      say(`Worker on ${connectionName}, queue ${queue} goes on.`),
    );
    events.on(WorkerQueuePaused, ({ connectionName, queue }) => {
      say(`Queue ${queue} of ${connectionName} is paused: the worker takes no job from it.`);
    });
    events.on(WorkerQueueResumed, ({ connectionName, queue }) => {
      say(`Queue ${queue} of ${connectionName} is worked again.`);
    });
    events.on(WorkerStopping, ({ reason, status, jobsProcessed }) => {
      say(
        `Worker stopped (${reason}, exit code ${status}) after ${jobsProcessed} ${jobsProcessed === 1 ? 'job' : 'jobs'}.`,
      );
    });
  }

  /** A warning; the same one at most once in 30 seconds. */
  outage(message: string): void {
    const line = oneLine(message);
    // "no answer within 5012 ms" is what "no answer within 5239 ms" has said.
    const told = line.replaceAll(/\b\d{1,9} ms\b/g, 'ms');
    const now = this.clock.elapsed();
    const before = this.#said.get(told);
    if (before !== undefined && now - before < QUIET_MS) return;
    this.#said.delete(told);
    this.#said.set(told, now);
    if (this.#said.size > REMEMBERED) this.#said.delete(this.#said.keys().next().value!);
    this.logger.warn(line);
  }

  /** A listener, hook or function after the response threw; changed nothing. */
  mishap(what: string, error: unknown): void {
    this.logger.error(oneLine(`${what}: ${errorLine(error)}`));
    this.logger.debug?.(indented(errorText(error)));
  }

  #stack(job: JobContext, error: unknown): void {
    this.logger.debug?.(`${oneLine(`${job.displayName} [${job.id}]`)}\n${indented(errorText(error))}`);
  }
}

function jobAt(connection: string, job: JobContext): string {
  return `${job.displayName} [${job.id}] on ${connection}:${job.queue}`;
}

function tries(job: JobContext): string {
  return job.attempts === 1 ? 'at its first attempt' : `after ${job.attempts} attempts`;
}

// C0 and C1 controls, the separators that some viewers break lines at, and what turns the direction of writing around.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const WRITTEN: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Names and messages come from outside: a line break in one must not look like a line of its own, nor an escape code reach a terminal. */
function oneLine(text: string): string {
  return text.replace(CONTROLS, (char) => WRITTEN[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${oneLine(line)}`)
    .join('\n');
}
