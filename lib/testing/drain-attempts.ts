import type { EventHub } from '../connections/event-hub.js';
import type { JobContext } from '../contracts/job-context.js';
import {
  JobAttempted,
  JobDebounced,
  JobFailed,
  JobLeaseLost,
  JobProcessing,
  JobReleased,
  JobReleasedAfterException,
} from '../contracts/queue-events.js';

/** One attempt of a job. */
export interface DrainedAttempt {
  /** The name that the job travels under; of a call or a closure what it is shown as. */
  readonly name: string;
  /** Which pick-up it was. */
  readonly attempts: number;
  /** `debounced`: a later dispatch had taken its place, so it did not run. `lost`: the store took it for somebody else's by then. */
  readonly outcome: 'done' | 'retry' | 'failed' | 'debounced' | 'lost';
  /** What was thrown, or what it was failed with. */
  readonly error?: unknown;
}

export type AttemptOutcome = DrainedAttempt['outcome'];

type About = Pick<JobAttempted, 'connectionName' | 'job'>;

interface Begun {
  readonly job: JobContext;
  outcome?: AttemptOutcome;
  error?: unknown;
  over: boolean;
}

/** Names of this package's own, which say nothing to a reader. */
const OWN_NAME = /^@/;

/** What a job is called in lists. */
export function nameOf({ name, displayName }: Pick<JobContext, 'name' | 'displayName'>): string {
  return name === '' || OWN_NAME.test(name) ? displayName : name;
}

/** What becomes of attempts, told by events in the order in which they began. */
export class DrainAttempts {
  readonly #all: Begun[] = [];
  readonly #byJob = new WeakMap<JobContext, Begun>();
  readonly #off: readonly (() => void)[];

  /**
   * @param connection whose attempts; default those of all
   * @param ended told of each attempt whose end the store has accepted or refused
   */
  constructor(
    hub: EventHub,
    connection?: string,
    ended: (job: JobContext, outcome: AttemptOutcome, error: unknown) => void = () => {},
  ) {
    const of = ({ connectionName, job }: About): Begun | undefined =>
      connection === undefined || connectionName === connection ? this.#of(job) : undefined;
    const note = (event: About, outcome: AttemptOutcome, error?: unknown): void => {
      const one = of(event);
      if (!one) return;
      one.outcome = outcome;
      if (error !== undefined) one.error = error;
    };
    this.#off = [
      hub.on(JobProcessing, (event) => void of(event)),
      hub.on(JobDebounced, (event) => note(event, 'debounced')),
      hub.on(JobReleased, (event) => note(event, 'retry')),
      hub.on(JobReleasedAfterException, (event) => note(event, 'retry', event.error)),
      hub.on(JobFailed, (event) => note(event, 'failed', event.error)),
      hub.on(JobLeaseLost, (event) => note(event, 'lost')),
      hub.on(JobAttempted, (event) => {
        const one = of(event);
        if (!one) return;
        one.over = true;
        one.outcome ??= 'done';
        if (event.error !== null) one.error ??= event.error;
        ended(event.job, one.outcome, one.error);
      }),
    ];
  }

  get size(): number {
    return this.#all.length;
  }

  /** Begun and not over. */
  get open(): number {
    return this.#all.filter(({ over }) => !over).length;
  }

  list(): DrainedAttempt[] {
    return this.#all.map(({ job, outcome = 'done', error }) => ({
      name: nameOf(job),
      attempts: job.attempts,
      outcome,
      ...(error !== undefined && { error }),
    }));
  }

  close(): void {
    for (const off of this.#off) off();
  }

  #of(job: JobContext): Begun {
    let one = this.#byJob.get(job);
    if (!one) {
      one = { job, over: false };
      this.#byJob.set(job, one);
      this.#all.push(one);
    }
    return one;
  }
}
