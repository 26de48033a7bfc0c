import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../contracts/failed-job-store.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import type { FailedFile } from './failed-file.js';
import { keptFailure, newestFirst, type Contents, type KeptFailure } from './failed-file-text.js';

/** Records that go in one write which has not begun. */
interface Write {
  readonly failures: FailedJob[];
  readonly done: Promise<void>;
}

/** Failed jobs in a file, the newest `limit` of them. */
export class FileFailedJobs implements FailedJobStore {
  #index: { readonly contents: Contents; readonly byId: ReadonlyMap<string, KeptFailure> } | undefined;
  #next: Write | undefined;

  /** @param dropped told how many records gave way to newer ones */
  constructor(
    private readonly file: FailedFile,
    private readonly limit: number,
    private readonly dropped: (count: number) => void,
  ) {}

  /** What fails while the file waits for its turn is written with it. */
  record(failures: readonly FailedJob[]): Promise<void> {
    if (failures.length === 0) return Promise.resolve();
    const write = (this.#next ??= this.#nextWrite());
    write.failures.push(...failures);
    return write.done;
  }

  #nextWrite(): Write {
    const failures: FailedJob[] = [];
    const begun = (): void => {
      if (this.#next === write) this.#next = undefined;
    };
    const done = this.file
      .change((contents) => {
        begun();
        return this.#added(contents, failures);
      }, 'begin-anew')
      .finally(begun);
    const write: Write = { failures, done };
    return write;
  }

  async find(id: string): Promise<FailedJob | undefined> {
    return this.#byId(await this.file.read()).get(id)?.job;
  }

  async page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }> {
    const limit = Math.max(0, Math.floor(query.limit));
    const behind = query.cursor === undefined ? undefined : placeIn(query.cursor);
    const { kept } = await this.file.read();
    const page: KeptFailure[] = [];
    for (const one of kept) {
      if ((behind && newestFirst(one, behind) <= 0) || !matches(one.job, query)) continue;
      if (page.length === limit) {
        const last = page.at(-1);
        return { jobs: page.map(({ job }) => job), ...(last && { next: `${last.at}.${last.seq}` }) };
      }
      page.push(one);
    }
    return { jobs: page.map(({ job }) => job) };
  }

  async count(query: FailedJobQuery = {}): Promise<number> {
    const { kept } = await this.file.read();
    return kept.filter(({ job }) => matches(job, query)).length;
  }

  async forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number> {
    if (ids.length === 0) return 0;
    const moments = new Map(ids.map((id, at) => [id, failedAt?.[at]!.getTime()]));
    return this.#without(({ job: { id }, at }) => moments.has(id) && (moments.get(id) ?? at) === at);
  }

  async prune(failedAt?: Date): Promise<number> {
    const until = failedAt?.getTime() ?? Infinity;
    return this.#without(({ at }) => at <= until);
  }

  #without(isGone: (one: KeptFailure) => boolean): Promise<number> {
    return this.file.change((contents) => {
      const kept = contents.kept.filter((one) => !isGone(one));
      const result = contents.kept.length - kept.length;
      return result === 0 ? { result } : { contents: { ...contents, kept }, result };
    });
  }

  #added({ kept, last }: Contents, failures: readonly FailedJob[]): { contents: Contents; result: void } {
    const fresh = new Map<string, KeptFailure>();
    let seq = last;
    for (const job of failures) fresh.set(job.id, keptFailure(job, ++seq));
    const all = [...fresh.values(), ...kept.filter(({ job }) => !fresh.has(job.id))].sort(newestFirst);
    if (all.length > this.limit) this.dropped(all.length - this.limit);
    return { contents: { kept: all.slice(0, this.limit), last: seq }, result: undefined };
  }

  /** Made when it is first needed: a retry of many looks for one after the other. */
  #byId(contents: Contents): ReadonlyMap<string, KeptFailure> {
    if (this.#index?.contents !== contents) {
      this.#index = { contents, byId: new Map(contents.kept.map((one) => [one.job.id, one])) };
    }
    return this.#index.byId;
  }
}

function matches(job: FailedJob, { queue, connection }: FailedJobQuery): boolean {
  return (queue === undefined || job.queue === queue) && (connection === undefined || job.connection === connection);
}

function placeIn(cursor: string): { readonly at: number; readonly seq: number } {
  const found = /^(-?\d+)\.(\d+)$/.exec(cursor);
  if (found) return { at: Number(found[1]), seq: Number(found[2]) };
  throw new InvalidOptionError('cursor is not one that a page answered with. Start again without it.');
}
