import type { JobState } from '../../contracts/queue-driver.js';
import { JobHeap } from './job-heap.js';
import { availableFirst, leaseEndsFirst, type JobHome, type MemoryJob } from './memory-job.js';
import { ReadyLane } from './ready-lane.js';

/** Emptied lanes are kept up to this many: making one anew for each job of a quiet queue would cost more than the job. */
const LANES_KEPT = 16;

/**
 * The jobs of one queue.
 *
 *     push ──▶ delayed ──due──▶ pending ──claim──▶ reserved ──ack──▶ gone
 *                 ▲                ▲                  │
 *                 └────────────────┴──release, lost lease
 */
export class MemoryQueue implements JobHome {
  /** Highest priority first. */
  #lanes: ReadyLane[] = [];
  readonly delayed = new JobHeap(availableFirst);
  readonly reserved = new JobHeap(leaseEndsFirst);

  constructor(readonly name: string) {}

  get pending(): number {
    let count = 0;
    for (const lane of this.#lanes) count += lane.size;
    return count;
  }

  get size(): number {
    return this.pending + this.delayed.size + this.reserved.size;
  }

  get oldestPendingAt(): number | undefined {
    let oldest: number | undefined;
    for (const lane of this.#lanes) {
      const at = lane.first()?.availableAt;
      if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at;
    }
    return oldest;
  }

  /** When this queue has its next job by the clock alone. */
  get nextAt(): number {
    return Math.min(this.delayed.first?.availableAt ?? Infinity, this.reserved.first?.leasedUntil ?? Infinity);
  }

  /** Puts a job that stands nowhere among the pending or the delayed ones. */
  add(job: MemoryJob, now: number): void {
    // What became due meanwhile goes first, so that jobs reach their lane in order: cheaper, not needed for the order itself.
    this.makeDue(now);
    if (job.availableAt <= now) this.#ready(job);
    else {
      job.state = 'delayed';
      this.delayed.add(job);
    }
  }

  makeDue(now: number): void {
    for (let job = this.delayed.first; job !== undefined && job.availableAt <= now; job = this.delayed.first) {
      this.delayed.remove(job);
      this.#ready(job);
    }
  }

  /** Takes back what is held under a lease that ran out, and makes due what was delayed until now. */
  refresh(now: number): void {
    this.makeDue(now);
    for (let job = this.reserved.first; job !== undefined && job.leasedUntil <= now; job = this.reserved.first) {
      this.reserved.remove(job);
      job.stalls++;
      job.availableAt = job.leasedUntil;
      this.#ready(job);
    }
  }

  /** The next due job, now reserved. */
  take(token: () => string, leasedUntil: number): MemoryJob | undefined {
    for (const lane of this.#lanes) {
      const job = lane.take();
      if (job === undefined) continue;
      job.state = 'reserved';
      job.attempts++;
      job.token = token();
      job.leasedUntil = leasedUntil;
      this.reserved.add(job);
      return job;
    }
    return undefined;
  }

  renew(job: MemoryJob, leasedUntil: number): void {
    this.reserved.remove(job);
    job.leasedUntil = leasedUntil;
    this.reserved.add(job);
  }

  /** Takes a job out wherever it stands. */
  remove(job: MemoryJob): void {
    const from = job.state;
    job.state = 'gone';
    if (from === 'reserved') this.reserved.remove(job);
    else if (from === 'delayed') this.delayed.remove(job);
    else if (from === 'pending') this.#lane(job.priority).remove(job);
  }

  /** In no order. */
  values(state: JobState): readonly MemoryJob[] {
    if (state === 'reserved') return this.reserved.values();
    if (state === 'delayed') return this.delayed.values();
    return this.#lanes.flatMap((lane) => lane.values());
  }

  #ready(job: MemoryJob): void {
    job.state = 'pending';
    this.#lane(job.priority).add(job);
  }

  #lane(priority: number): ReadyLane {
    let index = 0;
    for (const lane of this.#lanes) {
      if (lane.priority === priority) return lane;
      if (lane.priority > priority) index++;
    }
    const lane = new ReadyLane(priority);
    this.#lanes.splice(index, 0, lane);
    if (this.#lanes.length > LANES_KEPT) this.#lanes = this.#lanes.filter((one) => one === lane || one.size > 0);
    return lane;
  }
}
