import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { digest, nameOf, readName, type Ticket } from './ticket.js';

/** What never changes about a job: the content of its file. */
export interface FiledJob {
  readonly id: string;
  readonly queue: string;
  readonly body: string;
  /** How long its id is remembered past its end. */
  readonly onceMs?: number;
  /** The name that it enters its queue under. */
  readonly ticket: string;
}

/** What a live process has in `work/` is gone sooner. */
const LEFT_BEHIND_MS = 60_000;

/**
 * The files of the store, and the steps that change them. A step can be cut off anywhere: what is under way is in `work/`, and whoever
 * sweeps there finishes it. The calls are synchronous: nothing of this process comes between a look and the rename that follows it.
 *
 *   jobs/<queue>/<ticket>   a job
 *   ids/<job>               the same file by a second name, so that no two jobs have one id
 *   memos/<token>           what a release left for the next attempt
 *   marks/once.<job>        an id to be remembered; its time of change is when it may be forgotten
 *   marks/cancelled.<token> a reservation whose job was removed by hand
 *   work/                   what is on its way in (`new.<since>.…`) or out (`gone.<since>.…`)
 */
export class JobFiles {
  readonly #folders = new Set<string>();
  #made = false;

  constructor(
    private readonly root: string,
    /** Epoch milliseconds. */
    readonly now: () => number,
    private readonly durable: boolean,
  ) {}

