import { neverAborted, pause } from '../support/abort.js';
import type { Clock } from '../support/clock.js';
import { durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';

/** `throttle()` or `funnel()` had no room within the time that `block()` gives. */
export class LimiterTimeoutError extends QueueError {
  constructor(limiter: string, waitedMs: number) {
    super(
      'ERR_QUEUE_LIMITER_TIMEOUT',
      `${limiter} had no room within ${waitedMs / 1_000} s. Try again later, or wait longer with block().`,
    );
  }
}

/** What is held while the work runs. */
export type Held = { release(): Promise<void> };

/** Waits for room, does the work, gives the room back. */
export abstract class BlockingLimiter {
  #blockMs = 3_000;
  #sleepMs: number;

  protected constructor(
    /** For messages: `throttle('api')`. */
    protected readonly called: string,
    private readonly clock: Clock,
    sleepMs: number,
  ) {
    this.#sleepMs = sleepMs;
  }

  /** How long to wait for room. 0 asks once. Default 3 seconds. */
  block(timeout: Duration): this {
    this.#blockMs = durationMs(timeout, `${this.called}.block()`);
    return this;
  }

  /** Milliseconds between two looks while it waits. */
  sleep(ms: number): this {
    if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 1) {
      throw new InvalidOptionError(`${this.called}.sleep() was given ${describe(ms)}. Give milliseconds from 1 up.`);
    }
    this.#sleepMs = ms;
    return this;
  }

  /**
   * Does the work when there is room.
   *
   * @param otherwise called where there was none in time; without it that is thrown
   * @returns what the one that was called returned
   * @throws LimiterTimeoutError; what the work throws; the store's error while it is away
   */
  // A word of its own here, not a promise's.
  // oxlint-disable-next-line unicorn/no-thenable
  async then<T, O = T>(
    work: () => T | Promise<T>,
    otherwise?: (error: LimiterTimeoutError) => O | Promise<O>,
  ): Promise<T | O> {
    if (isAwaited(work)) {
      const refused = new InvalidOptionError(
        `${this.called} was awaited without work to do. Write: await limiter.${this.called}.….then(() => work()).`,
      );
      (otherwise as ((error: unknown) => void) | undefined)?.(refused);
      return undefined as never;
    }
    this.check();
    const held = await this.#room();
    if (!held) {
      const late = new LimiterTimeoutError(this.called, this.#blockMs);
      if (otherwise) return otherwise(late);
      throw late;
    }
    try {
      return await work();
    } finally {
      await held.release();
    }
  }

  /** @throws InvalidOptionError where something has not been said */
  protected abstract check(): void;
  /** `undefined`: no room. */
  protected abstract acquire(): Promise<Held | undefined>;

  async #room(): Promise<Held | undefined> {
    const { clock } = this;
    const end = clock.elapsed() + this.#blockMs;
    for (;;) {
      const held = await this.acquire();
      const left = end - clock.elapsed();
      if (held || left <= 0) return held;
      await pause(Math.min(this.#sleepMs, left), neverAborted, clock);
    }
  }
}

/** `await` hands its own functions to whatever has a `then`: native ones, without a name. */
function isAwaited(work: unknown): boolean {
  return (
    typeof work === 'function' && work.name === '' && /\[native code\]/.test(Function.prototype.toString.call(work))
  );
}
