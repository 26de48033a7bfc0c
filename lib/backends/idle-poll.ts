import type { Clock } from '../support/clock.js';

/** Looks come this often while there was work lately, and this seldom after a long while without. */
const SHORTEST_MS = 50;
const LONGEST_MS = { deaf: 1_000, hearing: 1_000 };

/**
 * How often an idle worker looks for itself, behind whatever wakes it sooner: each pause is a quarter of the time since there was last
 * something to do, half of it where pushes are heard. Kept across calls, so that a worker that asks every few seconds does not start again
 * with the short ones.
 */
export class IdlePoll {
  #busyAt: number;

  /** @param longest without and with a way to hear of pushes at once */
  constructor(
    private readonly clock: Clock,
    private readonly longest: { readonly deaf: number; readonly hearing: number } = LONGEST_MS,
  ) {
    this.#busyAt = clock.elapsed();
  }

  found(): void {
    this.#busyAt = this.clock.elapsed();
  }

  ms(hearing = false): number {
    const quietMs = this.clock.elapsed() - this.#busyAt;
    return hearing
      ? Math.min(this.longest.hearing, Math.max(SHORTEST_MS, quietMs / 2))
      : Math.min(this.longest.deaf, Math.max(SHORTEST_MS, quietMs / 4));
  }
}

/** Leases that ran out are looked for every sixth of a lease. */
export function sweepEveryMs(leaseMs: number): number {
  return Math.min(5_000, Math.max(500, leaseMs / 6));
}
