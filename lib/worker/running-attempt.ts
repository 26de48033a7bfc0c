import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { Outcome } from '../contracts/outcome.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { calledBy } from '../job/callable.js';
import type { AttemptContext } from '../job/job-context.js';
import type { AttemptScope, RegisteredJob } from '../job/job-registry.js';
import { UnknownJobError } from '../job/job-registry.js';
import type { ContextValues } from '../job/request-context.js';
import { toError } from '../support/error-text.js';
import { failingError, writeMemo, type AttemptMemo } from './attempt-memo.js';
import { decide, refusal, type AttemptLimits } from './decide.js';
import { endedBySignal } from './ended-by-signal.js';
import { behindTimeout, delayBehindTimeout } from './past-timeout.js';
import { performJob } from './perform-job.js';
import { limitsOf, type RunOptions, type RunServices } from './run-options.js';
import { TimeoutExceededError, UnhandledRejectionError } from './worker-errors.js';

/** How an attempt ended, with what its events and its `failed()` need. */
export interface AttemptEnd {
  readonly context: AttemptContext;
  readonly outcome: Outcome;
  /** An exception left the handler, its middleware, or the checks before them. */
  readonly thrown?: Thrown;
  /** Milliseconds; present when the attempt timed out. */
  readonly timedOutAfter?: number;
  /** The handler was left behind: it did not end by its signal. */
  readonly stuck: boolean;
  /** The worker had to end: the job goes back as if this attempt had not been. */
  readonly handedOn: boolean;
  readonly returned?: unknown;
  /** Runs `failed()` on a fresh instance. Absent where there is nothing to run it on. */
  readonly failedHook?: () => Promise<void>;
}

/** What left the handler: as an Error, whatever it was, and as it was. */
interface Thrown {
  readonly error: Error;
  readonly raw: unknown;
}

/** What the parts of an attempt say of its end; the rest is filled in. */
type PartialEnd = Omit<AttemptEnd, 'context' | 'stuck' | 'handedOn'> & Partial<Pick<AttemptEnd, 'stuck' | 'handedOn'>>;

const UNKNOWN_BACKOFF_MS = 10_000;

/**
 * One attempt.
 *
 *   admitted ──▶ running ──▶ ended             the handler settled
 *      │            ├──────▶ ended (stuck)     past its timeout and grace: left behind, its late result is ignored
 *      │            └──────▶ ended (handed on) the worker must end: back to the queue, not counted
 *      └──▶ ended                              refused unrun: limits, stalls, unknown name, unreadable body
 */
export class RunningAttempt {
  readonly ended: Promise<AttemptEnd>;
  /** When it has timed out, by `Clock.elapsed()`; Infinity is never. */
  readonly deadline: number;
  #end!: (end: AttemptEnd) => void;
  #over = false;
  #timedOut = false;
  #stray: Thrown | undefined;
  /** Set once the job is whole; an error before that is about the job, not of it. */
  #opened = false;
  #job: object | undefined;

