import type { InspectAbility, JobState, StoredJob } from '../../contracts/queue-driver.js';
import { chunks } from '../../support/chunks.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import { readable, storable } from '../stored-text.js';
import { type Keyspace, slotTag } from './keyspace.js';
import type { Arg, Order, RedisLink, Reply } from './link.js';
import { jobFind } from './scripts/job-find.js';
import { jobRemove } from './scripts/job-remove.js';
import { lockRelease } from './scripts/lock-release.js';
import { pagePending } from './scripts/page-pending.js';
import { pageTimed } from './scripts/page-timed.js';
import { STORE_PATIENCE } from './store-patience.js';
import { storedJobs } from './told-jobs.js';

/** In one page. */
const JOBS = 1_000;
/** Asked in one go. */
const QUEUES = 500;

interface Found {
  readonly job: StoredJob;
  /** As it is stored. */
  readonly lock: { readonly name: string; readonly owner: string } | undefined;
}

/** Looks at jobs, and removes some, by hand. */
export class RedisInspection implements InspectAbility {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: Keyspace,
  ) {}

  async page(
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly StoredJob[]; readonly next?: string }> {
    const limit = Math.min(JOBS, Math.floor(options.limit));
    if (limit < 1) return { jobs: [] };
    const isPending = state === 'pending';
    const parts = isPending ? 4 : 2;
    const from = options.cursor === undefined ? [] : readCursor(options.cursor, parts);
    const base = [this.keys.queue(queue)];
    const reply = isPending
      ? await this.link.run(pagePending, base, [limit, ...from], STORE_PATIENCE)
      : await this.link.run(pageTimed, base, [state === 'delayed' ? state : 'leased', limit, ...from], STORE_PATIENCE);
    const told = reply as readonly Arg[];
    const next = told.slice(0, parts);
    return {
      jobs: storedJobs(told.slice(parts), queue, state),
      ...(next[0] === '' ? {} : { next: JSON.stringify(next) }),
    };
  }

  async find(id: string): Promise<StoredJob | undefined> {
    return (await this.#find(id))?.job;
  }

  async remove(id: string): Promise<boolean> {
    const found = await this.#find(id);
    if (found === undefined) return false;
    const keys = [this.keys.queue(found.job.queue)];
    if (found.lock) {
      const lock = this.keys.lock(readable(found.lock.name));
      if (!this.link.isCluster || slotTag(lock) === slotTag(keys[0]!)) keys.push(lock);
      // In another slot it goes first: who is killed between leaves a job without its lock, and never a lock that nobody gives back.
      else await this.link.run(lockRelease, [lock], [found.lock.owner], STORE_PATIENCE);
    }
    return (await this.link.run(jobRemove, keys, [storable(id)], STORE_PATIENCE)) === 1;
  }

  async queues(): Promise<readonly string[]> {
    const names = await this.#names();
    const there = await this.#each(names, (base) => ({ command: 'EXISTS', args: [`${base}:jobs`] }));
    return names.filter((_, at) => there[at] === 1);
  }

  async #find(id: string): Promise<Found | undefined> {
    const stored = storable(id);
    const names = await this.#names();
    const there = await this.#each(names, (base) => ({ command: 'HEXISTS', args: [`${base}:jobs`, stored] }));
    for (const queue of names.filter((_, at) => there[at] === 1)) {
      const reply = await this.link.run(jobFind, [this.keys.queue(queue)], [stored], STORE_PATIENCE);
      if (reply === null) continue;
      const [state, name, owner, ...told] = reply as readonly [JobState, string, string, ...Arg[]];
      const [job] = storedJobs(told, queue, state);
      if (job) return { job, lock: name === '' ? undefined : { name, owner } };
    }
    return undefined;
  }

  /** All that were ever pushed to. */
  async #names(): Promise<readonly string[]> {
    const names = await this.link.send('SMEMBERS', [this.keys.own('queues')], STORE_PATIENCE);
    return (names as readonly string[]).map(readable);
  }

  async #each(names: readonly string[], order: (base: string) => Order): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    for (const some of chunks(names, QUEUES)) {
      const orders = some.map((name) => order(this.keys.queue(name)));
      replies.push(...(await this.link.all(orders, STORE_PATIENCE)));
    }
    return replies;
  }
}

function readCursor(cursor: string, parts: number): readonly Arg[] {
  try {
    const place: unknown = JSON.parse(cursor);
    const isPart = (part: unknown): part is Arg => typeof part === 'string' || typeof part === 'number';
    if (Array.isArray(place) && place.length === parts && place.every(isPart)) return place;
  } catch {
    // Answered below: it is no cursor either way.
  }
  throw new InvalidOptionError('cursor is not one that a page answered with. Start again without it.');
}
