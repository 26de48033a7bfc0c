import type { PoolLoad } from './balance.js';

/** What the store tells of a pool's queues. */
export interface QueueLoad {
  readonly waiting: number;
  /** How long the oldest one could have run; 0 where that is not known. */
  readonly oldestMs: number;
}

/** Looks over which the busiest moment is remembered. */
const REMEMBERED = 3;
/** What an earlier look counts for in how long a job takes. */
const FADING = 0.7;
const MINUTE_MS = 60_000;

/** What is known of a pool's work, from look to look. Counts begin with the pool. */
export class PoolGauge {
  #busy: readonly number[] = [];
  #late = 0;
  #spentMs = 0;
  #done = 0;
  #last = { busyMs: 0, processed: 0 };
  readonly #minute: { readonly at: number; readonly processed: number }[] = [{ at: -Infinity, processed: 0 }];

  /** A look at the whole pool. @param lateMs how long a job may wait */
  look(
    load: QueueLoad,
    processes: number,
    counts: { busy: number; busyMs: number; processed: number },
    lateMs: number,
  ): PoolLoad {
    const { busy, busyMs, processed } = counts;
    this.#busy = [...this.#busy, busy].slice(-REMEMBERED);
    this.#spentMs = this.#spentMs * FADING + Math.max(0, busyMs - this.#last.busyMs);
    this.#done = this.#done * FADING + Math.max(0, processed - this.#last.processed);
    this.#last = { busyMs, processed };
    this.#late = load.waiting > 0 && load.oldestMs >= lateMs ? this.#late + 1 : 0;
    return {
      processes,
      waiting: load.waiting,
      busy,
      busiest: Math.max(...this.#busy),
      // Long after the last end it says that jobs take long by now, and then nothing.
      jobMs: this.#done >= 0.01 ? this.#spentMs / this.#done : undefined,
      late: this.#late,
    };
  }

  /** Once a second: how many jobs have ended so far. */
  count(now: number, processed: number): void {
    const samples = this.#minute;
    samples.push({ at: now, processed });
    while (samples.length > 1 && samples[1]!.at <= now - MINUTE_MS) samples.shift();
  }

  /** Jobs that ended within the last minute. */
  perMinute(processed: number): number {
    return processed - this.#minute[0]!.processed;
  }
}
