import { WorkerStopping } from '../contracts/queue-events.js';
import type { StopReason, WorkerOptions, WorkerStatus } from '../contracts/worker-options.js';
import type { Clock } from '../support/clock.js';
import type { ResolvedWorkerOptions } from './resolved-options.js';
import type { AttemptEnd } from './running-attempt.js';
import { exitCodeOf, residentMb } from './stop-conditions.js';

/** A loop with nothing to wait for sleeps no longer than this. */
const LONGEST_NAP_MS = 3_000;

/** How a worker is, for those who look after it. */
export interface WorkerVitals extends WorkerStatus {
  readonly connection: string;
  readonly queues: readonly string[];
  /** A handler did not end by its signal, and was left behind. */
  readonly stuck: boolean;
  /** For how many ms more than it may wait its loop has not come round; 0 where it turns. */
  readonly overdueMs: number;
  /** Why it has ended, where it has: `'error'` where it threw. */
  readonly end?: StopReason | 'error';
}

/** What a worker counts. `begun` and `quietSince` are by `Clock.elapsed()`; what is told to others is a date. */
export class Tally {
  /** Jobs it has got and not given back. */
  taken = 0;
  processed = 0;
  failed = 0;
  stuck = false;
  readonly begun: number;
  readonly #since: Date;
  #lastAt: number | undefined;
  #lastElapsed: number | undefined;
  #turnedAt: number | undefined;

  constructor(private readonly clock: Clock) {
    this.begun = clock.elapsed();
    this.#since = new Date(clock.now());
  }

  /** The loop comes round. Answers with the time, by `Clock.elapsed()`. */
  turn(): number {
    return (this.#turnedAt = this.clock.elapsed());
  }

  count(end: AttemptEnd): void {
    if (end.stuck) this.stuck = true;
    if (end.handedOn) return;
    this.processed += 1;
    if (end.outcome.kind === 'failed') this.failed += 1;
    this.#lastAt = this.clock.now();
    this.#lastElapsed = this.clock.elapsed();
  }

  /** Since when there has been no job. */
  get quietSince(): number {
    return this.#lastElapsed ?? this.begun;
  }

  get lastJobDate(): Date | null {
    return this.#lastAt === undefined ? null : new Date(this.#lastAt);
  }

  status(state: string, running: number): WorkerStatus {
    const { processed, failed, lastJobDate: lastJobAt } = this;
    return { state, running, processed, failed, since: new Date(this.#since), lastJobAt };
  }

  vitals(
    status: WorkerStatus,
    { name: connection, blockForMs = 0 }: { readonly name: string; readonly blockForMs?: number | undefined },
    { queues, sleepMs }: ResolvedWorkerOptions,
  ): WorkerVitals {
    const turns = status.state === 'running' || status.state === 'paused';
    const mayWaitMs = Math.max(LONGEST_NAP_MS, sleepMs, blockForMs);
    const sinceMs = turns && this.#turnedAt !== undefined ? this.clock.elapsed() - this.#turnedAt : 0;
    return { ...status, connection, queues, stuck: this.stuck, overdueMs: Math.max(0, sinceMs - mayWaitMs) };
  }

  stopping(reason: StopReason, given: WorkerOptions): WorkerStopping {
    return new WorkerStopping(exitCodeOf(reason), reason, this.processed, this.lastJobDate, given, residentMb());
  }
}
