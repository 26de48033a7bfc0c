import { createHash } from 'node:crypto';
import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { RateLimit, RateLimiterStore } from '../contracts/rate-limiter-store.js';
import type { PolicyServices } from '../job/job-context.js';
import { durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { askStore } from './ask-store.js';
import { attemptOf } from './attempt-of.js';
import { Limit } from './limit.js';

/** Behind the end of a window, so that a job that comes back meets the next one. */
const SLACK_MS = 3_000;
/** Names nobody has defined, said once a module. */
const unknown = new WeakMap<PolicyServices, Set<string>>();

/**
 * Lets a job run when a named limiter (`RateLimiter.for()`) has room for it. Several limits are asked and taken in one step: a job that
 * one of them refuses costs the others nothing. Refused, it is released until the window has ended and 3 seconds more.
 *
 * A release counts as an attempt: give the job enough `tries`, or a `retryUntil()`. A name that nobody has defined limits nothing.
 */
export class RateLimited implements JobMiddleware {
  readonly #limiter: string;
  #releaseAfterMs = 0;
  #releases = true;

  /** @param limiter the name it was defined under */
  constructor(limiter: string) {
    if (typeof limiter !== 'string' || limiter === '') {
      throw new InvalidOptionError(
        `${new.target.name} was given ${describe(limiter)}. Give it the name of a limiter defined by RateLimiter.for().`,
      );
    }
    this.#limiter = limiter;
  }

  /** How long a refused job waits. Default, and with 0: until the window has ended, and 3 seconds. */
  releaseAfter(delay: Duration): this {
    this.#releaseAfterMs = durationMs(delay, `${this.constructor.name}.releaseAfter()`);
    return this;
  }

  /** A refused job ends as done instead, without having run. */
  dontRelease(): this {
    this.#releases = false;
    return this;
  }

  /** Whether a refusal costs an attempt. */
  get releases(): boolean {
    return this.#releases;
  }

  async handle(job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    const { context: attempt, policies } = attemptOf(context, this.constructor.name);
    const limiter = policies.limiter(this.#limiter);
    if (!limiter) {
      if (isNews(policies, this.#limiter)) {
        attempt.warnOfClass(
          `no rate limiter is named "${this.#limiter}" in this process, so it is not limited. Define it: RateLimiter.for('${this.#limiter}', …).`,
        );
      }
      return next();
    }
    const limits = this.#limits(await limiter(job as object));
    if (limits.length === 0) return next();
    const asked = await askStore(attempt, 'its rate limits', async () => (await this.store(policies)).take(limits));
    if (!asked) return undefined;
    if (asked.answer.allowed) return next();
    if (this.#releases) attempt.release((this.#releaseAfterMs || asked.answer.retryAfterMs + SLACK_MS) / 1_000);
    return undefined;
  }

  /** As it travels with a job. */
  toJSON(): object {
    return { limiter: this.#limiter, releaseAfterMs: this.#releaseAfterMs, releases: this.#releases };
  }

  static fromJSON(json: Readonly<Record<string, unknown>>): RateLimited {
    return new this(json['limiter'] as string).restore(json);
  }

  protected restore({ releaseAfterMs, releases }: Readonly<Record<string, unknown>>): this {
    if (releaseAfterMs) this.releaseAfter(`${Number(releaseAfterMs)}ms`);
    return releases === false ? this.dontRelease() : this;
  }

  protected store(policies: PolicyServices): Promise<RateLimiterStore> {
    return policies.limits();
  }

  #limits(said: unknown): RateLimit[] {
    const list: unknown[] = Array.isArray(said) ? said : [said];
    const seen = new Set<string>();
    const limits: RateLimit[] = [];
    for (const one of list) {
      if (!(one instanceof Limit)) {
        throw new InvalidOptionError(
          `The rate limiter "${this.#limiter}" gave ${describe(one)}. Give a Limit, such as Limit.perMinute(10), or a list of them.`,
        );
      }
      const { max, windowMs } = one;
      if (max === Infinity) continue;
      let key = one.key;
      // Two limits under one key would be one counter, hit twice.
      if (seen.has(key)) key = `${key}:attempts:${max}:decay:${windowMs}`;
      while (seen.has(key)) key = `${key}:again`;
      seen.add(key);
      limits.push({ key: hashed(this.#limiter, key), max, windowMs });
    }
    return limits;
  }
}

/** As `RateLimited`, counting on a Redis connection: the one named, else the first of them. */
export class RateLimitedWithRedis extends RateLimited {
  #connection: string | undefined;

  constructor(limiter: string, connection?: string) {
    super(limiter);
    if (connection !== undefined) this.connection(connection);
  }

  /** The connection that counts, by its name. */
  connection(name: string): this {
    this.#connection = connectionName(name, 'RateLimitedWithRedis');
    return this;
  }

  override toJSON(): object {
    return { ...super.toJSON(), ...(this.#connection === undefined ? {} : { connection: this.#connection }) };
  }

  protected override restore(json: Readonly<Record<string, unknown>>): this {
    if (json['connection'] !== undefined) this.connection(json['connection'] as string);
    return super.restore(json);
  }

  protected override store(policies: PolicyServices): Promise<RateLimiterStore> {
    return policies.limits(this.#connection ?? policies.redis());
  }
}

/** @throws InvalidOptionError */
export function connectionName(name: unknown, middleware: string): string {
  if (typeof name === 'string' && name !== '') return name;
  throw new InvalidOptionError(
    `${middleware}.connection() was given ${describe(name)}. Give the name of a connection.`,
  );
}

/** The name's length goes first, so that no name and key together read as another pair. */
function hashed(limiter: string, key: string): string {
  return `rate-limit:${createHash('sha256').update(`${limiter.length}:${limiter}:${key}`).digest('hex')}`;
}

function isNews(policies: PolicyServices, limiter: string): boolean {
  let said = unknown.get(policies);
  if (!said) unknown.set(policies, (said = new Set()));
  return !said.has(limiter) && said.add(limiter).size > 0;
}
