import { wholeNumber } from '../job/job.decorators.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** How many jobs a window of time lets through: what a named limiter answers with. A window is fixed and starts with its first job. */
export class Limit {
  #key = '';

  private constructor(
    /** Infinity: no limit. */
    readonly max: number,
    readonly windowMs: number,
  ) {}

  /** @param seconds default 1 */
  static perSecond(max: number, seconds = 1): Limit {
    return limit('perSecond', max, seconds, 1_000);
  }

  /** @param minutes default 1 */
  static perMinute(max: number, minutes = 1): Limit {
    return limit('perMinute', max, minutes, 60_000);
  }

  static perMinutes(minutes: number, max: number): Limit {
    return limit('perMinutes', max, minutes, 60_000);
  }

  /** @param hours default 1 */
  static perHour(max: number, hours = 1): Limit {
    return limit('perHour', max, hours, 3_600_000);
  }

  /** @param days default 1 */
  static perDay(max: number, days = 1): Limit {
    return limit('perDay', max, days, 86_400_000);
  }

  /** Lets every job through. */
  static none(): Limit {
    return Limit.of(Infinity, 0);
  }

  /** @internal */
  static of(max: number, windowMs: number): Limit {
    return new Limit(max, windowMs);
  }

  /** Counts for each key on its own: a user's id, a host. Without one all jobs of the limiter count together. */
  by(key: string | number): this {
    if (typeof key !== 'string' && !(typeof key === 'number' && Number.isFinite(key))) {
      throw new InvalidOptionError(
        `Limit.by() was given ${describe(key)}. Give a text or a number; leave it out to count all jobs together.`,
      );
    }
    this.#key = String(key);
    return this;
  }

  get key(): string {
    return this.#key;
  }
}

function limit(name: string, max: number, length: number, unitMs: number): Limit {
  wholeNumber(max, `Limit.${name}(): max`, 0);
  const windowMs = typeof length === 'number' ? Math.round(length * unitMs) : Number.NaN;
  if (windowMs >= 1 && Number.isSafeInteger(windowMs)) return Limit.of(max, windowMs);
  throw new InvalidOptionError(`Limit.${name}(): the window is ${describe(length)}. Give a number above 0.`);
}
