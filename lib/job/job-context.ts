import type { Batch } from '../contracts/batch.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { RateLimiterStore } from '../contracts/rate-limiter-store.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { delayMs, type Moment } from '../support/duration.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';

/** The job was failed by hand: `fail()` or `fail('why')`. */
export class ManuallyFailedError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_MANUALLY_FAILED', message);
  }
}

/** What a handler or a middleware wants to become of the job. The first one holds. */
export type Intent =
  | { readonly kind: 'release'; readonly delayMs: number }
  /** `given` is what `failed()` receives: null where `fail()` was called without an argument. */
  | { readonly kind: 'fail'; readonly error: Error; readonly given: Error | null }
  | { readonly kind: 'delete' };

/** What an attempt needs from outside. */
export interface AttemptServices {
  readonly now: () => number;
  readonly warn: (message: string) => void;
  readonly findBatch: (id: string) => Promise<Batch | null>;
  readonly locks?: LockStore;
  readonly limits?: RateLimiterStore;
}

const NO_TAGS: readonly string[] = [];

/**
 * The running job. Handlers and middleware only record an intent here; what becomes of the job is decided in one place when the
 * attempt has ended.
 */
export class AttemptContext implements JobContext {
  error?: unknown;
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
  ) {}

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
    return this.envelope?.batchId;
  }
  get tags(): readonly string[] {
    return this.envelope?.tags ?? NO_TAGS;
  }
  get locks(): LockStore | undefined {
    return this.services.locks;
  }
  get limits(): RateLimiterStore | undefined {
    return this.services.limits;
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

  /** From now on nothing a handler that was left behind does has an effect. */
  close(): void {
    this.#closed = true;
  }

  release(delay?: Moment): void {
    const ms = delay === undefined ? 0 : delayMs(delay, `${this.displayName}: release delay`, this.services.now());
    this.#intend({ kind: 'release', delayMs: ms });
  }

  fail(error?: Error | string): void {
    if (error !== undefined && error !== null && typeof error !== 'string' && !(error instanceof Error)) {
      throw new InvalidOptionError(
        `${this.displayName}: fail() was given ${describe(error)}. Give it a string or an Error.`,
      );
    }
    const given = typeof error === 'string' ? new ManuallyFailedError(error) : (error ?? null);
    this.#intend({
      kind: 'fail',
      given,
      error: given ?? new ManuallyFailedError(`${this.displayName} was failed by hand.`),
    });
  }

  delete(): void {
    this.#intend({ kind: 'delete' });
  }

  batch(): Promise<Batch | null> {
    return this.batchId === undefined ? Promise.resolve(null) : this.services.findBatch(this.batchId);
  }

  #intend(intent: Intent): void {
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
