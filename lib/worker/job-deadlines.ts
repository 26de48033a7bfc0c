import type { Clock } from '../support/clock.js';
import { type Link, LiveList } from '../support/live-list.js';

/** Something that runs until a moment. */
export interface Timed {
  /** By `Clock.elapsed()`; Infinity is never. */
  readonly deadline: number;
  /** Kept by the deadlines: its place. */
  timed?: Link<Timed> | undefined;
  timeOut(): void;
  /** The grace behind the deadline has passed as well. */
  leaveBehind(): void;
}

/**
 * The deadlines of all attempts of a worker behind one timer: a job that ends in time costs an entry in a list, not a timer of its own.
 */
export class JobDeadlines {
  readonly #running = new LiveList<'timed', Timed>('timed');
  readonly #inGrace = new Map<Timed, number>();
  #armedFor = Infinity;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly graceMs: number,
    private readonly clock: Clock,
  ) {}

  add(attempt: Timed): void {
    if (attempt.deadline === Infinity) return;
    this.#running.add(attempt);
    this.#arm(attempt.deadline);
  }

  remove(attempt: Timed): void {
    // The timer stays: the next attempt's deadline is most likely behind it.
    if (!this.#running.delete(attempt)) this.#inGrace.delete(attempt);
  }

  stop(): void {
    this.#cancel?.();
    this.#running.clear();
    this.#inGrace.clear();
  }

  #arm(at: number): void {
    if (at >= this.#armedFor) return;
    this.#cancel?.();
    this.#armedFor = at;
    this.#cancel = this.clock.after(Math.max(0, at - this.clock.elapsed()), () => this.#look());
  }

  #look(): void {
    this.#armedFor = Infinity;
    const now = this.clock.elapsed();
    let next = Infinity;
    for (const attempt of this.#running.all()) {
      if (attempt.deadline <= now) {
        this.#running.delete(attempt);
        this.#inGrace.set(attempt, now + this.graceMs);
        attempt.timeOut();
      } else {
        next = Math.min(next, attempt.deadline);
      }
    }
    for (const [attempt, until] of this.#inGrace) {
      if (until <= now) {
        this.#inGrace.delete(attempt);
        attempt.leaveBehind();
      } else {
        next = Math.min(next, until);
      }
    }
    if (next !== Infinity) this.#arm(next);
  }
}
