import { WorkerStopping } from '../contracts/queue-events.js';
import type { StopReason, WorkerOptions, WorkerStatus } from '../contracts/worker-options.js';
import type { Clock } from '../support/clock.js';
import type { AttemptEnd } from './running-attempt.js';
import { exitCodeOf, residentMb } from './stop-conditions.js';

/** What a worker counts. `begun` and `quietSince` are by `Clock.elapsed()`; what is told to others is a date. */
export class Tally {
  /** Jobs it has got and not given back. */
  taken = 0;
  processed = 0;
  failed = 0;
  readonly begun: number;
  readonly #since: Date;
  #lastAt: number | undefined;
  #lastElapsed: number | undefined;

  constructor(private readonly clock: Clock) {
    this.begun = clock.elapsed();
    this.#since = new Date(clock.now());
  }

  count(end: AttemptEnd): void {
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

  stopping(reason: StopReason, given: WorkerOptions): WorkerStopping {
    return new WorkerStopping(exitCodeOf(reason), reason, this.processed, this.lastJobDate, given, residentMb());
  }
}