  /** False where there is such a job, or one is remembered. */
  add(job: FiledJob): boolean {
    this.#make();
    const draft = this.#work('new');
    this.#write(draft, JSON.stringify(job));
    if (did('EEXIST', () => fs.linkSync(draft, this.#idOf(job)))) return this.#enter(draft, job);
    fs.unlinkSync(draft);
    return false;
  }

  /** In the order in which jobs are to be taken. */
  list(queue: string): Ticket[] {
    const names = unless('ENOENT', () => fs.readdirSync(this.#path('jobs', digest(queue)))) ?? [];
    return names.toSorted().map(readName);
  }

  /** False where the job is no longer what `from` says: somebody else was faster. */
  move(queue: string, from: Ticket, to: Ticket): boolean {
    return did('ENOENT', () => fs.renameSync(this.#ticket(queue, from), this.#ticket(queue, to)));
  }

  /** Ends a job, if it still is what `from` says. */
  end(queue: string, from: Ticket): boolean {
    const gone = this.#work('gone');
    if (!did('ENOENT', () => fs.renameSync(this.#ticket(queue, from), gone))) return false;
    this.#leave(gone);
    if (from.memo) this.forgetMemo(from.memo);
    return true;
  }

  read(queue: string, ticket: Ticket): FiledJob {
    return JSON.parse(fs.readFileSync(this.#ticket(queue, ticket), 'utf8')) as FiledJob;
  }

  /** A job by its id, wherever it is. */
  find(id: string): [FiledJob, Ticket] | undefined {
    const text = unless('ENOENT', () => fs.readFileSync(this.#path('ids', digest(id)), 'utf8'));
    if (text === undefined) return undefined;
    const job = JSON.parse(text) as FiledJob;
    const ticket = this.list(job.queue).find((one) => one.job === digest(id));
    return ticket && [job, ticket];
  }

  /** The names of all queues that have jobs. */
  queues(): string[] {
    this.#make();
    return fs.readdirSync(this.#path('jobs')).flatMap((folder) => {
      const [name] = fs.readdirSync(this.#path('jobs', folder));
      const text = name && unless('ENOENT', () => fs.readFileSync(this.#path('jobs', folder, name), 'utf8'));
      return text ? [(JSON.parse(text) as FiledJob).queue] : [];
    });
  }

  keepMemo(name: string, text: string): void {
    this.#write(this.#path('memos', name), JSON.stringify(text));
  }

  readMemo(name: string): string {
    return JSON.parse(fs.readFileSync(this.#path('memos', name), 'utf8')) as string;
  }

  forgetMemo(name: string): void {
    did('ENOENT', () => fs.unlinkSync(this.#path('memos', name)));
  }

  /** Leaves a mark that holds for a while. */
  mark(name: string, forMs: number): void {
    const until = (this.now() + forMs) / 1_000;
    fs.writeFileSync(this.#path('marks', name), '');
    fs.utimesSync(this.#path('marks', name), until, until);
  }

  marked(name: string): boolean {
    return (unless('ENOENT', () => fs.statSync(this.#path('marks', name)))?.mtimeMs ?? 0) > this.now();
  }

  /** Makes the names in these queues last through a power cut, as the contents do. */
  sync(queues: Iterable<string>): void {
    if (!this.durable) return;
    for (const folder of [this.#path('ids'), ...[...queues].map((queue) => this.#path('jobs', digest(queue)))]) {
      const handle = unless('ENOENT', () => fs.openSync(folder, 'r'));
      if (handle === undefined) continue;
      fs.fsyncSync(handle);
      fs.closeSync(handle);
    }
  }

  /** Finishes what dead processes have begun, and forgets ids whose time is over. */
  sweep(): void {
    this.#make();
    for (const name of fs.readdirSync(this.#path('work'))) {
      const [kind, since] = name.split('.');
      if (this.now() - Number(since) < LEFT_BEHIND_MS) continue;
      // Not there: somebody else sweeps too.
      unless('ENOENT', () => this.#finish(kind!, this.#path('work', name)));
    }
    for (const name of fs.readdirSync(this.#path('marks'))) {
      if (!this.marked(name)) did('ENOENT', () => fs.unlinkSync(this.#path('marks', name)));
    }
  }

  #finish(kind: string, path: string): void {
    if (kind === 'gone') return this.#leave(path);
    // Without a second name it may not be whole, and its push has not been answered.
    if (fs.statSync(path).nlink === 1) return fs.unlinkSync(path);
    this.#enter(path, JSON.parse(fs.readFileSync(path, 'utf8')) as FiledJob);
  }

  /** The second half of `add`. The id is taken by now: a job that ends meanwhile has left its mark before it gave the id back. */
  #enter(draft: string, job: FiledJob): boolean {
    if (job.onceMs !== undefined && this.marked(`once.${digest(job.id)}`)) {
      fs.unlinkSync(this.#idOf(job));
      fs.unlinkSync(draft);
      return false;
    }
    const folder = this.#path('jobs', digest(job.queue));
    if (!this.#folders.has(folder)) fs.mkdirSync(folder, { recursive: true });
    this.#folders.add(folder);
    // Not there: it was taken for left behind, and somebody else has finished it.
    did('ENOENT', () => fs.renameSync(draft, join(folder, job.ticket)));
    return true;
  }

  /** The second half of `end`. */
  #leave(gone: string): void {
    const job = JSON.parse(fs.readFileSync(gone, 'utf8')) as FiledJob;
    if (job.onceMs !== undefined) this.mark(`once.${digest(job.id)}`, job.onceMs);
    const taken = unless('ENOENT', () => fs.statSync(this.#idOf(job)));
    if (taken?.ino === fs.statSync(gone).ino) fs.unlinkSync(this.#idOf(job));
    fs.unlinkSync(gone);
  }

  #write(path: string, text: string): void {
    fs.writeFileSync(path, text, { flush: this.durable });
  }

  #make(): void {
    if (this.#made) return;
    for (const one of ['jobs', 'ids', 'memos', 'marks', 'work']) fs.mkdirSync(this.#path(one), { recursive: true });
    this.#made = true;
  }

  #work(kind: 'new' | 'gone'): string {
    return this.#path('work', [kind, this.now(), randomUUID()].join('.'));
  }

  #ticket(queue: string, ticket: Ticket): string {
    return this.#path('jobs', digest(queue), nameOf(ticket));
  }

  #idOf({ id }: FiledJob): string {
    return this.#path('ids', digest(id));
  }

  #path(...parts: readonly string[]): string {
    return join(this.root, ...parts);
  }
}

/** What a call gives; `undefined` where it meets a state of the files that is to be expected. */
function unless<T>(code: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined;
    throw error;
  }
}

function did(code: string, call: () => void): boolean {
  return unless(code, () => (call(), true)) ?? false;
}