  constructor(
    readonly context: AttemptContext,
    readonly reserved: ReservedJob,
    private readonly memo: AttemptMemo,
    private readonly envelope: JobEnvelope | undefined,
    /** Why the body could not be read. */
    private readonly unreadable: Error | undefined,
    private readonly registered: RegisteredJob | undefined,
    private readonly services: RunServices<RunningAttempt>,
    private readonly options: RunOptions,
    startedAt: number,
    /** It has failed by the attempt before this one, and is only recorded now. */
    private readonly late: Error | undefined,
  ) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const timeout = this.timeoutMs;
    this.deadline = timeout > 0 ? startedAt + timeout : Infinity;
  }

  get timeoutMs(): number {
    return this.options.timeouts ? (this.envelope?.timeout ?? this.options.timeoutMs) : 0;
  }

  get over(): boolean {
    return this.#over;
  }

  get limits(): AttemptLimits {
    return limitsOf(this.context.displayName, this.envelope, this.options);
  }

  /** What this attempt carries from those before it, as text. */
  get carried(): string | undefined {
    return this.reserved.memo === undefined ? undefined : writeMemo(behindTimeout(this.memo, this.limits));
  }

  /** The delay behind this attempt, should it have to be ended from outside at its timeout. */
  get delayBehindTimeout(): number {
    const endsAt = this.services.clock.now() + this.timeoutMs;
    return this.timeoutMs > 0 ? delayBehindTimeout(this.reserved, this.memo, this.limits, endsAt) : 0;
  }

  /** What the job carries of the context it was dispatched from; `undefined` where nobody vouches for it. */
  get values(): ContextValues | undefined {
    return this.unreadable ? undefined : this.envelope?.context;
  }

  /** What the job carries of the trace that sent it; `undefined` where nobody vouches for it. */
  get trace(): JobEnvelope['trace'] {
    return this.unreadable ? undefined : this.envelope?.trace;
  }

  /**
   * Starts it. The end is known by `ended`.
   *
   * @param around runs what it is given inside something else, also where the job itself will not run
   */
  start(around?: (begin: () => Promise<unknown>) => Promise<unknown>): void {
    const refused = this.#refusedUnrun();
    if (refused && !around) {
      this.#finish(refused);
      return;
    }
    const { storage } = this.services;
    const begin = (): Promise<unknown> =>
      refused || this.#over ? Promise.resolve() : storage.run(this, () => this.#perform());
    (around ? storage.run(this, () => around(begin)) : begin()).then(
      (returned) => (refused ? this.#finish(refused) : this.#conclude({ returned })),
      (raw: unknown) => {
        const error = toError(raw, this.envelope?.encrypted);
        if (!refused) return this.#conclude({ thrown: { error, raw } });
        this.context.warn(`its context could not be restored for failed() and listeners: ${error.message}`);
        this.#finish(refused);
      },
    );
  }

  #perform(): Promise<unknown> {
    return performJob(this.registered!, this.envelope!, this.context, this.services, (job) => {
      this.#job = job;
      this.#opened = true;
    });
  }

  /** A promise or callback that this job left behind failed: the attempt fails with it, whatever the handler returns. */
  stray(error: unknown): boolean {
    if (this.#over) return false;
    this.#stray ??= asThrown(
      new UnhandledRejectionError(this.context.displayName, toError(error, this.envelope?.encrypted)),
    );
    return true;
  }

  /** The deadline has passed: the signal aborts, and the handler has its grace to end by it. */
  timeOut(): void {
    this.#timedOut = true;
    this.context.abort(new TimeoutExceededError(this.context.displayName));
  }

  /** The grace has passed too. */
  leaveBehind(): void {
    if (!this.#over) this.#conclude({ stuck: true });
  }

  /** The worker must end: the job goes back as if this attempt had not been. */
  handOn(): void {
    this.#finish({ outcome: { kind: 'retry', delayMs: 0, countAttempt: false }, handedOn: true });
  }

  #refusedUnrun(): PartialEnd | undefined {
    const { reserved, services, memo } = this;
    if (memo.failing) {
      const error = failingError(memo.failing);
      return this.#failure(error, memo.failing.unsaid ? null : error);
    }
    if (memo.done) return { outcome: { kind: 'done' } };
    if (this.unreadable) return this.#failure(this.unreadable);
    if (!this.registered) return this.#unknown(memo.unknown ?? 0);
    const facts = { attempts: reserved.attempts, stalls: reserved.stalls, now: services.clock.now() };
    if (!this.options.limited) return undefined;
    if (this.late) return { ...this.#failure(this.late), timedOutAfter: memo.timedOut! };
    const error = refusal(facts, this.limits);
    return error && this.#failure(error);
  }

  #unknown(before: number): PartialEnd {
    const error = UnknownJobError.of(this.context.name, this.envelope && calledBy(this.envelope));
    const tries = before + 1;
    if (!this.options.limited || tries >= this.options.unknownJobTries) return this.#failure(error);
    const memo = writeMemo({ ...this.memo, unknown: tries });
    return {
      outcome: { kind: 'retry', delayMs: UNKNOWN_BACKOFF_MS, error, countAttempt: false, memo },
      thrown: asThrown(error),
    };
  }

  #failure(error: Error, given: Error | null = error): PartialEnd {
    return { outcome: { kind: 'failed', error }, thrown: asThrown(error), ...this.#hook(given) };
  }

  /** The live instance, for `interrupted(signal)`. */
  get job(): object | undefined {
    return this.#job;
  }

  #conclude(how: { returned?: unknown; thrown?: Thrown; stuck?: boolean }): void {
    if (this.#over) return;
    const { context, services, reserved } = this;
    let thrown = how.thrown ?? this.#stray;
    const timedOut = this.#timedOut && (how.stuck === true || thrown !== undefined);
    if (thrown && !timedOut && !context.intent && endedBySignal(thrown.raw, context.abortReason)) return this.handOn();
    if (timedOut) {
      const error = new TimeoutExceededError(context.displayName);
      if (thrown && thrown.raw !== context.abortReason) error.cause = thrown.error;
      thrown = asThrown(error);
    }
    if (thrown && !this.#opened && !timedOut) {
      const verdict = services.verdictOnOpening(thrown.error, this.envelope!);
      if (verdict === 'done') {
        context.endChain();
        return this.#finish({ outcome: { kind: 'done' } });
      }
      // Without the job there is nothing to run `failed()` on.
      if (verdict === 'failed') return this.#finish({ outcome: { kind: 'failed', error: thrown.error }, thrown });
    }
    const limits = this.limits;
    const memo = behindTimeout(this.memo, limits);
    const exceptions = (memo.exceptions ?? 0) + (thrown ? 1 : 0);
    let outcome = decide(
      {
        attempts: reserved.attempts,
        stalls: reserved.stalls,
        now: services.clock.now(),
        exceptions,
        timedOut,
        ...(context.intent ? { intent: context.intent } : {}),
        ...(thrown ? { thrown } : {}),
      },
      this.options.limited ? limits : onlyOnce(limits),
    );
    if (outcome.kind === 'retry' && thrown && limits.maxExceptions !== undefined) {
      outcome = { ...outcome, memo: writeMemo({ ...memo, exceptions }) };
    } else if (outcome.kind === 'retry' && this.memo.timedOut !== undefined) {
      outcome = { ...outcome, memo: writeMemo(memo) };
    }
    const given = context.intent?.kind === 'fail' ? context.intent.given : undefined;
    this.#finish({
      outcome,
      returned: how.returned,
      ...(thrown ? { thrown } : {}),
      ...(timedOut ? { timedOutAfter: this.timeoutMs } : {}),
      ...(how.stuck ? { stuck: true } : {}),
      ...(outcome.kind === 'failed' ? this.#hook(given === undefined ? outcome.error : given) : {}),
    });
  }

  #finish(end: PartialEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.context.close();
    if (end.outcome.kind === 'failed') this.context.error = end.outcome.error;
    this.#end({ stuck: false, handedOn: false, ...end, context: this.context });
  }

  /** `failed()` belongs to a fresh instance: what the handler did to its own is not seen. */
  #hook(given: Error | null): { failedHook?: () => Promise<void> } {
    const { registered, envelope, context, services } = this;
    if (!registered || !envelope) return {};
    const hasHook = typeof (registered.definition.type.prototype as { failed?: unknown }).failed === 'function';
    if (!hasHook) return {};
    return {
      failedHook: () =>
        context.inside(() =>
          services.storage.run(this, async () => {
            const scope: AttemptScope = await registered.open(context);
            // Read anew: the handler may have changed what it was given.
            const job = await services.revive(registered, services.read(this.reserved.body), context);
            scope.inject(job);
            await scope.failed(job, given);
          }),
        ),
    };
  }
}

function asThrown(error: Error): Thrown {
  return { error, raw: error };
}

/** An in-process run is the only one: neither tries nor a moment until which to retry say otherwise. */
function onlyOnce({ retryUntil: _never, ...limits }: AttemptLimits): AttemptLimits {
  return { ...limits, tries: 1 };
}
