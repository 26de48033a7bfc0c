import type { FittedDriver } from '../connections/fit-driver.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { neverAborted } from '../support/abort.js';
import type { Settler } from './settler.js';

export interface Taken {
  readonly jobs: readonly ReservedJob[];
  /** This look was a whole one, so that finding nothing means there is nothing. */
  readonly waited: boolean;
}

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
    /** Told of each look for jobs. */
    private readonly popping: () => void,
  ) {}

  take(queues: readonly string[], limit: number, waitMs: number): Promise<Taken> {
    return this.settler.pending > 0 ? this.#exchange(queues, limit) : this.#reserve(queues, limit, waitMs);
  }

  async #exchange(queues: readonly string[], limit: number): Promise<Taken> {
    const { driver, leaseMs } = this;
    const batch = this.settler.take();
    let jobs: readonly ReservedJob[];
    try {
      const request = { queues, limit, leaseMs, waitMs: 0, signal: neverAborted };
      const answer = await driver.exchange(batch.settlements, request);
      batch.settled(answer.settled);
      jobs = answer.jobs;
    } catch (error) {
      batch.failed();
      throw error;
    }
    // What was handed in is told of within this turn, as if it had gone before this look for jobs.
    await turn();
    this.popping();
    return { jobs, waited: false };
  }

  async #reserve(queues: readonly string[], limit: number, waitMs: number): Promise<Taken> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.settler.taking = false;
    this.popping();
    try {
      const request = { queues, limit, leaseMs: this.leaseMs, waitMs, signal: waiting.signal };
      return { jobs: await this.driver.reserve(request), waited: true };
    } finally {
      this.#waiting = undefined;
      this.settler.taking = true;
      await turn();
    }
  }

  /** Ends a wait that is under way; what is in hand still comes. */
  interrupt(): void {
    this.#waiting?.abort();
  }
}

/** One turn of the event loop for everyone else: a store that answers at once would never let go of it. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
