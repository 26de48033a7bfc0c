import type { BatchProgress } from '../contracts/batch-store.js';
import type { Batch } from '../contracts/batch.js';
import type { Dispatchable } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import type { FailureCause, JobEnvelope } from '../contracts/job-envelope.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { RateLimiterStore } from '../contracts/rate-limiter-store.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import type { Clock } from '../support/clock.js';
import { delayMs, type Moment } from '../support/duration.js';
import { namedUuid } from '../support/named-uuid.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';

/** The job was failed by hand: `fail()` or `fail('why')`. */
export class ManuallyFailedError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_MANUALLY_FAILED', message);
  }
}

/** What a handler or a middleware wants to become of the job. The first one holds. */
export type Intent =
  | { readonly kind: 'release'; readonly delayMs: number; readonly countAttempt?: false }
  /** `given` is what `failed()` receives: null where `fail()` was called without an argument. */
  | { readonly kind: 'fail'; readonly error: Error; readonly given: Error | null }
  | { readonly kind: 'delete' };

/** What an attempt needs from outside. */
export interface AttemptServices {
  readonly now: () => number;
  readonly warn: (message: string) => void;
  readonly findBatch: (id: string) => Promise<Batch | null>;
  /**
   * Writes down jobs that a running one puts into its chain; they get their ids in this order. Absent where a job is only looked at.
   *
   * @throws what is wrong with one of them
   */
  readonly writeSteps?: (
    jobs: readonly Dispatchable[],
    context: AttemptContext,
    mint: () => string,
  ) => readonly JobEnvelope[];
  /** Absent where a job is only looked at. */
  readonly policies?: PolicyServices;
}

/** What the middleware of this package works with. Nothing is opened before it is asked for. */
export interface PolicyServices {
  readonly clock: Clock;
  /** For an error that is swallowed and should be seen all the same. */
  readonly report: (message: string, error: unknown) => void;
  /** @param connection takes that connection's own store instead of the module's */
  readonly locks: (connection?: string) => Promise<LockStore>;
  /** @param connection takes that connection's own store instead of the module's */
  readonly limits: (connection?: string) => Promise<RateLimiterStore>;
  /** The first connection on Redis. @throws InvalidOptionError where there is none */
  readonly redis: () => string;
  /** A named limiter: what it says of a job is for its reader to check. */
  readonly limiter: (name: string) => ((job: object) => unknown) | undefined;
  readonly leaseMs: (connection: string) => number;
}

/** What an attempt does to what follows it, should it succeed. */
export interface Following {
  /** To run right behind it. */
  readonly prepended?: readonly JobEnvelope[];
  readonly appended?: readonly JobEnvelope[];
  /** Its chain ends here, and nobody is told. */
  readonly ends?: true;
}

const NO_TAGS: readonly string[] = [];

/**
 * The running job. Handlers and middleware only record an intent here; what becomes of the job is decided in one place when the
 * attempt has ended.
 */
export class AttemptContext implements JobContext {
  error?: unknown;
  /** Absent where what follows is what its envelope says. */
  following?: Following;
  /** A newer dispatch of a debounced job has taken its place: it ends as done, and nothing follows it. */
  superseded = false;
  /** Called once the store has accepted how the attempt ended. Never rejects. */
  accepted?: () => Promise<void> | undefined;
  /** Called then with how the job's batch stands, where the store tells. Never rejects. */
  counted?: (progress: BatchProgress | undefined) => Promise<void> | undefined;
  /** A batch of its own stands for it: what follows the job follows that. */
  handedOver = false;
  /** Steps written so far. */
  #written = 0;
  /** Jobs that it has added to its batch so far. */
  #added = 0;
  /** Calls a function among what the job carried from its dispatch, and inside its trace; absent where there is neither. */
  restored?: <R, A extends unknown[]>(fn: (...args: A) => R, ...args: A) => R;
  #intent: Intent | undefined;
  #controller: AbortController | undefined;
  #abortedWith: { reason: unknown } | undefined;
  #closed = false;

  constructor(
    readonly connection: string,
    readonly reserved: ReservedJob,
    /** Absent where the body could not be read. */
    readonly envelope: JobEnvelope | undefined,
    private readonly services: AttemptServices,
  ) {
    if (envelope?.cause) this.error = errorOf(envelope.cause);
  }

  // The store's: the same as the envelope's uuid, unless somebody else wrote the body.
  get id(): string {
    return this.reserved.id;
  }
  get name(): string {
    return this.envelope?.name ?? '';
  }
  get displayName(): string {
    return this.envelope?.displayName ?? '(unreadable)';
  }
  get queue(): string {
    return this.reserved.queue;
  }
  get attempts(): number {
    return this.reserved.attempts;
  }
  get payload(): object {
    return this.envelope ?? {};
  }
  get batchId(): string | undefined {
    return this.envelope?.batchId ?? this.envelope?.callbackOf;
  }
  get tags(): readonly string[] {
    return this.envelope?.tags ?? NO_TAGS;
  }
  get policies(): PolicyServices | undefined {
    return this.services.policies;
  }
  /** Run here and now, outside a queue: there is nothing to give it back to. */
  get inProcess(): boolean {
    return this.reserved.token === '';
  }
  get intent(): Intent | undefined {
    return this.#intent;
  }

