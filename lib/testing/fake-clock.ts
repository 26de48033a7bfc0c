import type { Clock } from '../support/clock.js';
import { durationMs } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** Rounds of the event loop that work set off by a timer gets before the clock moves on. */
const SETTLING_ROUNDS = 10;
/** Kept from the start: a test may replace the global one. */
const nextRound = setImmediate;

/**
 * A clock that stands still until it is told to move: `drain(moduleRef, { clock })` and `useClock(moduleRef, clock)` give it to a module.
 * Handed to a store in `BackendContext.clock` it drives delays, leases, limits and locks there.
 */
export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  /** By time, then in the order in which they were set. */
  readonly #timers: Timer[] = [];
  #moving: Promise<void> = Promise.resolve();

  /**
   * @param now where it stands: a Date, or epoch milliseconds. Default the real time
   * @throws InvalidOptionError when it is no moment
   */
  constructor(now: Date | number = Date.now()) {
    const start = now instanceof Date ? now.getTime() : now;
    if (!Number.isFinite(start)) throw noMoment('new FakeClock()', now);
    this.#start = this.#now = start;
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Milliseconds that it has been moved on by. */
  elapsed(): number {
    return this.#now - this.#start;
  }

  after(ms: number, fn: () => void): () => void {
    if (!(ms > 0)) {
      const immediate = nextRound(fn);
      return () => clearImmediate(immediate);
    }
    const timer: Timer = { at: this.#now + ms, fn };
    let index = this.#timers.length;
    while (index > 0 && this.#timers[index - 1]!.at > timer.at) index--;
    this.#timers.splice(index, 0, timer);
    return () => {
      const found = this.#timers.indexOf(timer);
      if (found >= 0) this.#timers.splice(found, 1);
    };
  }

  /**
   * Moves on, stopping at every timer that falls due, in order. What a timer sets off (promises, immediates, timers of its own that
   * fall into the same stretch) has run before the clock moves further.
   *
   * @param by seconds as a number, or `'500ms' '90s' '5m' '1h' '2d'`
   * @throws InvalidOptionError when it is no duration
   */
  advance(by: number | string): Promise<void> {
    const ms = durationMs(by, 'by');
    return this.#then(() => this.#now + ms);
  }

  /**
   * The same, to a moment. One that has passed leaves the clock where it is.
   *
   * @param moment epoch milliseconds as a number
   * @throws InvalidOptionError when it is no moment
   */
  advanceTo(moment: Date | number): Promise<void> {
    const end = moment instanceof Date ? moment.getTime() : moment;
    if (!Number.isFinite(end)) throw noMoment('advanceTo()', moment);
    return this.#then(() => Math.max(end, this.#now));
  }

  #then(end: () => number): Promise<void> {
    this.#moving = this.#moving.catch(() => {}).then(() => this.#move(end));
    return this.#moving;
  }

  async #move(until: () => number): Promise<void> {
    await settled();
    const end = until();
    for (;;) {
      const next = this.#timers[0];
      if (next === undefined || next.at > end) break;
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.fn();
      await settled();
    }
    this.#now = end;
    await settled();
  }
}

function noMoment(asked: string, given: unknown): InvalidOptionError {
  return new InvalidOptionError(
    `${asked} was given ${describe(given)}, which is no moment. Give it a Date, or epoch milliseconds.`,
  );
}

async function settled(): Promise<void> {
  for (let round = 0; round < SETTLING_ROUNDS; round++) await new Promise<void>((resolve) => nextRound(resolve));
}
