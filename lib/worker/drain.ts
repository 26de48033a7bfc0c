import { onAbort } from '../support/abort.js';
import type { Clock } from '../support/clock.js';
import type { Alarm } from './alarm.js';
import type { Settler } from './settler.js';
import type { Slots } from './slots.js';
import { WorkerStoppingError } from './worker-errors.js';

/** Between the abort of the signals and the hand-over of what still runs. */
const ABORT_MARGIN_MS = 3_000;
/** How long a store that does not answer may hold up the end of a worker. */
const LAST_SETTLE_MS = 5_000;
/** The same, once nobody wants to wait any longer. */
const FORCED_MS = 2_000;
/** How often it is looked whether what ran is over, where nothing says so. */
const LOOK_MS = 3_000;

/**
 * The end of a worker: what runs may end. Once it is in a hurry there is the grace for it: near its end the signals abort, then what
 * still runs goes back to its queue, then what the store does not take is given up.
 */
export class Drain {
  #timers: (() => void)[] = [];

  /** @param forced aborted when nobody wants to wait; this aborts it where the store holds things up for too long */
  constructor(
    private readonly slots: Slots,
    private readonly settler: Settler,
    private readonly alarm: Alarm,
    private readonly forced: AbortController,
    private readonly graceMs: number,
    private readonly clock: Clock,
  ) {}

  /** Starts the clock, once. @param passedMs how long ago the worker was told to end: its grace began then */
  hurry(passedMs = 0): void {
    if (this.#timers.length > 0) return;
    const { clock, slots, forced } = this;
    const margin = Math.min(ABORT_MARGIN_MS, this.graceMs / 4);
    const graceMs = this.graceMs - passedMs;
    const after = (ms: number, act: () => void): (() => void) => clock.after(Math.max(0, ms), act);
    this.#timers = [
      after(graceMs - margin, () => {
        for (const attempt of slots.attempts()) attempt.context.abort(new WorkerStoppingError());
      }),
      after(graceMs, () => {
        for (const attempt of slots.attempts()) attempt.handOn();
      }),
      after(graceMs + LAST_SETTLE_MS - FORCED_MS, () => forced.abort()),
    ];
  }

  /** Resolves when nothing runs and everything is handed in, or the time for it is over. */
  async run(): Promise<void> {
    let over = false;
    const ended = (async () => {
      while (!this.slots.empty && !over) await this.alarm.nap(LOOK_MS);
      await this.settler.idle();
    })();
    // A failed() that goes on, or a store that never answers, must not hold up a worker whose time is over.
    let offForced = (): void => {};
    const late = new Promise<void>((resolve) => {
      offForced = onAbort(this.forced.signal, () => this.#timers.push(this.clock.after(FORCED_MS, resolve)));
    });
    await Promise.race([ended, late]);
    over = true;
    offForced();
    for (const off of this.#timers) off();
  }
}