  // Made when first asked for: most handlers never look, and a controller costs more than the rest of a small job.
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortedWith && !this.#controller.signal.aborted) this.#controller.abort(this.#abortedWith.reason);
    return this.#controller.signal;
  }

  /** Why the signal aborted, without making one. */
  get abortReason(): unknown {
    return this.#abortedWith?.reason;
  }

  /** Aborts the signal; the first reason holds. */
  abort(reason: unknown): void {
    if (this.#abortedWith) return;
    this.#abortedWith = { reason };
    this.#controller?.abort(reason);
  }

  /** Calls `fn` among what the job carried from its dispatch, if anything. */
  inside<R>(fn: () => R): R {
    return this.restored ? this.restored(fn) : fn();
  }

  /** Says something about this attempt in the log. */
  warn(message: string): void {
    this.services.warn(`${this.displayName} [${this.id}]: ${message}`);
  }

  /** From now on nothing a handler that was left behind does has an effect. */
  close(): void {
    this.#closed = true;
  }

  release(delay?: Moment): void {
    const ms = delay === undefined ? 0 : delayMs(delay, `${this.displayName}: release delay`, this.services.now());
    this.intend({ kind: 'release', delayMs: ms });
  }

  /** Back to the queue as if this attempt had not been: it was not the job's fault. */
  postpone(delayInMs: number): void {
    this.intend({ kind: 'release', delayMs: delayInMs, countAttempt: false });
  }

  /** One line for the log, said once in a while for all jobs of the class. */
  warnOfClass(message: string): void {
    this.services.warn(`${this.displayName}: ${message}`);
  }

  fail(error?: Error | string): void {
    if (error !== undefined && error !== null && typeof error !== 'string' && !(error instanceof Error)) {
      throw new InvalidOptionError(
        `${this.displayName}: fail() was given ${describe(error)}. Give it a string or an Error.`,
      );
    }
    const given = typeof error === 'string' ? new ManuallyFailedError(error) : (error ?? null);
    this.intend({
      kind: 'fail',
      given,
      error: given ?? new ManuallyFailedError(`${this.displayName} was failed by hand.`),
    });
  }

  delete(): void {
    this.intend({ kind: 'delete' });
  }

  prependToChain(jobs: readonly Dispatchable[]): void {
    const steps = this.#steps(jobs, 'prependToChain');
    const before = this.following?.prepended ?? [];
    if (steps.length > 0) this.following = { ...this.following, prepended: [...steps, ...before] };
  }

  appendToChain(jobs: readonly Dispatchable[]): void {
    const steps = this.#steps(jobs, 'appendToChain');
    const before = this.following?.appended ?? [];
    if (steps.length > 0) this.following = { ...this.following, appended: [...before, ...steps] };
  }

  /** Whatever its envelope says, nothing follows: the job did not really run. */
  endChain(): void {
    this.following = { ends: true };
  }

  batch(): Promise<Batch | null> {
    return this.batchId === undefined ? Promise.resolve(null) : this.services.findBatch(this.batchId);
  }

  /** The id of the next job that it adds to its batch: the n-th has the same one whenever the job runs. */
  addedId(): string {
    return namedUuid(this.id, `added ${this.#added++}`);
  }

  #steps(jobs: readonly Dispatchable[], verb: string): readonly JobEnvelope[] {
    if (this.#closed) {
      this.services.warn(
        `${this.displayName} [${this.id}]: ${verb}() came after its attempt had ended and was ignored.`,
      );
      return [];
    }
    const { writeSteps } = this.services;
    if (!writeSteps) return [];
    let written = this.#written;
    // The n-th step of a job has the same id whenever the job runs: one that was enqueued before a crash is not enqueued again.
    const steps = writeSteps(jobs, this, () => namedUuid(this.id, `step ${written++}`));
    this.#written = written;
    return steps;
  }

  protected intend(intent: Intent): void {
    if (this.#closed) {
      this.services.warn(
        `${this.displayName} [${this.id}]: ${intent.kind}() came after its attempt had ended and was ignored.`,
      );
    } else if (this.#intent) {
      this.services.warn(
        `${this.displayName} [${this.id}]: ${intent.kind}() came after ${this.#intent.kind}() and was ignored; the first one holds.`,
      );
    } else {
      this.#intent = intent;
    }
  }
}

function errorOf({ name, message, code, stack }: FailureCause): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (code !== undefined) (error as { code?: string }).code = code;
  if (stack !== undefined) error.stack = stack;
  return error;
}
