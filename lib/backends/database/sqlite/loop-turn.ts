/** Work of one turn that may go on before timers, signals and sockets are heard again. */
const LONGEST_MS = 8;

/** Kept from the start: a test may replace the global one. */
const { setImmediate } = globalThis;

/**
 * Keeps synchronous work from holding the event loop: a caller that awaits one write after the other never leaves the microtasks by
 * itself, since each write is done before its promise is looked at.
 */
export class LoopTurn {
  #since: number | undefined;

  /** This turn has lasted long enough; wait for `next()` before going on. */
  get over(): boolean {
    const now = performance.now();
    if (this.#since === undefined) {
      this.#since = now;
      setImmediate(() => (this.#since = undefined));
    }
    return now - this.#since > LONGEST_MS;
  }

  next(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
