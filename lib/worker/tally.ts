import type { WorkerStatus } from '../contracts/worker-options.js';
import type { AttemptEnd } from './running-attempt.js';

/** What a worker counts. Moments are epoch ms. */
export class Tally {
  /** Jobs it has got and not given back. */
  taken = 0;
  processed = 0;
  failed = 0;
  lastJobAt: number | undefined;

  constructor(readonly since: number) {}

  count(end: AttemptEnd, now: number): void {
    if (end.handedOn) return;
    this.processed += 1;
    if (end.outcome.kind === 'failed') this.failed += 1;
    this.lastJobAt = now;
  }

  /** Since when there has been no job. */
  get quietSince(): number {
    return this.lastJobAt ?? this.since;
  }

  get lastJobDate(): Date | null {
    return this.lastJobAt === undefined ? null : new Date(this.lastJobAt);
  }

  status(state: string, running: number): WorkerStatus {
    const { processed, failed, since, lastJobDate: lastJobAt } = this;
    return { state, running, processed, failed, since: new Date(since), lastJobAt };
  }
}
