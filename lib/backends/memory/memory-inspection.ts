import type { InspectAbility, JobState, StoredJob } from '../../contracts/queue-driver.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import type { MemoryJob } from './memory-job.js';
import type { MemoryStore } from './memory-store.js';

/** A job's place in the order of its page: compared element by element, smaller first. */
type Place = readonly number[];

/** Looks at jobs without touching them. A page reads the whole queue: it is for people, not for workers. */
export class MemoryInspection implements InspectAbility {
  constructor(private readonly store: MemoryStore) {}

  async page(
    name: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly StoredJob[]; readonly next?: string }> {
    const queue = this.store.queues.get(name);
    if (!queue) return { jobs: [] };
    queue.refresh(this.store.clock.now());
    const after = options.cursor === undefined ? undefined : read(options.cursor);
    const rest = queue
      .values(state)
      .map((job) => ({ job, place: placeOf(job, state) }))
      .filter(({ place }) => after === undefined || compare(place, after) > 0)
      .sort((a, b) => compare(a.place, b.place));
    const page = rest.slice(0, options.limit);
    const last = page.at(-1);
    return {
      jobs: page.map(({ job }) => job.stored(state)),
      next: last && rest.length > page.length ? JSON.stringify(last.place) : undefined,
    };
  }

  async find(id: string): Promise<StoredJob | undefined> {
    const job = this.store.jobs.get(id);
    job?.queue.refresh(this.store.clock.now());
    return job && job.state !== 'gone' ? job.stored(job.state) : undefined;
  }

  async remove(id: string): Promise<boolean> {
    const job = this.store.jobs.get(id);
    if (!job) return false;
    this.store.cancel(job, this.store.clock.now());
    return true;
  }

  async queues(): Promise<readonly string[]> {
    return [...this.store.queues.values()].filter((queue) => queue.size > 0).map((queue) => queue.name);
  }
}

function placeOf(job: MemoryJob, state: JobState): Place {
  if (state === 'reserved') return [job.leasedUntil, job.seq];
  if (state === 'delayed') return [job.availableAt, job.seq];
  return [-job.priority, job.availableAt, job.seq];
}

function compare(a: Place, b: Place): number {
  for (let index = 0; index < a.length; index++) {
    const difference = a[index]! - b[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function read(cursor: string): Place {
  try {
    const place: unknown = JSON.parse(cursor);
    if (Array.isArray(place) && place.every((part) => typeof part === 'number')) return place;
  } catch {
    // Answered below: it is no cursor either way.
  }
  throw new InvalidOptionError('cursor is not one that a page answered with. Start again without it.');
}
