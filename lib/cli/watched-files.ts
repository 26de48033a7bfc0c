import { createHash } from 'node:crypto';
import { watch, type FSWatcher, type Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, sep } from 'node:path';
import { deferred, type Deferred } from '../support/deferred.js';
import { CommandError } from './command-error.js';

/** What an application is made of. What its jobs write beside it, such as a database or a log, is no reason to start anew. */
const CODE: ReadonlySet<string> = new Set(
  '.js .mjs .cjs .jsx .ts .mts .cts .tsx .json .node .wasm .yml .yaml'.split(' '),
);
/** A build writes many files: it has ended when nothing has been written for so long. */
const QUIET_MS = 200;
/** JSON beyond this many bytes is told by its date alone. */
const LARGEST_READ = 1_048_576;
/** Between two looks where the system cannot watch. */
const POLL_MS = 1_000;
/** Elsewhere Node makes up recursion itself, and loses a folder that is removed and made again. */
const RECURSIVE = process.platform === 'darwin' || process.platform === 'win32';

interface Watched {
  readonly identity: string;
  readonly watcher: FSWatcher;
}

/**
 * The files below some folders, and single files. The system says that something happened; whether it matters is told by comparing what
 * is there with what was there at the last `mark()`, so that no change is lost and none counts twice. `node_modules` and names that
 * begin with a dot are left out.
 */
export class WatchedFiles {
  private readonly watchers = new Map<string, Watched>();
  private seen = new Map<string, string>();
  private readonly contents = new Map<string, { readonly written: string; readonly digest: string }>();
  private next: Deferred<readonly string[]> = deferred();
  private round = 0;
  private quiet: NodeJS.Timeout | undefined;
  private poll: NodeJS.Timeout | undefined;
  private closed = false;

  /**
   * @param paths absolute
   * @param needed a file without which the build is not whole: what changes while it is away is not told before it is back
   */
  constructor(
    private readonly paths: readonly string[],
    private readonly needed?: string,
  ) {}

  /** @throws CommandError where there is nothing at one of the paths */
  async check(): Promise<void> {
    for (const path of this.paths) {
      if (await stat(path).catch(() => undefined)) continue;
      throw new CommandError(
        `There is nothing to watch at ${path}.`,
        'Build the application first. A connection is named before the option: queue:work database --watch dist',
      );
    }
  }

  /** What is there now is known from here on. */
  async mark(): Promise<void> {
    clearTimeout(this.quiet);
    this.round += 1;
    this.next = deferred();
    this.seen = await this.scan();
  }

  /** Resolves when something has changed since the last `mark()`, and a build has come to rest: with the paths. */
  get changed(): Promise<readonly string[]> {
    return this.next.promise;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.quiet);
    clearInterval(this.poll);
    for (const { watcher } of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  private touched(): void {
    if (this.closed) return;
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => void this.look(), QUIET_MS);
  }

  private async look(): Promise<void> {
    const { round } = this;
    const found = await this.scan();
    if (round !== this.round || this.closed) return;
    if (this.needed !== undefined && !(await stat(this.needed).catch(() => undefined))) return;
    const changed = [...new Set([...found.keys(), ...this.seen.keys()])].filter(
      (path) => found.get(path) !== this.seen.get(path),
    );
    if (changed.length > 0 && round === this.round) this.next.resolve(changed);
  }

  /** Every file with what tells one state of it from another. Sees to it that what is there is watched. */
  private async scan(): Promise<Map<string, string>> {
    const files = new Map<string, string>();
    const present = new Set<string>();
    for (const path of this.paths) {
      // A file, and a folder that is removed and made again, are seen from the folder around them.
      const around = `around ${path}`;
      present.add(around);
      await this.watch(around, dirname(path), (name) => name === basename(path));
      const there = await stat(path).catch(() => undefined);
      if (there?.isDirectory()) await this.scanFolder(path, true, files, present);
      else if (there) files.set(path, await this.state(path, there));
    }
    for (const [key, { watcher }] of this.watchers) {
      if (present.has(key)) continue;
      watcher.close();
      this.watchers.delete(key);
    }
    return files;
  }

  private async scanFolder(
    folder: string,
    top: boolean,
    files: Map<string, string>,
    present: Set<string>,
  ): Promise<void> {
    // Watched before it is read: what comes between the two is in one of them.
    if (top || !RECURSIVE) {
      present.add(folder);
      await this.watch(folder, folder, mayMatter, RECURSIVE);
    }
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    await Promise.all(
      entries.map(async (entry) => {
        if (leftOut(entry.name)) return;
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return this.scanFolder(path, false, files, present);
        if (!CODE.has(extname(entry.name))) return;
        const there = await stat(path).catch(() => undefined);
        if (there) files.set(path, await this.state(path, there));
      }),
    );
  }

  /** An application may write JSON as it starts, such as the description of its API: the same again is no change. */
  private async state(path: string, there: Stats): Promise<string> {
    const written = `${there.mtimeMs} ${there.size} ${there.ino}`;
    if (extname(path) !== '.json' || there.size > LARGEST_READ) return written;
    const known = this.contents.get(path);
    if (known?.written === written) return known.digest;
    const content = await readFile(path).catch(() => undefined);
    if (!content) return written;
    const digest = createHash('sha256').update(content).digest('base64');
    this.contents.set(path, { written, digest });
    return digest;
  }

  private async watch(
    key: string,
    folder: string,
    heeds: (name: string, event: string) => boolean,
    recursive = false,
  ): Promise<void> {
    const there = await stat(folder).catch(() => undefined);
    if (!there || this.closed) return;
    // An inode is given out again.
    const identity = `${there.ino} ${there.birthtimeMs}`;
    const before = this.watchers.get(key);
    if (before?.identity === identity) return;
    before?.watcher.close();
    this.watchers.delete(key);
    try {
      const watcher = watch(folder, { recursive }, (event, name) => {
        // The folder itself has gone, and what stands in its place is not watched yet.
        if (event === 'rename' && name === basename(folder)) this.forget(key, watcher);
        if (name === null || heeds(name, event)) this.touched();
      });
      watcher.on('error', () => {
        this.forget(key, watcher);
        this.touched();
      });
      this.watchers.set(key, { identity, watcher });
    } catch {
      // The system has no more watches to give.
      this.poll ??= setInterval(() => this.touched(), POLL_MS);
    }
  }

  private forget(key: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.watchers.get(key)?.watcher === watcher) this.watchers.delete(key);
  }
}

function leftOut(name: string): boolean {
  return name.startsWith('.') || name === 'node_modules';
}

/** Whether a look is worth it. What has come or gone may be a folder. */
function mayMatter(path: string, event: string): boolean {
  if (path.split(sep).some(leftOut)) return false;
  return event === 'rename' || CODE.has(extname(path)) || extname(path) === '';
}
