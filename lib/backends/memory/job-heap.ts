import type { MemoryJob } from './memory-job.js';

/**
 * A binary heap that knows where each job stands (`job.slot`), so that any of them can be taken out in logarithmic time. A job is in
 * one heap at a time.
 */
export class JobHeap {
  readonly #jobs: MemoryJob[] = [];

  constructor(private readonly before: (a: MemoryJob, b: MemoryJob) => boolean) {}

  get size(): number {
    return this.#jobs.length;
  }

  get first(): MemoryJob | undefined {
    return this.#jobs[0];
  }

  /** In no order. */
  values(): readonly MemoryJob[] {
    return this.#jobs;
  }

  add(job: MemoryJob): void {
    this.#jobs.push(job);
    this.#rise(job, this.#jobs.length - 1);
  }

  remove(job: MemoryJob): void {
    const slot = job.slot;
    const last = this.#jobs.pop()!;
    job.slot = -1;
    if (last === job) return;
    this.#rise(last, slot);
    if (last.slot === slot) this.#sink(last, slot);
  }

  #rise(job: MemoryJob, from: number): void {
    const jobs = this.#jobs;
    let slot = from;
    while (slot > 0) {
      const parent = jobs[(slot - 1) >> 1]!;
      if (!this.before(job, parent)) break;
      jobs[slot] = parent;
      const up = parent.slot;
      parent.slot = slot;
      slot = up;
    }
    jobs[slot] = job;
    job.slot = slot;
  }

  #sink(job: MemoryJob, from: number): void {
    const jobs = this.#jobs;
    let slot = from;
    for (;;) {
      let below = slot * 2 + 1;
      if (below >= jobs.length) break;
      if (below + 1 < jobs.length && this.before(jobs[below + 1]!, jobs[below]!)) below++;
      const child = jobs[below]!;
      if (!this.before(child, job)) break;
      jobs[slot] = child;
      child.slot = slot;
      slot = below;
    }
    jobs[slot] = job;
    job.slot = slot;
  }
}
