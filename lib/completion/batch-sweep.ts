import type { BatchStore } from '../contracts/batch-store.js';
import type { Clock } from '../support/clock.js';
import type { BatchFollower } from './follow-batch.js';
import type { UnfilledBatches } from './unfilled-batches.js';

/** Callbacks that have been due for so long were left behind by a process that has gone. */
const LEFT_BEHIND_MS = 60_000;
const EACH_MS = 30_000;
/** Where nobody has used batches yet. */
const EACH_UNUSED_MS = 300_000;
const FIRST_MS = 2_000;
const SWEPT = 100;
/** How often unfilled ones are looked for: each so-many-th sweep, the first one included. */
const UNFILLED_EACH = 10;

export interface BatchSweeping {
  readonly store: () => Promise<BatchStore>;
  readonly follower: Pick<BatchFollower, 'follow'>;
  readonly unfilled: Pick<UnfilledBatches, 'close'>;
  readonly clock: Clock;
  readonly report: (message: string, error: unknown) => void;
}

/** Does what processes left behind that died between the end of a member and what follows it. Runs for as long as any worker does. */
export class BatchSweep {
  #workers = 0;
  #stop: () => void = () => undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(private readonly services: BatchSweeping) {}

  /** For one worker. Returns what lets go of it; for the last one that resolves when a sweep that runs has ended. */
  join(): () => Promise<void> {
    this.#workers += 1;
    if (this.#workers === 1) this.#wait(FIRST_MS);
    return async () => {
      this.#workers -= 1;
      if (this.#workers > 0) return;
      this.#stop();
      await this.#sweeping;
    };
  }

  /** Once, now. Resolves with whether there are batches at all. */
  async sweep(): Promise<boolean> {
    const { store: open, follower, unfilled, clock } = this.services;
    const store = await open();
    for (const progress of await store.unconfirmed(clock.now() - LEFT_BEHIND_MS, SWEPT)) {
      await follower.follow(progress, undefined, true);
    }
    // Where something was found, the next sweep is the second look.
    if (this.#count++ % UNFILLED_EACH === 0 && (await unfilled.close(store))) this.#count = 0;
    return (await store.page({ limit: 1 })).length > 0;
  }

  /** Not all workers at once. */
  #wait(ms: number): void {
    this.#stop = this.services.clock.after(ms * (0.75 + Math.random() / 2), () => {
      this.#sweeping = this.#once();
    });
  }

  async #once(): Promise<void> {
    let used = true;
    try {
      used = await this.sweep();
    } catch (error) {
      this.services.report('Batches could not be looked through for what others left behind; trying again', error);
    }
    if (this.#workers > 0) this.#wait(used ? EACH_MS : EACH_UNUSED_MS);
  }
}
