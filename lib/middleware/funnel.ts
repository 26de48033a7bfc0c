import { randomUUID } from 'node:crypto';
import type { LockStore } from '../contracts/lock-store.js';
import { wholeNumber } from '../job/job.decorators.js';
import type { Clock } from '../support/clock.js';
import { durationMs, type Duration } from '../support/duration.js';
import { errorLine } from '../support/error-text.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { BlockingLimiter, type Held } from './blocking-limiter.js';

/** So many at a time, over all processes. */
export class Funnel extends BlockingLimiter {
  #slots: number | undefined;
  #ttlMs = 60_000;

  constructor(
    private readonly key: string,
    private readonly store: () => Promise<LockStore>,
    private readonly warn: (message: string) => void,
    clock: Clock,
  ) {
    super(`funnel('${key}')`, clock, 250);
  }

  /** How many at a time. */
  limit(max: number): this {
    this.#slots = wholeNumber(max, `${this.called}.limit()`, 1);
    return this;
  }

  /** A place is free again after this, also while its work still runs: give more than the work may take. Default 60 seconds. */
  releaseAfter(ttl: Duration): this {
    const ms = durationMs(ttl, `${this.called}.releaseAfter()`);
    if (ms === 0) throw new InvalidOptionError(`${this.called}.releaseAfter() was given 0. Give a time above 0.`);
    this.#ttlMs = ms;
    return this;
  }

  protected check(): void {
    if (this.#slots === undefined) {
      throw new InvalidOptionError(`${this.called} needs limit(n): funnel('key').limit(1).then(…).`);
    }
  }

  protected async acquire(): Promise<Held | undefined> {
    const store = await this.store();
    const owner = randomUUID();
    const slots = this.#slots!;
    // Those who come at once do not all ask for the same place first.
    const first = Math.floor(Math.random() * slots);
    for (let at = 0; at < slots; at += 1) {
      const key = `funnel:${this.key}:${((first + at) % slots) + 1}`;
      if (await store.acquire(key, owner, this.#ttlMs)) return { release: () => this.#release(store, key, owner) };
    }
    return undefined;
  }

  /** The work is done whatever becomes of its place, which is free again by itself. */
  async #release(store: LockStore, key: string, owner: string): Promise<void> {
    await store.release(key, owner).catch((error: unknown) => {
      this.warn(
        `${this.called}: a place could not be given back and stays taken for up to ${this.#ttlMs / 1_000} s: ${errorLine(error)}`,
      );
    });
  }
}
