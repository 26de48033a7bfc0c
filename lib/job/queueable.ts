import type { Batch } from '../contracts/batch.js';
import type { QueueableJob } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import { neverAborted } from '../support/abort.js';
import type { Moment } from '../support/duration.js';

/** What fluent calls on a job say. They beat everything the class says. */
export interface FluentOptions {
  queue?: string;
  connection?: string;
  /** `null` after `withoutDelay()`: none, whatever the class says. */
  delay?: Moment | null;
  afterCommit?: boolean;
}

// Outside the instances: a job's own fields are what travels, and it is revived without its constructor.
const fluent = new WeakMap<object, FluentOptions>();
const running = new WeakMap<object, JobContext>();

export function fluentOptions(job: object): FluentOptions | undefined {
  return fluent.get(job);
}

/** Lets a revived job see its attempt. */
export function attachContext(job: object, context: JobContext): void {
  running.set(job, context);
}

/**
 * The base class of jobs: `release fail delete attempts signal` in the handler, `onQueue onConnection delay` before dispatch.
 * A job may do without it and take its context by `@Inject(JOB_REF)`.
 */
export abstract class Queueable implements QueueableJob {
  abstract handle(...dependencies: any[]): unknown;

  onQueue(queue: string): this {
    options(this).queue = queue;
    return this;
  }

  onConnection(connection: string): this {
    options(this).connection = connection;
    return this;
  }

  /** Seconds, a string such as '10m', or the moment itself. Negative and past ones mean now. */
  delay(delay: Moment): this {
    options(this).delay = delay;
    return this;
  }

  withoutDelay(): this {
    options(this).delay = null;
    return this;
  }

  afterCommit(): this {
    options(this).afterCommit = true;
    return this;
  }

  beforeCommit(): this {
    options(this).afterCommit = false;
    return this;
  }

  /** The running job; `null` where no worker runs it. */
  get context(): JobContext | null {
    return running.get(this) ?? null;
  }

  /** Same as `context`. */
  get job(): JobContext | null {
    return running.get(this) ?? null;
  }

  /** Aborts when the job has timed out, lost its lease, or its worker must end. Never aborts where no worker runs it. */
  get signal(): AbortSignal {
    return running.get(this)?.signal ?? neverAborted;
  }

  /** Pick-ups, this one included; 1 where no worker runs it. */
  attempts(): number {
    return running.get(this)?.attempts ?? 1;
  }

  /** Back to the queue, after a delay if given. The handler goes on until it returns. */
  release(delay?: Moment): void {
    running.get(this)?.release(delay);
  }

  /** No further try: recorded as failed. The handler goes on until it returns. */
  fail(error?: Error | string): void {
    running.get(this)?.fail(error);
  }

  /** Done, whatever else happens. */
  delete(): void {
    running.get(this)?.delete();
  }

  /** The batch this job belongs to, read anew; `null` outside one. */
  batch(): Promise<Batch | null> {
    return running.get(this)?.batch() ?? Promise.resolve(null);
  }

  /** Whether it belongs to a batch that is neither finished nor cancelled. */
  async batching(): Promise<boolean> {
    const batch = await this.batch();
    return batch !== null && !batch.finished() && !batch.cancelled();
  }
}

function options(job: object): FluentOptions {
  let found = fluent.get(job);
  if (!found) fluent.set(job, (found = {}));
  return found;
}
