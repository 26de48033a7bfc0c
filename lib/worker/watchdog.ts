import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker as Thread } from 'node:worker_threads';
import type { Backend } from '../contracts/backend.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import type { Clock } from '../support/clock.js';
import type { RunningAttempt } from './running-attempt.js';
import { WatchBoard } from './watch-board.js';
import type { WatchTerms } from './watch-duty.js';
import type { WatchdogData, WatchdogWord } from './watchdog-thread.js';

const ENTRY = new URL('./watchdog-thread.js', import.meta.url);
/** Often enough that a twelfth of a lease without one means something. */
const LONGEST_BEAT_MS = 250;
/** How long a thread that was told to end may take to close its connection. */
const END_MS = 2_000;

/** What a watchdog is started with. */
export interface WatchdogOptions extends WatchTerms {
  /** How many reservations the worker holds at most, but for those that wait for the store's answer. */
  readonly reservations: number;
  readonly watch: NonNullable<Backend['watch']>;
  readonly clock: Clock;
  readonly report: (message: string, error: unknown) => void;
}

/**
 * The worker's side of its watchdog: a thread with a connection of its own, which keeps the leases and ends the process while this
 * thread is blocked. A job costs a few writes into shared memory, and no message unless it carries something from earlier attempts.
 */
export class Watchdog {
  readonly #board: WatchBoard;
  readonly #thread: Thread;
  readonly #beating: NodeJS.Timeout;
  readonly #clock: Clock;
  #gone = false;

  /** `undefined` where there can be none; then leases are renewed by this thread alone, which is said in the log. */
  static start(options: WatchdogOptions): Watchdog | undefined {
    const missing = [ENTRY, options.watch.entry].find(
      (url) => url.protocol === 'file:' && !existsSync(fileURLToPath(url)),
    );
    // Run from its sources, as by Jest, there is no file that a thread could run.
    if (missing && import.meta.url.endsWith('.ts')) return undefined;
    try {
      if (missing) throw new Error(`${missing.href} does not exist; is the package bundled?`);
      return new Watchdog(options);
    } catch (error) {
      options.report(UNWATCHED, error);
      return undefined;
    }
  }

  private constructor(options: WatchdogOptions) {
    const { leaseMs, graceMs, mayKill, watch, clock, report, reservations } = options;
    // Those whose handler is over wait for the store's answer besides.
    this.#board = WatchBoard.of(2 * reservations + 16);
    this.#clock = clock;
    this.#board.beat = clock.elapsed();
    const data: WatchdogData = {
      memory: this.#board.memory,
      terms: { leaseMs, graceMs, mayKill },
      entry: watch.entry.href,
      data: watch.data,
    };
    // Whatever the process itself is to load first (tracing, loaders) is not for this thread.
    this.#thread = new Thread(ENTRY, { name: 'nestjs-queue watchdog', workerData: data, execArgv: [] });
    this.#thread.unref();
    this.#thread.on('error', (error) => this.#lost(report, error));
    this.#thread.on('exit', (code) => this.#lost(report, new Error(`it ended with code ${code}`)));
    this.#beating = setInterval(
      () => {
        this.#board.beat = clock.elapsed();
      },
      Math.min(LONGEST_BEAT_MS, leaseMs / 12),
    );
    this.#beating.unref();
  }

  /** Puts a reservation up. `undefined`: this one is not watched. */
  hold({ id, token, queue }: ReservedJob): number | undefined {
    return this.#gone ? undefined : this.#board.hold(id, token, this.#clock.elapsed(), queue);
  }

  start(place: number, attempt: RunningAttempt): void {
    const memo = attempt.carried;
    const version = this.#board.start(place, {
      displayName: attempt.context.displayName,
      deadline: attempt.deadline,
      timeoutMs: attempt.timeoutMs,
      delayMs: attempt.delayBehindTimeout,
      hasMemo: memo !== undefined,
    });
    if (memo !== undefined) this.#tell({ kind: 'memo', place, version, memo });
  }

  /** Its handler begins now, and has begun when this is called without a place. */
  entered(place?: number): void {
    this.#board.entered = place;
  }

  /** The handler is over; the lease goes on until the store has what came of it. */
  over(place: number): void {
    this.#board.over(place);
  }

  clear(place: number): void {
    this.#board.clear(place);
  }

  /** When a lease was last known to be renewed, by `Clock.elapsed()`. */
  renewedAt(place: number): number {
    return this.#board.renewedAt(place);
  }

  stop(): void {
    clearInterval(this.#beating);
    if (this.#gone) return;
    this.#gone = true;
    this.#tell({ kind: 'end' });
    setTimeout(() => void this.#thread.terminate(), END_MS).unref();
  }

  #tell(word: WatchdogWord): void {
    this.#thread.postMessage(word);
  }

  #lost(report: WatchdogOptions['report'], error: Error): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#beating);
    report(UNWATCHED, error);
  }
}

export const UNWATCHED = 'A worker runs without its watchdog thread, so a job that blocks it may lose its lease';
