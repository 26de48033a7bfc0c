import { DispatchTimeoutError } from '../contracts/store-errors.js';
import type { Clock } from '../support/clock.js';
import { type Link, LiveList } from '../support/live-list.js';

interface Waiting {
  readonly since: number;
  readonly expire: () => void;
  link: Link<Waiting> | undefined;
}

/**
 * How long a dispatch waits for its store. One timer serves all calls under way, so that a store that answers at once costs none.
 */
export class DispatchDeadline {
  // All wait equally long: the order in which they came is the order in which they expire.
  readonly #waiting = new LiveList<'link', Waiting>('link');
  readonly #waitMs: number;
  #armed = false;

  constructor(
    private readonly connection: string,
    private readonly timeoutMs: number,
    private readonly clock: Clock,
  ) {
    // A tenth more, 250 ms at most: a store that keeps the deadline itself can say whether it wrote, and should be heard first.
    this.#waitMs = timeoutMs + Math.min(250, timeoutMs / 10);
  }

  /**
   * The answer of `work`, or a DispatchTimeoutError. What `work` does after that reaches nobody.
   *
   * @param outcome 'unknown' where a write may have been under way
   */
  within<T>(work: Promise<T>, outcome?: 'unknown'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        since: this.clock.elapsed(),
        expire: () => reject(new DispatchTimeoutError(this.connection, this.timeoutMs, outcome ? { outcome } : {})),
        link: undefined,
      };
      this.#waiting.add(waiting);
      this.#arm(this.#waitMs);
      work.then(
        (value) => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        (error: unknown) => {
          this.#waiting.delete(waiting);
          reject(error);
        },
      );
    });
  }

  #arm(ms: number): void {
    if (this.#armed) return;
    this.#armed = true;
    this.clock.after(ms, () => {
      this.#armed = false;
      const now = this.clock.elapsed();
      for (const waiting of this.#waiting.all()) {
        const left = waiting.since + this.#waitMs - now;
        if (left > 0) return this.#arm(left);
        this.#waiting.delete(waiting);
        waiting.expire();
      }
    });
  }
}
