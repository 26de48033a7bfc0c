import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { FakeBatch } from '../contracts/batch.js';
import type { Dispatchable } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import { delayMs, type Duration, type Moment } from '../support/duration.js';
import { QueueError } from '../support/queue-error.js';
import { fakeBatchOf } from './fake-batch.js';
import { fluentOptions } from './fluent-options.js';
import { AttemptContext, type Intent } from './job-context.js';
import { declaredPolicies, isJobClass } from './job.decorators.js';
import { failureText, isError, isExpectedFailure, wantedFailure, type ExpectedFailure } from './expected-failure.js';
import { checkSteps, stepOfChain } from './step-check.js';

/** An assertion about a job does not hold. Test runners show its message, and a difference where both sides are given. */
export class JobAssertionError extends QueueError {
  /** What the assertion asked for, where it is something that can be laid beside what was found. */
  declare readonly expected?: unknown;
  declare readonly actual?: unknown;

  constructor(message: string, sides?: { readonly expected: unknown; readonly actual: unknown }) {
    super('ERR_QUEUE_JOB_ASSERTION', message);
    if (sides) Object.assign(this, sides);
  }
}

export interface FakeJobContextOptions {
  /** Default: a fresh uuid. */
  readonly id?: string;
  /** Default: 'FakeJob'. */
  readonly name?: string;
  /** Default: the name. */
  readonly displayName?: string;
  /** Default: 'fake'. */
  readonly connection?: string;
  /** Default: 'default'. */
  readonly queue?: string;
  /** Default: 1. */
  readonly attempts?: number;
  readonly tags?: readonly string[];
  /** As in a `catch` callback: what went wrong before. */
  readonly error?: unknown;
  /** What `batch()` gives: `fakeBatch()`. Default: none. */
  readonly batch?: FakeBatch;
}

/**
 * A running job that runs nowhere: it writes down what is asked of it, and can be asked. What a real one would refuse is refused here.
 *
 * Each assertion looks at everything that was asked. A worker heeds the first of release, fail and delete alone; that a later one
 * would be ignored is said in the log, here as there.
 */
export interface FakeJobContext extends JobContext {
  attempts: number;
  /** What `prependToChain()` was given, in the order in which it would run. */
  readonly prepended: readonly Dispatchable[];
  /** What `appendToChain()` was given. */
  readonly appended: readonly Dispatchable[];
  /** Aborts the signal, as a time limit or a lost lease does. The first reason holds. */
  abort(reason: unknown): void;
  /** @param delay compared exactly; a Date that the job was released until counts as the seconds until then */
  assertReleased(delay?: Duration): this;
  assertNotReleased(): this;
  assertDeleted(): this;
  assertNotDeleted(): this;
  assertFailed(): this;
  assertNotFailed(): this;
  /** @param expected the error's message, a pattern for it, its class, or an error of the same class, message and code */
  assertFailedWith(expected: ExpectedFailure): this;
}

/** A fake attempt, of a job or of none in particular. */
export class FakeAttempt extends AttemptContext implements FakeJobContext {
  readonly prepended: Dispatchable[] = [];
  readonly appended: Dispatchable[] = [];
  readonly #asked: Intent[] = [];
  readonly #batch: () => FakeBatch | undefined;
  #attempts: number;

  constructor(options: FakeJobContextOptions = {}, batch: () => FakeBatch | undefined = () => undefined) {
    const { id = randomUUID(), name = 'FakeJob', displayName = name, attempts = 1, tags, error } = options;
    const { connection = 'fake', queue = 'default' } = options;
    super(
      connection,
      { id, queue, body: '', priority: 0, attempts, stalls: 0, token: 'fake', leasedUntil: Infinity },
      { v: 1, uuid: id, name, displayName, data: {}, createdAt: Date.now(), ...(tags && { tags }) },
      {
        now: () => Date.now(),
        warn: (message) => new Logger('Queue').warn(message),
        findBatch: () => Promise.resolve(null),
        writeSteps: (jobs) => {
          checkSteps(jobs, stepOfChain);
          return [];
        },
      },
    );
    if (error !== undefined) this.error = error;
    this.#attempts = attempts;
    this.#batch = batch;
  }

  override get attempts(): number {
    return this.#attempts;
  }
  override set attempts(attempts: number) {
    this.#attempts = attempts;
  }
  override get batchId(): string | undefined {
    return this.#batch()?.id;
  }

