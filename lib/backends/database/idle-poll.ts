import type { Clock } from '../../support/clock.js';

/** Looks come this often while there was work lately, and this seldom after a long while without. */
const SHORTEST_MS = 50;
const LONGEST_MS = 1_000;

/**
 * How often an idle worker looks for itself, behind whatever wakes it sooner: each pause is a quarter of the time since there was last
 * something to do. Kept across calls, so that a worker that asks every few seconds does not start again with the short ones.
 */
export class IdlePoll {
  #busyAt: number;

  constructor(private readonly clock: Clock) {
    this.#busyAt = clock.now();
  }

  found(): void {
    this.#busyAt = this.clock.now();
  }

  ms(): number {
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (this.clock.now() - this.#busyAt) / 4));
  }
}

/** Leases that ran out are looked for every sixth of a lease. */
export function sweepEveryMs(leaseMs: number): number {
  return Math.min(5_000, Math.max(500, leaseMs / 6));
}
