/** Where time comes from. Everything that waits, delays or expires takes one, so that tests can hold time still. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Milliseconds since some moment, by a clock that nobody sets: how long something has taken is measured by it. It stands at the same
   * value in all threads of a process.
   */
  elapsed(): number;
  /** Runs `fn` once after `ms` milliseconds; any length is allowed. Returns what calls it off. Never keeps the process alive. */
  after(ms: number, fn: () => void): () => void;
}

/** setTimeout turns anything longer than this into 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** `performance.now()` begins anew in each thread; what it counts by does not. */
const THREAD_ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();
/** Kept from the start: a test may replace the global one. */
const counter = performance;

export const systemClock: Clock = {
  now: Date.now,
  elapsed: () => THREAD_ORIGIN_MS + counter.now(),
  after(ms, fn) {
    let left = ms;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const step = Math.min(left, LONGEST_TIMER_MS);
      left -= step;
      timer = setTimeout(left > 0 ? arm : fn, step);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};
