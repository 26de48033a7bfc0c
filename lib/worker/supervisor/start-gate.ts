import { backoffMs } from '../../support/backoff.js';
import { LIVED_MS } from './worker-end.js';

const FIRST_MS = 1_000;
const CAP_MS = 30_000;

/**
 * When a pool may start its next process: at once, unless the last ones died at once. Then it waits for up to 1, 2, 4 … 30 seconds, until
 * one of those that were started since has lived for a while. By `Clock.elapsed()`.
 */
export class StartGate {
  #failures = 0;
  #failedAt = -Infinity;
  #opensAt = -Infinity;

  constructor(private readonly random: () => number = Math.random) {}

  /**
   * How many processes may be started now, of those that are missing. After two that died at once it is one at a time, until one has
   * lived.
   *
   * @param alive when those that are there were started
   */
  room(now: number, missing: number, alive: readonly number[]): number {
    if (now < this.#opensAt) return 0;
    if (this.#failures < 2) return missing;
    return Math.min(missing, alive.some((startedAt) => startedAt > this.#failedAt) ? 0 : 1);
  }

  /** How many have died at once in a row, counting those that were started together as one. */
  get failures(): number {
    return this.#failures;
  }

  /** Milliseconds until it opens. */
  waits(now: number): number {
    return Math.max(0, this.#opensAt - now);
  }

  /** A process died at once. */
  died(startedAt: number, now: number): void {
    if (startedAt > this.#failedAt) {
      this.#opensAt = now + backoffMs(this.#failures, FIRST_MS, CAP_MS, this.random);
      this.#failures += 1;
    }
    this.#failedAt = now;
  }

  /** Looks at a process that is alive. */
  lives(startedAt: number, now: number): void {
    if (this.#failures > 0 && startedAt > this.#failedAt && now - startedAt >= LIVED_MS) this.#failures = 0;
  }
}
