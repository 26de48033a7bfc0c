import type { FittedDriver } from '../connections/fit-driver.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { neverAborted, onAbort } from '../support/abort.js';
import type { Settler } from './settler.js';

/** Fewer finished jobs are not worth a trip of their own beside one that is under way; nor are less than a quarter of all slots. */
const WORTH = { jobs: 16, part: 1 / 4 };
/** While the loop idles for longer than the first during an exchange, a second one beside it pays; below the second it does not. ms. */
const IDLE = { pays: 0.1, wasted: 0.02 };
/** Weight of the latest exchange in the average. */
const LATEST = 1 / 16;

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
 *
 * Where the store lets the loop idle, and many jobs end together, they go in two halves (`begin`): the jobs that one brings run while
 * the store works on the other.
 */
export class Intake {
  #waiting: AbortController | undefined;
  #underWay = 0;
  #asked = 0;
  /** What became of an exchange that nobody waited for. */
  #trouble: { readonly error: unknown } | undefined;
  /** How long the loop idles in an exchange on average, ms. */
  #idleMs = 0;
  #inHalves = false;
  readonly #least: number;
  #quiet: (() => void)[] = [];

  constructor(
    private readonly driver: FittedDriver,
    private readonly settler: Settler,
    private readonly leaseMs: number,
    private readonly worker: {
      readonly slots: number;
      /** Told of each look for jobs. */
      popping(): void;
      /** Gets what `begin` brings. */
      arrived(jobs: readonly ReservedJob[]): void;
      /** An exchange of `begin` is over. */
      changed(): void;
    },
  ) {
    this.#least = Math.max(WORTH.jobs, Math.ceil(worker.slots * WORTH.part));
  }

  /** How many jobs the exchanges under way may bring. */
  get asked(): number {
    return this.#asked;
  }

  /** An exchange is under way, and what has been finished since is not worth another one. */
  get busy(): boolean {
    if (this.#underWay === 0 || this.#trouble) return false;
    return this.#underWay > 1 || this.settler.pending < this.#least;
  }

  /** Whether it is time for `begin`. */
  get inHalves(): boolean {
    if (this.#trouble) return false;
    return this.#underWay > 0 || (this.#inHalves && this.settler.pending >= 2 * this.#least);
  }

  /** Hands in what is finished, one half of it where nothing is under way yet, and takes as much. Nobody waits for it. */
  begin(queues: readonly string[], room: number): void {
    const part = this.#underWay === 0 ? 1 / 2 : 1;
    const limit = Math.ceil(room * part);
    this.#underWay += 1;
    this.#asked += limit;
    const over = (): void => {
      this.#underWay -= 1;
      this.#asked -= limit;
    };
    this.#exchange(queues, limit, Math.ceil(this.settler.pending * part))
      .finally(over)
      .then(({ jobs }) => this.worker.arrived(jobs))
      .catch((error: unknown) => {
        this.#trouble = { error };
      })
      .finally(() => {
        if (this.#underWay === 0) for (const resolve of this.#quiet.splice(0)) resolve();
        this.worker.changed();
      });
  }

  /** Resolves when nothing of `begin` is under way, or nobody wants to wait for it. */
  quiet(forced: AbortSignal): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const off = onAbort(forced, resolve);
      this.#quiet.push(() => {
        off();
        resolve();
      });
    });
  }

  /** @throws what the store threw, to this call or to an exchange of `begin` before it */
  async take(queues: readonly string[], limit: number, waitMs: number): Promise<Taken> {
    const trouble = this.#trouble;
    if (trouble) {
      this.#trouble = undefined;
      throw trouble.error;
    }
    return this.settler.pending > 0 ? this.#exchange(queues, limit) : this.#reserve(queues, limit, waitMs);
  }

  async #exchange(queues: readonly string[], limit: number, most?: number): Promise<Taken> {
    const { driver, leaseMs } = this;
    const batch = this.settler.take(most);
    const many = batch.settlements.length >= this.#least;
    let jobs: readonly ReservedJob[];
    try {
      const request = { queues, limit, leaseMs, waitMs: 0, signal: neverAborted };
      const before = many ? performance.eventLoopUtilization().idle : 0;
      const answer = await driver.exchange(batch.settlements, request);
      if (many) this.#idled(performance.eventLoopUtilization().idle - before);
      batch.settled(answer.settled);
      jobs = answer.jobs;
    } catch (error) {
      batch.failed();
      throw error;
    }
    // What was handed in is told of within this turn, as if it had gone before this look for jobs.
    await turn();
    this.worker.popping();
    return { jobs, waited: false };
  }

  #idled(ms: number): void {
    this.#idleMs += (ms - this.#idleMs) * LATEST;
    this.#inHalves = this.#idleMs > (this.#inHalves ? IDLE.wasted : IDLE.pays);
  }

  async #reserve(queues: readonly string[], limit: number, waitMs: number): Promise<Taken> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.settler.taking = false;
    this.worker.popping();
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
