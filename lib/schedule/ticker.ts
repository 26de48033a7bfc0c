import type { Clock } from '../support/clock.js';
import type { CronMoments } from './cron-moments.js';

/** A clock that was set is noticed within this time. */
const LONGEST_WAIT_MS = 60_000;
/** A tick that is missed for longer than this, by a machine that slept perhaps, is left out. Ids are remembered for twice as long. */
export const LATEST_MS = 12 * 3_600_000;
/** When a tick that failed is tried again, until the next one is due or an hour has passed. */
const RETRIES_MS = [1_000, 5_000, 15_000, 30_000, 60_000];
const LONGEST_RETRY_MS = 3_600_000;

export interface TickerServices {
  readonly clock: Clock;
  /** Of a tick that failed for the first time, or was left out. */
  readonly report: (message: string, error: unknown) => void;
}

/**
 * Runs something at the moments of a cron expression, and tells it which moment that is: the planned one, which is the same in every
 * process, whenever its timer fires. Of ticks that were missed while the process was blocked only the last one is made up for.
 */
export class Ticker {
  #planned = 0;
  #running = new Set<Promise<void>>();
  #waiting = new Set<() => void>();
  #disarm: (() => void) | undefined;
  #stopped = false;

  /** @param run may be called again for the same moment, where it has rejected */
  constructor(
    private readonly name: string,
    private readonly moments: CronMoments,
    private readonly run: (plannedAt: number) => Promise<void>,
    private readonly services: TickerServices,
  ) {}

  start(): void {
    this.#planned = this.moments.next(this.services.clock.now());
    this.#arm();
  }

  /** No tick begins from now on; resolves when those that have begun are over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#disarm?.();
    for (const wake of this.#waiting) wake();
    await Promise.allSettled(this.#running);
  }

  #arm(): void {
    if (this.#stopped) return;
    const { clock } = this.services;
    const wait = Math.min(Math.max(this.#planned - clock.now(), 1), LONGEST_WAIT_MS);
    this.#disarm = clock.after(wait, () => this.#wake());
  }

  #wake(): void {
    if (this.#stopped) return;
    const now = this.services.clock.now();
    if (now < this.#planned) {
      // Nearer than it was, where the clock has been set back.
      this.#planned = Math.min(this.#planned, this.moments.next(now));
    } else {
      const at = this.#latest(now);
      this.#planned = this.moments.next(now);
      if (now - at <= LATEST_MS) this.#tick(at);
      else this.#leaveOut(at);
    }
    this.#arm();
  }

  /** The last moment until now. Looked for from now on backwards, since thousands may have passed. */
  #latest(now: number): number {
    for (let span = 1_000; now - span > this.#planned; span *= 2) {
      const at = this.moments.next(now - span);
      if (at <= now) return this.#lastFrom(at, now);
    }
    return this.#lastFrom(this.#planned, now);
  }

  #lastFrom(at: number, now: number): number {
    let last = at;
    for (let next = this.moments.next(last); next <= now; next = this.moments.next(next)) last = next;
    return last;
  }

  #tick(at: number): void {
    const work = this.#carriedOut(at).finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Never rejects. */
  async #carriedOut(at: number): Promise<void> {
    const { clock, report } = this.services;
    for (let tries = 0; !this.#stopped; tries += 1) {
      try {
        return await this.run(at);
      } catch (error) {
        const wait = RETRIES_MS[Math.min(tries, RETRIES_MS.length - 1)]!;
        const again = clock.now() + wait < Math.min(this.#planned, at + LONGEST_RETRY_MS);
        if (tries === 0 || !again) {
          const then = again ? 'it is tried again until the next tick' : 'the next tick goes on';
          report(`A tick of ${this.name} failed; ${then}`, error);
        }
        if (!again) return;
        await this.#pause(wait);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const over = (): void => {
        calledOff();
        this.#waiting.delete(over);
        resolve();
      };
      const calledOff = this.services.clock.after(ms, over);
      this.#waiting.add(over);
    });
  }

  #leaveOut(at: number): void {
    this.services.report(
      `The tick of ${this.name} at ${new Date(at).toISOString()} was missed and is left out`,
      new Error(`This process came to it more than ${LATEST_MS / 3_600_000} hours late.`),
    );
  }
}
