import type { FittedDriver } from '../connections/fit-driver.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { neverAborted } from '../support/abort.js';
import type { Settler } from './settler.js';

/**
 * Asks for jobs. What has been finished goes along in the same trip; where nothing has, and nothing is due, it waits in `reserve`,
 * and what finishes meanwhile is handed in on its own.
 *
 *   something to hand in ──▶ exchange          never waits
 *   nothing to hand in   ──▶ reserve           waits up to waitMs; cut short by `interrupt()`
 */
export class Intake {
  #waiting: AbortController | undefined;

  constructor(
    private readonly driver: FittedDriver,
    private readonly settler: Settler,
    private readonly leaseMs: number,
  ) {}

  /** `waited`: this look was a whole one, so that finding nothing means there is nothing. */
  async take(
    queues: readonly string[],
    limit: number,
    waitMs: number,
  ): Promise<{ readonly jobs: readonly ReservedJob[]; readonly waited: boolean }> {
    if (this.settler.pending > 0) {
      const batch = this.settler.take();
      try {
        const { settled, jobs } = await this.driver.exchange(batch.settlements, {
          queues,
          limit,
          leaseMs: this.leaseMs,
          waitMs: 0,
          signal: neverAborted,
        });
        batch.settled(settled);
        return { jobs, waited: false };
      } catch (error) {
        batch.failed();
        throw error;
      }
    }
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.settler.taking = false;
    try {
      const jobs = await this.driver.reserve({ queues, limit, leaseMs: this.leaseMs, waitMs, signal: waiting.signal });
      return { jobs, waited: true };
    } finally {
      this.#waiting = undefined;
      this.settler.taking = true;
    }
  }

  /** Ends a wait that is under way; what is in hand still comes. */
  interrupt(): void {
    this.#waiting?.abort();
  }
}
