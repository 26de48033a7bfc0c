import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { RateLimit, RateLimiterStore } from '../contracts/rate-limiter-store.js';
import type { PolicyServices } from '../job/job-context.js';
import { wholeNumber } from '../job/job.decorators.js';
import { durationMs, type Duration } from '../support/duration.js';
import { errorLine, toError } from '../support/error-text.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { askStore, isAway, STORE_AWAY_MS } from './ask-store.js';
import { attemptOf, type Attempt } from './attempt-of.js';
import { errorMatch, type ErrorMatch } from './error-match.js';
import { connectionName } from './rate-limited.js';
import { refuseFunction } from './travelling.js';

/**
 * A circuit breaker: after so many exceptions within a time the job is released unrun until that time is over. An exception before that
 * is swallowed, and the job released by `backoff()`. A run without one clears the count.
 *
 * Releases count as attempts: give the job enough `tries`, or a `retryUntil()`. What ends a job by its signal (a timeout, a lost lease, a
 * worker that stops) is not swallowed and not counted.
 */
export class ThrottlesExceptions implements JobMiddleware {
  readonly #max: number;
  readonly #decayMs: number;
  #key: string | undefined;
  #byJob = false;
  #prefix = 'throttles-exceptions:';
  #backoff: number | ((error: unknown) => Duration) = 0;
  #when: ((error: unknown) => boolean) | undefined;
  #report: true | ((error: unknown) => boolean) | undefined;
  readonly #deleteWhen: ((error: unknown) => boolean)[] = [];
  readonly #failWhen: ((error: unknown) => boolean)[] = [];

