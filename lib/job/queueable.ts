import type { Type } from '@nestjs/common';
import type { Batch, FakeBatch } from '../contracts/batch.js';
import type { Dispatchable, QueueableJob } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { neverAborted } from '../support/abort.js';
import type { Duration, Moment } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { assertDoesntHaveChain, assertHasChain, chainOf } from './chain-assertions.js';
import { attachFakeBatch, fakeBatch, fakeBatchOf } from './fake-batch.js';
import { chained, ownOptions, present, type Empty } from './fluent-options.js';
import { fakeAttemptOf, faked } from './job-interactions.js';

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
    ownOptions(this).queue = queue;
    return this;
  }

  onConnection(connection: string): this {
    ownOptions(this).connection = connection;
    return this;
  }

  /**
   * What follows when this job is done, one after the other. Takes the place of what an earlier call said. Empty entries are left out.
   *
   * @throws InvalidOptionError where nothing is left
   */
  chain(jobs: readonly (Dispatchable | Empty)[]): this {
    ownOptions(this).chain = chained(jobs, `${this.constructor.name}.chain()`);
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
    else ownOptions(this).chain = [...more, ...(ownOptions(this).chain ?? [])];
    return this;
  }

  /** As `prependToChain`, at the end of the chain. */
  appendToChain(jobs: Dispatchable | readonly (Dispatchable | Empty)[]): this {
    const more = present(jobs);
    const context = Running.get(this);
    if (context) context.appendToChain(more);
    else ownOptions(this).chain = [...(ownOptions(this).chain ?? []), ...more];
    return this;
  }

  /** Seconds, a string such as '10m', or the moment itself. Negative and past ones mean now. */
  delay(delay: Moment): this {
    ownOptions(this).delay = delay;
    return this;
  }

  withoutDelay(): this {
    ownOptions(this).delay = null;
    return this;
  }

  afterCommit(): this {
    ownOptions(this).afterCommit = true;
    return this;
  }

  beforeCommit(): this {
    ownOptions(this).afterCommit = false;
    return this;
  }

  /** Jobs of one group are kept in order by stores that know groups; others do not look at it. */
  onGroup(group: string): this {
    ownOptions(this).group = group;
    return this;
  }

  /** Says by what a store that drops repeats knows one; others do not look at it. */
  withDeduplicator(fn: (payload: string) => string): this {
    ownOptions(this).deduplicator = fn;
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
    ownOptions(this).through = middleware.length > 0 ? [...middleware] : undefined;
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
    return Running.get(this)?.batch() ?? Promise.resolve(fakeBatchOf(this) ?? null);
  }

  /** Whether it belongs to a batch that is neither finished nor cancelled. */
  async batching(): Promise<boolean> {
    const batch = await this.batch();
    return batch !== null && !batch.finished() && !batch.cancelled();
  }

  /**
   * In tests: from now on what the handler asks (`release`, `fail`, `delete`, its chain) is written down instead of being done, for the
   * assertions below. `context` is a fake attempt, the first one; called again, it starts anew.
   */
  withFakeQueueInteractions(): this {
    Running.set(this, fakeAttemptOf(this));
    return this;
  }

  /**
   * In tests: puts the job into a batch that is stored nowhere, and gives both.
   *
   * @param data properties of the batch; the rest is zero, empty or now
   * @throws InvalidOptionError for a property that a batch does not have
   */
  withFakeBatch(data?: object): [this, FakeBatch] {
    const batch = fakeBatch(data);
    attachFakeBatch(this, batch);
    return [this, batch];
  }

  /**
   * As the other assertions it needs `withFakeQueueInteractions()`.
   *
   * @param delay compared exactly; where the job was released until a Date, with the seconds until then
   * @throws JobAssertionError saying what was asked instead
   */
  assertReleased(delay?: Duration): this {
    faked(this, Running.get(this)).assertReleased(delay);
    return this;
  }

  assertNotReleased(): this {
    faked(this, Running.get(this)).assertNotReleased();
    return this;
  }

  assertDeleted(): this {
    faked(this, Running.get(this)).assertDeleted();
    return this;
  }

  assertNotDeleted(): this {
    faked(this, Running.get(this)).assertNotDeleted();
    return this;
  }

  assertFailed(): this {
    faked(this, Running.get(this)).assertFailed();
    return this;
  }

  assertNotFailed(): this {
    faked(this, Running.get(this)).assertNotFailed();
    return this;
  }

  /** @param expected the error's message, a pattern for it, its class, or an error of the same class, message and code */
  assertFailedWith(expected: string | RegExp | Error | Type<Error>): this {
    faked(this, Running.get(this)).assertFailedWith(expected);
    return this;
  }

  /**
   * All that follows the job, in its order: what `chain()` said, and what a handler with faked interactions has put before and behind it.
   *
   * @param expected classes, or instances that carry the same
   */
  assertHasChain(expected: readonly (Type | object)[]): this {
    assertHasChain(this, chainOf(this, Running.get(this)), expected);
    return this;
  }

  assertDoesntHaveChain(): this {
    assertDoesntHaveChain(this, chainOf(this, Running.get(this)));
    return this;
  }
}

function isMiddleware(value: unknown): boolean {
  return typeof (value as JobMiddleware | null | undefined)?.handle === 'function';
}
