import { onAbort } from '../support/abort.js';
import type { Clock } from '../support/clock.js';

/** Kept from the start: a test may replace the global one. */
const { setImmediate } = globalThis;

/** What a worker's loop sleeps by: it wakes when something has changed, and at once when it is told something. */
export class Alarm {
  /** Something has changed since the last nap. */
  #changed = false;
  #urgent = false;
  #sleeper: (() => void) | undefined;
  #told = new AbortController();

  constructor(private readonly clock: Clock) {}

  /** Told something since `heed()`: a wait for jobs must not go on over it. */
  get urgent(): boolean {
    return this.#urgent;
  }

  heed(): void {
    this.#urgent = false;
  }

  /** A slot is free, or something has ended. */
  notice(): void {
    this.#changed = true;
    this.#sleeper?.();
  }

  /** To stop, to pause, to go on. */
  tell(): void {
    this.#urgent = true;
    this.#told.abort();
    this.#told = new AbortController();
    this.notice();
  }

  /** Until something has changed since the last nap, or the time is over. */
  async nap(ms: number): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(ms, resolve);
        this.#sleeper = () => {
          cancel();
          // What else ends in this turn of the event loop is heeded together with it.
          setImmediate(resolve);
        };
      });
      this.#sleeper = undefined;
    }
    this.#changed = false;
  }

  /** What `work` comes to; `undefined` as soon as something is told. */
  unlessTold<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const off = onAbort(this.#told.signal, () => resolve(undefined));
      work.then(resolve, reject).finally(off);
    });
  }
}
