import type { QueueDriver, ReservedJob, SettleResult, Settlement } from '../contracts/queue-driver.js';
import { pause } from '../support/abort.js';
import { backoffMs } from '../support/backoff.js';
import type { Clock } from '../support/clock.js';

/** Kept from the start: a test may replace the global one. */
const { setImmediate } = globalThis;

interface Handed {
  readonly settlement: Settlement;
  readonly answer: (result: SettleResult) => void;
}

/**
 * Hands in what attempts came to. Everything that ends in one turn of the event loop goes in one call; nothing waits for a timer.
 *
 * While the worker's loop is about to ask for jobs it takes them along (`take`), so that ack and claim are one trip; otherwise they go
 * by themselves. What the store could not take is handed in again until it answers: the token makes a repeat harmless. That waits for
 * no claim, since the slots may all be held by jobs that wait for just this.
 */
export class Settler {
  #pending: Handed[] = [];
  #inFlight = 0;
  #scheduled = false;
  #failures = 0;
  #taking = false;
  readonly #idle = new Set<() => void>();

  constructor(
    private readonly driver: QueueDriver,
    private readonly clock: Clock,
    private readonly report: (message: string, error: unknown) => void,
    /** Aborts when the worker gives up waiting for a store that does not answer. */
    private readonly giveUp: AbortSignal,
  ) {}

  /** True while the worker's loop will take what is pending with its next claim. */
  set taking(taking: boolean) {
    this.#taking = taking;
    if (!taking && this.#pending.length > 0) this.#schedule();
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** Settlements whose answer is not known yet. */
  get open(): number {
    return this.#pending.length + this.#inFlight;
  }

  /** Jobs that were taken and not begun: back to the queue as if they had not been. */
  giveBack(jobs: readonly ReservedJob[]): void {
    for (const job of jobs) void this.add({ kind: 'release', job, delayMs: 0, countAttempt: false });
  }

  /** @param alone not to wait for the next claim: no slot becomes free with it, so there may be none */
  add(settlement: Settlement, alone = false): Promise<SettleResult> {
    return new Promise((answer) => {
      this.#pending.push({ settlement, answer });
      if (alone || !this.#taking) this.#schedule();
    });
  }

  /** For the claim: what is pending, up to so many, and what to do with the answers. */
  take(most = Infinity): {
    settlements: readonly Settlement[];
    settled(results: readonly SettleResult[]): void;
    failed(): void;
  } {
    const handed = most < this.#pending.length ? this.#pending.splice(0, most) : this.#pending;
    if (handed === this.#pending) this.#pending = [];
    this.#inFlight += handed.length;
    return {
      settlements: handed.map((one) => one.settlement),
      settled: (results) => this.#settled(handed, results),
      failed: () => {
        this.#inFlight -= handed.length;
        this.#pending.unshift(...handed);
        this.#schedule();
      },
    };
  }

  /** Resolves when nothing is open. */
  idle(): Promise<void> {
    return this.open === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.add(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#pending.length > 0) void this.#send();
    });
  }

  async #send(): Promise<void> {
    const batch = this.take();
    try {
      const results = await this.driver.settle(batch.settlements);
      this.#failures = 0;
      batch.settled(results);
    } catch (error) {
      this.report('Finished jobs could not be handed in; trying again', error);
      this.#failures += 1;
      await pause(backoffMs(this.#failures, 100, 3_000), this.giveUp, this.clock);
      if (this.giveUp.aborted) batch.settled(batch.settlements.map(() => ({ ok: false, reason: 'error', error })));
      else batch.failed();
    }
  }

  #settled(handed: readonly Handed[], results: readonly SettleResult[]): void {
    this.#inFlight -= handed.length;
    const again: Handed[] = [];
    handed.forEach((one, at) => {
      // A driver that answers for fewer than it was given has not said what became of the others.
      const result = results[at] ?? { ok: false, reason: 'error' };
      if (!result.ok && result.reason === 'error' && !this.giveUp.aborted) again.push(one);
      else one.answer(result);
    });
    if (again.length > 0) {
      this.#inFlight += again.length;
      this.#failures += 1;
      void pause(backoffMs(this.#failures, 100, 3_000), this.giveUp, this.clock).then(() => {
        this.#inFlight -= again.length;
        if (this.giveUp.aborted) {
          for (const one of again) one.answer({ ok: false, reason: 'error' });
          this.#wakeIdle();
          return;
        }
        this.#pending.push(...again);
        this.#schedule();
      });
    }
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    if (this.open === 0) {
      for (const resolve of this.#idle) resolve();
      this.#idle.clear();
    }
  }
}
