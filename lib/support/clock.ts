/** Where time comes from. Everything that waits, delays or expires takes one, so that tests can hold time still. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs `fn` once after `ms` milliseconds; any length is allowed. Returns what calls it off. Never keeps the process alive. */
  after(ms: number, fn: () => void): () => void;
}

/** setTimeout turns anything longer than this into 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
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