  /**
   * @param maxAttempts exceptions before the circuit opens; default 10
   * @param decay over this time, which starts with the first of them; default 600 seconds
   */
  constructor(maxAttempts = 10, decay: Duration = 600) {
    this.#max = wholeNumber(maxAttempts, `${new.target.name}: maxAttempts`, 1);
    this.#decayMs = durationMs(decay, `${new.target.name}: decay`);
    if (this.#decayMs === 0) throw new InvalidOptionError(`${new.target.name}: decay is 0. Give a time above 0.`);
  }

  /** Counts under this key: all jobs with it share one circuit. Default: the class. */
  by(key: string): this {
    if (typeof key !== 'string' || key === '') throw this.#wrong('by', key, 'Give a text that is not empty.');
    this.#key = key;
    return this;
  }

  /** Counts for each job on its own. */
  byJob(): this {
    this.#byJob = true;
    return this;
  }

  /** Takes the place of `throttles-exceptions:` in the counter's name. */
  withPrefix(prefix: string): this {
    if (typeof prefix !== 'string') throw this.#wrong('withPrefix', prefix, 'Give a text.');
    this.#prefix = prefix;
    return this;
  }

  /** How long the job waits behind an exception while the circuit is closed. Default 0. */
  backoff(delay: Duration | ((error: unknown) => Duration)): this {
    this.#backoff = typeof delay === 'function' ? delay : durationMs(delay, `${this.constructor.name}.backoff()`);
    return this;
  }

  /** Only these exceptions count; others leave as they are. */
  when(fn: (error: unknown) => boolean): this {
    this.#when = this.#function('when', fn);
    return this;
  }

  /** Writes the swallowed exceptions into the log: all of them, or those for which `fn` answers true. */
  report(fn?: (error: unknown) => boolean): this {
    this.#report = fn === undefined ? true : this.#function('report', fn);
    return this;
  }

  /** Ends the job as done at such an exception. May be called several times. */
  deleteWhen(match: ErrorMatch): this {
    this.#deleteWhen.push(errorMatch(match, `${this.constructor.name}.deleteWhen()`));
    return this;
  }

  /** Fails the job at such an exception. May be called several times. */
  failWhen(match: ErrorMatch): this {
    this.#failWhen.push(errorMatch(match, `${this.constructor.name}.failWhen()`));
    return this;
  }

  async handle(_job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    const attempt = attemptOf(context, this.constructor.name);
    const { policies } = attempt;
    const limit: RateLimit = { key: this.#keyOf(context), max: this.#max, windowMs: this.#decayMs };
    const asked = await askStore(attempt.context, 'its count of exceptions', async () => {
      const store = await this.store(policies);
      return { store, circuit: await store.peek([limit]) };
    });
    if (!asked) return;
    const { store, circuit } = asked.answer;
    if (!circuit.allowed) {
      attempt.context.release((circuit.retryAfterMs + this.slackMs) / 1_000);
      return;
    }
    try {
      await next();
    } catch (error) {
      await this.#swallow(error, attempt, store, limit);
      return;
    }
    // The job has ended well, whatever becomes of its count.
    await store.clear([limit.key]).catch((error: unknown) => {
      attempt.context.warnOfClass(`its count of exceptions could not be cleared: ${errorLine(error)}`);
    });
  }

  /** Behind the end of an open circuit. */
  protected get slackMs(): number {
    return 3_000;
  }

  protected store(policies: PolicyServices): Promise<RateLimiterStore> {
    return policies.limits();
  }

  /** @throws the error itself where it is not ours to swallow */
  async #swallow(error: unknown, attempt: Attempt, store: RateLimiterStore, limit: RateLimit): Promise<void> {
    const { context, policies } = attempt;
    if (context.abortReason !== undefined || (this.#when && !this.#when(error))) throw error;
    const shown = toError(error, context.envelope?.encrypted);
    if (this.#report === true || this.#report?.(error)) {
      policies.report(`${context.displayName} [${context.id}] threw, which ${this.constructor.name} swallowed`, shown);
    }
    if (this.#deleteWhen.some((matches) => matches(error))) return context.delete();
    if (this.#failWhen.some((matches) => matches(error))) return context.fail(shown);
    const { name } = this.constructor;
    const backoffMs =
      typeof this.#backoff === 'function' ? durationMs(this.#backoff(error), `${name}.backoff()`) : this.#backoff;
    try {
      await store.take([limit]);
    } catch (trouble) {
      if (context.inProcess || !isAway(trouble)) throw trouble;
      context.warnOfClass(`an exception could not be counted, so it is put off, uncounted: ${errorLine(trouble)}`);
      if (!context.intent) context.postpone(Math.max(backoffMs, STORE_AWAY_MS));
      return;
    }
    // What the handler wanted before it threw holds.
    if (!context.intent) context.release(backoffMs / 1_000);
  }

  #keyOf(context: JobContext): string {
    if (this.#key !== undefined) return `${this.#prefix}key:${this.#key}`;
    return this.#byJob ? `${this.#prefix}job:${context.id}` : `${this.#prefix}class:${context.displayName}`;
  }

  #function<F>(option: string, fn: F): F {
    if (typeof fn === 'function') return fn;
    throw this.#wrong(option, fn, 'Give a function.');
  }

  #wrong(option: string, value: unknown, advice: string): InvalidOptionError {
    return new InvalidOptionError(`${this.constructor.name}.${option}() was given ${describe(value)}. ${advice}`);
  }

  /** As it travels with a job. @throws InvalidOptionError where it was given a function or a class */
  toJSON(): object {
    const { name } = this.constructor;
    if (typeof this.#backoff === 'function') refuseFunction(`${name}.backoff()`);
    if (this.#when) refuseFunction(`${name}.when()`);
    if (typeof this.#report === 'function') refuseFunction(`${name}.report()`);
    if (this.#deleteWhen.length > 0) refuseFunction(`${name}.deleteWhen()`);
    if (this.#failWhen.length > 0) refuseFunction(`${name}.failWhen()`);
    return {
      max: this.#max,
      decayMs: this.#decayMs,
      key: this.#key ?? null,
      byJob: this.#byJob,
      prefix: this.#prefix,
      backoffMs: this.#backoff,
      report: this.#report === true,
    };
  }

  static fromJSON(json: Readonly<Record<string, unknown>>): ThrottlesExceptions {
    return new this(json['max'] as number, `${Number(json['decayMs'])}ms`).restore(json);
  }

  protected restore({ key, byJob, prefix, backoffMs, report }: Readonly<Record<string, unknown>>): this {
    this.withPrefix(prefix as string).backoff(`${Number(backoffMs)}ms`);
    if (key !== null) this.by(key as string);
    if (byJob === true) this.byJob();
    return report === true ? this.report() : this;
  }
}

/** As `ThrottlesExceptions`, counting on a Redis connection (the one named, else the first), and without the 3 seconds behind an open circuit. */
export class ThrottlesExceptionsWithRedis extends ThrottlesExceptions {
  #connection: string | undefined;

  /** The connection that counts, by its name. */
  connection(name: string): this {
    this.#connection = connectionName(name, 'ThrottlesExceptionsWithRedis');
    return this;
  }

  override toJSON(): object {
    return { ...super.toJSON(), ...(this.#connection === undefined ? {} : { connection: this.#connection }) };
  }

  protected override get slackMs(): number {
    return 0;
  }

  protected override store(policies: PolicyServices): Promise<RateLimiterStore> {
    return policies.limits(this.#connection ?? policies.redis());
  }

  protected override restore(json: Readonly<Record<string, unknown>>): this {
    if (json['connection'] !== undefined) this.connection(json['connection'] as string);
    return super.restore(json);
  }
}
