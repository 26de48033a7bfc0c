import type { Clock } from '../support/clock.js';
import { durationMs } from '../support/duration.js';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

/** Rounds of the event loop that work set off by a timer gets before the clock moves on. */
const SETTLING_ROUNDS = 10;
/** Kept from the start: a test may replace the global one. */
const nextRound = setImmediate;

/**
 * A clock that stands still until it is told to move. Handed to a store in `BackendContext.clock` it drives delays, leases, limits and
 * locks there.
 */
export class FakeClock implements Clock {
  #now: number;
  readonly #start: number;
  /** By time, then in the order in which they were set. */
  readonly #timers: Timer[] = [];
  #moving: Promise<void> = Promise.resolve();

  /** @param now where it stands; default the real time */
  constructor(now: Date | number = Date.now()) {
    this.#start = this.#now = now instanceof Date ? now.getTime() : now;
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
    this.#moving = this.#moving.catch(() => {}).then(() => this.#move(ms));
    return this.#moving;
  }

  async #move(ms: number): Promise<void> {
    await settled();
    const end = this.#now + ms;
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

async function settled(): Promise<void> {
  for (let round = 0; round < SETTLING_ROUNDS; round++) await new Promise<void>((resolve) => nextRound(resolve));
}
