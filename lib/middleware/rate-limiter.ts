import type { PolicyServices } from '../job/job-context.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { Funnel } from './funnel.js';
import type { Limit } from './limit.js';
import { Throttle } from './throttle.js';

/** What a named limiter says of a job. */
export type LimiterFunction<J = any> = (job: J) => Limit | Limit[] | Promise<Limit | Limit[]>;

/** Named limiters for `RateLimited`, and limits for any piece of work. Inject it. Counters are kept where the module keeps its locks. */
export class RateLimiter {
  readonly #named = new Map<string, LimiterFunction>();

  constructor(
    private readonly services: Pick<PolicyServices, 'locks' | 'limits' | 'clock'> & {
      readonly warn: (message: string) => void;
    },
  ) {}

  /**
   * Defines a limiter for `RateLimited(name)`, in every process that works such jobs: in a constructor or `onModuleInit()`. A second one of
   * the name takes the place of the first.
   *
   * @param limit asked for each attempt: a `Limit`, a list that must all have room, or `Limit.none()`
   */
  for<J = any>(name: string, limit: LimiterFunction<J>): void {
    RateLimiter.#text(name, 'for');
    if (typeof limit !== 'function') {
      throw new InvalidOptionError(
        `RateLimiter.for('${name}') was given ${describe(limit)}. Give a function of the job: (job) => Limit.perMinute(10).`,
      );
    }
    this.#named.set(name, limit);
  }

  /** @internal */
  named(name: string): LimiterFunction | undefined {
    return this.#named.get(name);
  }

  /** So many times in a window: `limiter.throttle('key').allow(10).every(60).then(() => work(), () => this.release(10))`. */
  throttle(key: string): Throttle {
    RateLimiter.#text(key, 'throttle');
    return new Throttle(key, () => this.services.limits(), this.services.clock);
  }

  /** So many at a time: `limiter.funnel('key').limit(1).then(() => work(), () => this.release(10))`. */
  funnel(key: string): Funnel {
    RateLimiter.#text(key, 'funnel');
    return new Funnel(key, () => this.services.locks(), this.services.warn, this.services.clock);
  }

  static #text(value: unknown, method: string): void {
    if (typeof value === 'string' && value !== '') return;
    throw new InvalidOptionError(
      `RateLimiter.${method}() was given ${describe(value)}. Give a name that is not empty.`,
    );
  }
}
