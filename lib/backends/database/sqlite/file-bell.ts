import { realpathSync, watch, type FSWatcher } from 'node:fs';
import { Doorbell } from '../../../support/take-or-wait.js';
import type { SqliteDatabase } from './sqlite-library.js';
import { MEMORY, type SqliteSource } from './sqlite-source.js';

/** The watcher stays on so long after the last waiting call: a worker comes back within seconds. */
const LINGER_MS = 5_000;
/** Writes of others wake at most this often: a busy neighbour must not keep idle workers looking all the time. */
const RINGS_EVERY_MS = 5;

const byPath = new Map<string, FileBell>();
const byHandle = new WeakMap<SqliteDatabase, FileBell>();

/** One bell for all handles on a file in this process. */
export function bellOf(source: SqliteSource): FileBell {
  if (source.shared) {
    const handle = source.shared();
    const bell = byHandle.get(handle) ?? new FileBell();
    byHandle.set(handle, bell);
    return bell;
  }
  if (source.path === MEMORY) return new FileBell();
  const path = realpathSync(source.path);
  const bell = byPath.get(path) ?? new FileBell(path, () => byPath.delete(path));
  byPath.set(path, bell);
  return bell;
}

/**
 * Rung by every push and release in this process, and by what other processes write: SQLite appends to the file's WAL, which is
 * watched while anyone waits. Where it cannot be watched, or is just being made anew, polling finds the jobs.
 */
export class FileBell {
  readonly doorbell = new Doorbell();
  #watcher: FSWatcher | undefined;
  #listeners = 0;
  #holders = 0;
  #rings = 0;
  #linger: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #missed = false;

  constructor(
    private readonly path?: string,
    private readonly forget: () => void = () => {},
  ) {}

  /** Until `drop()`, the bell of this file is this one. */
  hold(): void {
    this.#holders++;
  }

  drop(): void {
    if (--this.#holders > 0) return;
    this.#unwatch();
    clearTimeout(this.#linger);
    clearTimeout(this.#quiet);
    this.forget();
  }

  /** Whatever is written to the file rings now, by whomever. */
  get hears(): boolean {
    return this.#watcher !== undefined;
  }

  /** How often it has rung. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings++;
    this.doorbell.ring();
  }

  /** Hears other processes until `off()`. `fresh`: they were not heard until now, so look once more before waiting. */
  listen(): { readonly fresh: boolean; readonly off: () => void } {
    this.#listeners++;
    clearTimeout(this.#linger);
    const fresh = this.#watch();
    const off = (): void => {
      if (--this.#listeners > 0) return;
      this.#linger = setTimeout(() => this.#unwatch(), LINGER_MS);
      this.#linger.unref();
    };
    return { fresh, off };
  }

  /** True when a watcher was put up just now. A WAL that was removed takes its watcher with it; the next look puts up another. */
  #watch(): boolean {
    if (this.#watcher !== undefined || this.path === undefined) return false;
    try {
      const watcher = watch(`${this.path}-wal`, { persistent: false }, (event) => {
        if (event === 'rename') this.#unwatch();
        this.#heard();
      });
      watcher.on('error', () => this.#unwatch());
      this.#watcher = watcher;
      return true;
    } catch {
      return false;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** The first of many at once, and the last. */
  #heard(): void {
    if (this.#quiet !== undefined) {
      this.#missed = true;
      return;
    }
    this.ring();
    this.#missed = false;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#missed) this.#heard();
    }, RINGS_EVERY_MS);
    this.#quiet.unref();
  }
}
