import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../contracts/failed-job-store.js';
import { InvalidOptionError } from '../../support/queue-error.js';

interface Kept {
  readonly job: FailedJob;
  readonly at: number;
  readonly seq: number;
}

/** Failed jobs in this process. */
export class MemoryFailedJobStore implements FailedJobStore {
  readonly #byId = new Map<string, Kept>();
  /** Oldest first, then in the order of recording. */
  readonly #sorted: Kept[] = [];
  #seq = 0;

  /** Records one without a promise: for the driver, which does it in its own write. */
  add(job: FailedJob): void {
    this.#drop(job.id);
    const kept: Kept = { job, at: job.failedAt.getTime(), seq: ++this.#seq };
    this.#byId.set(job.id, kept);
    this.#sorted.splice(this.#indexOf(kept), 0, kept);
  }

  async record(failures: readonly FailedJob[]): Promise<void> {
    for (const job of failures) this.add(job);
  }

  async find(id: string): Promise<FailedJob | undefined> {
    return this.#byId.get(id)?.job;
  }

  async page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }> {
    const page: Kept[] = [];
    let index = query.cursor === undefined ? this.#sorted.length : this.#indexOf(read(query.cursor));
    while (index > 0) {
      const kept = this.#sorted[--index]!;
      if (!matches(kept.job, query)) continue;
      const last = page.at(-1);
      if (page.length === query.limit) {
        return { jobs: page.map(({ job }) => job), next: last && JSON.stringify([last.at, last.seq]) };
      }
      page.push(kept);
    }
    return { jobs: page.map(({ job }) => job) };
  }

  async count(query: FailedJobQuery = {}): Promise<number> {
    if (query.queue === undefined && query.connection === undefined) return this.#sorted.length;
    return this.#sorted.filter(({ job }) => matches(job, query)).length;
  }

  async forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number> {
    const is = (id: string, at: number): boolean => !failedAt || this.#byId.get(id)?.at === failedAt[at]!.getTime();
    return ids.filter((id, at) => is(id, at) && this.#drop(id)).length;
  }

  async prune(failedAt?: Date): Promise<number> {
    const end = failedAt === undefined ? this.#sorted.length : this.#indexOf({ at: failedAt.getTime(), seq: Infinity });
    const pruned = this.#sorted.splice(0, end);
    for (const { job } of pruned) this.#byId.delete(job.id);
    return pruned.length;
  }

  #drop(id: string): boolean {
    const kept = this.#byId.get(id);
    if (!kept) return false;
    this.#byId.delete(id);
    this.#sorted.splice(this.#indexOf(kept), 1);
    return true;
  }

  /** Where this place is, or would be. */
  #indexOf(place: { readonly at: number; readonly seq: number }): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { at, seq } = this.#sorted[middle]!;
      if (at < place.at || (at === place.at && seq < place.seq)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function matches(job: FailedJob, { queue, connection }: FailedJobQuery): boolean {
  return (queue === undefined || job.queue === queue) && (connection === undefined || job.connection === connection);
}

function read(cursor: string): { at: number; seq: number } {
  const [at, seq] = cursor.slice(1, -1).split(',').map(Number);
  if (Number.isFinite(at) && Number.isFinite(seq)) return { at: at!, seq: seq! };
  throw new InvalidOptionError('cursor is not one that a page answered with. Start again without it.');
}
