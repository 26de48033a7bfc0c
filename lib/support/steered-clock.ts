import { systemClock, type Clock } from './clock.js';

interface Timer {
  /** By `elapsed()`. */
  readonly dueAt: number;
  readonly fn: () => void;
  cancel: () => void;
}

/**
 * A clock that goes by another one, the system's until it is told otherwise. `elapsed()` never jumps with the change.
 *
 * What waits on the system's clock is left there, where it ends by itself. What waits on a clock that somebody moves goes along: nobody
 * may ever move the old one again.
 */
export class SteeredClock implements Clock {
  #followed: Clock = systemClock;
  #ahead = 0;
  readonly #timers = new Set<Timer>();

  /** The one that it goes by. */
  get followed(): Clock {
    return this.#followed;
  }

  now(): number {
    return this.#followed.now();
  }

  elapsed(): number {
    return this.#followed.elapsed() + this.#ahead;
  }

  after(ms: number, fn: () => void): () => void {
    if (this.#followed === systemClock) return systemClock.after(ms, fn);
    const timer: Timer = { dueAt: this.elapsed() + ms, fn, cancel: () => {} };
    this.#timers.add(timer);
    this.#arm(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  /** From now on it goes by this one. */
  follow(clock: Clock): void {
    if (clock === this.#followed) return;
    this.#ahead = this.elapsed() - clock.elapsed();
    this.#followed = clock;
    for (const timer of this.#timers) {
      timer.cancel();
      this.#arm(timer);
    }
  }

  #arm(timer: Timer): void {
    timer.cancel = this.#followed.after(Math.max(0, timer.dueAt - this.elapsed()), () => {
      this.#timers.delete(timer);
      timer.fn();
    });
  }
}

let steered = false;

/** Modules that are made from now on can have their clock changed. Asked for by the testing kit as it is loaded. */
export function steerClocks(): void {
  steered = true;
}

/** The clock of a new module: the system's own, without a detour, unless somebody has asked for one that can be steered. */
export function moduleClock(): Clock {
  return steered ? new SteeredClock() : systemClock;
}