  override batch(): Promise<FakeBatch | null> {
    return Promise.resolve(this.#batch() ?? null);
  }

  override release(delay?: Moment): void {
    super.release(delay instanceof Date ? this.#ms(delay, 'release delay') / 1_000 : delay);
  }

  override prependToChain(jobs: readonly Dispatchable[]): void {
    super.prependToChain(jobs);
    this.prepended.unshift(...jobs);
  }

  override appendToChain(jobs: readonly Dispatchable[]): void {
    super.appendToChain(jobs);
    this.appended.push(...jobs);
  }

  assertReleased(delay?: Duration): this {
    const released = this.#every('release').map((one) => one.delayMs);
    if (delay === undefined) {
      if (released.length === 0) throw this.#unmet('was expected to be released, and was not');
      return this;
    }
    const expected = this.#ms(delay, 'assertReleased()');
    if (released.includes(expected)) return this;
    const wanted = `was expected to be released ${withDelay(expected)}`;
    if (released.length === 0) throw this.#unmet(`${wanted}, and was not`);
    throw new JobAssertionError(
      `The [${this.name}] job ${wanted}, and was released ${released.map(withDelay).join(' and ')}.`,
      { expected: expected / 1_000, actual: released[0]! / 1_000 },
    );
  }

  assertNotReleased(): this {
    return this.#never('release', 'to be released');
  }

  assertDeleted(): this {
    if (this.#every('delete').length === 0) throw this.#unmet('was expected to be deleted, and was not');
    return this;
  }

  assertNotDeleted(): this {
    return this.#never('delete', 'to be deleted');
  }

  assertFailed(): this {
    if (this.#every('fail').length === 0) throw this.#unmet('was expected to fail, and did not');
    return this;
  }

  assertNotFailed(): this {
    return this.#never('fail', 'to fail');
  }

  assertFailedWith(expected: ExpectedFailure): this {
    const wanted = wantedFailure(expected);
    const errors = this.#every('fail').map(({ error }) => error);
    if (errors.some((error) => isExpectedFailure(error, expected))) return this;
    if (errors.length === 0) throw this.#unmet(`was expected to fail with ${wanted}, and did not`);
    const coded = isError(expected);
    const had = errors.map((error) => failureText(error, coded)).join(' and ');
    const compared =
      typeof expected === 'string'
        ? { expected, actual: errors[0]!.message }
        : { expected: wanted, actual: failureText(errors[0]!, coded) };
    throw new JobAssertionError(
      `The [${this.name}] job was expected to fail with ${wanted}, and failed with ${ended(had)}`,
      compared,
    );
  }

  protected override intend(intent: Intent): void {
    this.#asked.push(intent);
    super.intend(intent);
  }

  #every<K extends Intent['kind']>(kind: K): readonly Extract<Intent, { kind: K }>[] {
    return this.#asked.filter((one): one is Extract<Intent, { kind: K }> => one.kind === kind);
  }

  #never(kind: Intent['kind'], what: string): this {
    const found = this.#every(kind)[0];
    if (!found) return this;
    throw new JobAssertionError(`The [${this.name}] job was not expected ${what}, and ${ended(askedText(found))}`);
  }

  #unmet(expectation: string): JobAssertionError {
    const asked =
      this.#asked.length === 0 ? 'nothing was asked of it' : `it ${this.#asked.map(askedText).join(', then ')}`;
    return new JobAssertionError(`The [${this.name}] job ${expectation}: ${ended(asked)}`);
  }

  /** A Date counts in whole seconds from now: what a test computes and what its job computes are not the same moment. */
  #ms(delay: Moment, what: string): number {
    const ms = delayMs(delay, `${this.displayName}: ${what}`, Date.now());
    return delay instanceof Date ? Math.round(ms / 1_000) * 1_000 : ms;
  }
}

/** What was asked, as the rest of a sentence about the job. */
function askedText(intent: Intent): string {
  if (intent.kind === 'release') return `was released ${withDelay(intent.delayMs)}`;
  return intent.kind === 'fail' ? `failed with ${failureText(intent.error)}` : 'was deleted';
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

function withDelay(ms: number): string {
  return ms === 0 ? 'without delay' : `with ${ms / 1_000} s of delay`;
}

/** A fake attempt for this job: under the name, and with the place, that it would be dispatched with. */
export function fakeAttemptOf(job: object): FakeAttempt {
  const type = job.constructor;
  const { name = type.name, ...declared } = isJobClass(type) ? declaredPolicies(type) : {};
  const { connection = declared.connection, queue = declared.queue } = fluentOptions(job) ?? {};
  return new FakeAttempt(
    { name, ...(connection !== undefined && { connection }), ...(queue !== undefined && { queue }) },
    () => fakeBatchOf(job),
  );
}

/** @throws JobAssertionError where the job's interactions are not faked */
export function faked(job: object, context: JobContext | undefined): FakeAttempt {
  if (context instanceof FakeAttempt) return context;
  throw new JobAssertionError(
    `Queue interactions have not been faked. Call withFakeQueueInteractions() on the ${job.constructor.name} before its handler runs.`,
  );
}

/** The context of a job without Queueable as base, which takes it by `@Inject(JOB_REF)`: for a test to hand to its handler. */
export function fakeJobContext(options: FakeJobContextOptions = {}): FakeJobContext {
  const { batch } = options;
  return new FakeAttempt(options, () => batch);
}
