import type { Batch } from '../contracts/batch.js';
import type { Dispatchable, QueueableJob } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { neverAborted } from '../support/abort.js';
import type { Moment } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** What fluent calls on a job say. They beat everything the class says. */
export interface FluentOptions {
  queue?: string;
  connection?: string;
  /** `null` after `withoutDelay()`: none, whatever the class says. */
  delay?: Moment | null;
  afterCommit?: boolean;
  /** For stores that keep the jobs of a group in order. */
  group?: string;
  /** Gives the text by which a store knows a repeat; it is given the payload. */
  deduplicator?: (payload: string) => string;
  /** Middleware that travels with the job. */
  through?: readonly JobMiddleware[] | undefined;
  /** What follows when the job is done. */
  chain?: readonly Dispatchable[];
  /** What is sent when the job, or a later one of its chain, has failed for good. */
  catch?: readonly Dispatchable[];
}

// Outside the instances: a job's own fields are what travels, and it is revived without its constructor.
const fluent = new WeakMap<object, FluentOptions>();

/** Puts a private field on an object that exists. */
class Bare {
  constructor(one: object) {
    return one;
  }
}

/**
 * The attempt of a running job, by a field that nobody else sees. A WeakMap for all jobs would keep each until a full collection: V8's
 * small ones take what stands in an old table for alive.
 */
class Running extends Bare {
  #context: JobContext | undefined;

  static get(job: object): JobContext | undefined {
    return #context in job ? job.#context : undefined;
  }

  static set(job: object, context: JobContext): void {
    const one = #context in job ? job : (new Running(job) as unknown as Running);
    one.#context = context;
  }
}

export function fluentOptions(job: object): FluentOptions | undefined {
  return fluent.get(job);
}

/** Lets a revived job see its attempt. */
export function attachContext(job: object, context: JobContext): void {
  Running.set(job, context);
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

  /**
   * What follows when this job is done, one after the other. Takes the place of what an earlier call said. Empty entries are left out.
   *
   * @throws InvalidOptionError where nothing is left
   */
  chain(jobs: readonly (Dispatchable | Empty)[]): this {
    options(this).chain = chained(jobs, `${this.constructor.name}.chain()`);
    return this;
  }

  /**
   * Puts jobs right behind this one, before what follows already. While the job runs they count only if this attempt succeeds.
   *
   * @throws NotAJobError, UnserializableError, InvalidOptionError, from a running job: nothing was added then
   */
  prependToChain(jobs: Dispatchable | readonly (Dispatchable | Empty)[]): this {
    const more = present(jobs);
    const context = Running.get(this);
    if (context) context.prependToChain(more);
    else options(this).chain = [...more, ...(options(this).chain ?? [])];
    return this;
  }

  /** As `prependToChain`, at the end of the chain. */
  appendToChain(jobs: Dispatchable | readonly (Dispatchable | Empty)[]): this {
    const more = present(jobs);
    const context = Running.get(this);
    if (context) context.appendToChain(more);
    else options(this).chain = [...(options(this).chain ?? []), ...more];
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

  /** Jobs of one group are kept in order by stores that know groups; others do not look at it. */
  onGroup(group: string): this {
    options(this).group = group;
    return this;
  }

  /** Says by what a store that drops repeats knows one; others do not look at it. */
  withDeduplicator(fn: (payload: string) => string): this {
    options(this).deduplicator = fn;
    return this;
  }

  /**
   * Middleware for this one job, inside that of its class. It travels with the job: middleware of this package, and `@Value()` classes;
   * anything else is refused at dispatch. Takes the place of what an earlier call said.
   *
   * @throws InvalidOptionError for what is no list of middleware
   */
  through(middleware: readonly JobMiddleware[]): this {
    const given: unknown = middleware;
    const wrong = Array.isArray(given) ? (given as unknown[]).filter((one) => !isMiddleware(one)) : [given];
    if (wrong.length > 0) {
      throw new InvalidOptionError(
        `${this.constructor.name}.through() was given ${describe(wrong[0])}. Give it a list of instances that have a handle(job, next, context).`,
      );
    }
    options(this).through = middleware.length > 0 ? [...middleware] : undefined;
    return this;
  }

  /** The running job; `null` where no worker runs it. */
  get context(): JobContext | null {
    return Running.get(this) ?? null;
  }

  /** Same as `context`. */
  get job(): JobContext | null {
    return Running.get(this) ?? null;
  }

  /** Aborts when the job has timed out, lost its lease, or its worker must end. Never aborts where no worker runs it. */
  get signal(): AbortSignal {
    return Running.get(this)?.signal ?? neverAborted;
  }

  /** Pick-ups, this one included; 1 where no worker runs it. */
  attempts(): number {
    return Running.get(this)?.attempts ?? 1;
  }

  /** Back to the queue, after a delay if given. The handler goes on until it returns. */
  release(delay?: Moment): void {
    Running.get(this)?.release(delay);
  }

  /** No further try: recorded as failed. The handler goes on until it returns. */
  fail(error?: Error | string): void {
    Running.get(this)?.fail(error);
  }

  /** Done, whatever else happens. */
  delete(): void {
    Running.get(this)?.delete();
  }

  /** The batch this job belongs to, read anew; `null` outside one. */
  batch(): Promise<Batch | null> {
    return Running.get(this)?.batch() ?? Promise.resolve(null);
  }

  /** Whether it belongs to a batch that is neither finished nor cancelled. */
  async batching(): Promise<boolean> {
    const batch = await this.batch();
    return batch !== null && !batch.finished() && !batch.cancelled();
  }
}

/** What may stand in a list of jobs for none: `cond && new Job()`. */
export type Empty = false | null | undefined | 0 | '';

/** The jobs of a list, empty entries left out. @throws InvalidOptionError where nothing is left */
export function chained(jobs: readonly (Dispatchable | Empty)[], at: string): readonly Dispatchable[] {
  const kept = Array.isArray(jobs) ? present(jobs) : [];
  if (kept.length > 0) return kept;
  throw new InvalidOptionError(
    `${at} was given no job, or none but false, null and undefined, which are left out. Give it a list of at least one.`,
  );
}

/** One job or a list of them, empty entries left out. */
export function present(jobs: Dispatchable | readonly (Dispatchable | Empty)[]): readonly Dispatchable[] {
  const given = (Array.isArray(jobs) ? jobs : [jobs]) as readonly (Dispatchable | Empty)[];
  return given.filter((one): one is Dispatchable => Boolean(one));
}

function isMiddleware(value: unknown): boolean {
  return typeof (value as JobMiddleware | null | undefined)?.handle === 'function';
}

/** What `catch()` on a job was given; each call adds one. */
export function addCatch(job: object, one: Dispatchable): void {
  const said = options(job);
  said.catch = [...(said.catch ?? []), one];
}

function options(job: object): FluentOptions {
  let found = fluent.get(job);
  if (!found) fluent.set(job, (found = {}));
  return found;
}
