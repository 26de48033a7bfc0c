import { JobHeap } from './job-heap.js';
import { availableFirst, type MemoryJob } from './memory-job.js';

/** The emptied front of the list is given back when it is this long and half of the whole. */
const COMPACT_FROM = 1_024;

/**
 * The jobs of one queue and priority that are due, in claim order.
 *
 * Nearly all arrive in that order and go into a list that is read from the front; the few that do not (released, stalled, or pushed
 * while the clock was set back) go into a heap beside it. A claim takes the smaller of the two heads.
 */
export class ReadyLane {
  #list: (MemoryJob | undefined)[] = [];
  #head = 0;
  /** Jobs in the list that were removed and are passed over. */
  #dead = 0;
  #lastAt = 0;
  #lastSeq = 0;
  readonly #outOfOrder = new JobHeap(availableFirst);

  constructor(readonly priority: number) {}

  get size(): number {
    return this.#list.length - this.#head - this.#dead + this.#outOfOrder.size;
  }

  add(job: MemoryJob): void {
    const inOrder =
      this.#head === this.#list.length ||
      this.#lastAt < job.availableAt ||
      (this.#lastAt === job.availableAt && this.#lastSeq < job.seq);
    if (!inOrder) return this.#outOfOrder.add(job);
    this.#list.push(job);
    this.#lastAt = job.availableAt;
    this.#lastSeq = job.seq;
  }

  first(): MemoryJob | undefined {
    const listed = this.#listed();
    const other = this.#outOfOrder.first;
    return listed === undefined || (other !== undefined && availableFirst(other, listed)) ? other : listed;
  }

  take(): MemoryJob | undefined {
    const job = this.first();
    if (job === undefined) return undefined;
    if (job.slot >= 0) this.#outOfOrder.remove(job);
    else this.#advance();
    return job;
  }

  /** Takes a job out wherever it stands. Its state must have been set to another one than pending. */
  remove(job: MemoryJob): void {
    if (job.slot >= 0) return this.#outOfOrder.remove(job);
    this.#dead++;
    if (this.#dead < COMPACT_FROM || this.#dead * 2 < this.#list.length - this.#head) return;
    this.#list = this.#list.slice(this.#head).filter((one) => one!.state === 'pending');
    this.#head = 0;
    this.#dead = 0;
  }

  /** In no order. */
  values(): readonly MemoryJob[] {
    const listed = this.#list.slice(this.#head).filter((job) => job!.state === 'pending') as MemoryJob[];
    return [...listed, ...this.#outOfOrder.values()];
  }

  #listed(): MemoryJob | undefined {
    while (this.#head < this.#list.length) {
      const job = this.#list[this.#head]!;
      if (job.state === 'pending') return job;
      this.#dead--;
      this.#advance();
    }
    return undefined;
  }

  #advance(): void {
    this.#list[this.#head++] = undefined;
    if (this.#head === this.#list.length) {
      this.#list.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#list.length) {
      this.#list = this.#list.slice(this.#head);
      this.#head = 0;
    }
  }
}
