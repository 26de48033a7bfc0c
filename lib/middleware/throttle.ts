import type { RateLimiterStore } from '../contracts/rate-limiter-store.js';
import { wholeNumber } from '../job/job.decorators.js';
import type { Clock } from '../support/clock.js';
import { durationMs, type Duration } from '../support/duration.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { BlockingLimiter, type Held } from './blocking-limiter.js';

const NOTHING_TO_GIVE_BACK: Held = { release: () => Promise.resolve() };

/** So many times in a window of time, over all processes. A window is fixed and starts with the first. */
export class Throttle extends BlockingLimiter {
  #max: number | undefined;
  #windowMs: number | undefined;

  constructor(
    private readonly key: string,
    private readonly store: () => Promise<RateLimiterStore>,
    clock: Clock,
  ) {
    super(`throttle('${key}')`, clock, 750);
  }

  /** How many times. */
  allow(max: number): this {
    this.#max = wholeNumber(max, `${this.called}.allow()`, 1);
    return this;
  }

  /** The length of the window. */
  every(window: Duration): this {
    const ms = durationMs(window, `${this.called}.every()`);
    if (ms === 0) throw new InvalidOptionError(`${this.called}.every() was given 0. Give a time above 0.`);
    this.#windowMs = ms;
    return this;
  }

  protected check(): void {
    if (this.#max !== undefined && this.#windowMs !== undefined) return;
    throw new InvalidOptionError(
      `${this.called} needs allow(n) and every(time): throttle('key').allow(10).every(60).then(…).`,
    );
  }

  protected async acquire(): Promise<Held | undefined> {
    const limit = { key: `throttle:${this.key}`, max: this.#max!, windowMs: this.#windowMs! };
    const { allowed } = await (await this.store()).take([limit]);
    return allowed ? NOTHING_TO_GIVE_BACK : undefined;
  }
}
