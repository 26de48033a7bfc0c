import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deferred, type Deferred } from '../../../support/deferred.js';
import { StoreBusyError, StoreClosedError, StoreUnusableError } from '../../store-state-errors.js';
import { LoopTurn } from './loop-turn.js';
import { Session } from './session.js';
import { isBusy, isUnusable, messageOf } from './sqlite-fault.js';
import type { SqliteDatabase } from './sqlite-library.js';
import { MEMORY, type SqliteSource } from './sqlite-source.js';

/** How long a call may try against a file that another connection has locked. */
export interface Patience {
  readonly ms: number;
  readonly signal?: AbortSignal;
  /** In memory: go along with a transaction that the application has open on the shared handle, instead of waiting for its end. */
  readonly join?: boolean;
}

/** Makes sure that the tables are there; called on every fresh handle. */
export interface SchemaCheck {
  /** True when nothing is to be done. @throws SchemaError */
  current(session: Session): boolean;
  /** Called within a write transaction. @throws SchemaError */
  migrate(session: Session): void;
}

/** Epoch ms. Touches no file, so it takes no lock. */
const NOW = `SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)`;

const BUSY = Symbol('busy');
/** How long a locked file is tried again in every turn of the event loop. */
const SPIN_MS = 1;
/** How often it is looked whether the file is still the one that was opened. */
const SAME_FILE_EVERY_MS = 1_000;

/**
 * The queue's own handle on a SQLite file.
 *
 * A transaction is begun by `exec`, which is tried again while another connection writes; prepared statements run inside it only. A
 * prepared write that meets SQLITE_BUSY by itself is never reset by libsql, and every later write on that handle is lost: so after a
 * BUSY anywhere else the handle is thrown away. The wait is asynchronous, with `busy_timeout` 0: SQLite's own wait stops the event loop.
 *
 *     closed handle ──first verb──▶ open, pragmas, tables ──▶ ready ──BUSY or a fault of the file──▶ closed handle ──▶ …
 */
export class SqliteFile {
  #source: SqliteSource | undefined;
  #db: SqliteDatabase | undefined;
  #session: Session | undefined;
  #opening: Promise<void> | undefined;
  #closed = false;
  #running = 0;
  #drained: Deferred<void> | undefined;
  #inode: number | undefined;
  #sameFileAt = 0;
  readonly #turn = new LoopTurn();

  constructor(
    private readonly findSource: () => SqliteSource,
    private readonly schema: SchemaCheck,
  ) {}

  get source(): SqliteSource {
    return (this.#source ??= this.findSource());
  }

  /** The tables are known to be there. */
  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Epoch ms by SQLite; `undefined` while the file is not open. */
  now(): number | undefined {
    return this.#session?.first<[number]>(NOW, [])?.[0];
  }

  /** Runs reads. They see committed rows; several of them need not see the same moment. */
  read<T>(work: (session: Session) => T, patience: Patience): Promise<T> {
    return this.#persist(() => this.#tryRead(work), patience);
  }

  /** Runs one write unit in one transaction, without a pause in it. What it throws rolls it back. */
  write<T>(unit: (session: Session) => T, patience: Patience): Promise<T> {
    return this.#persist(() => this.#tryWrite(unit, patience.join ?? false), patience);
  }

  /** Opens the file and its tables now. */
  ready(patience: Patience): Promise<void> {
    return this.#persist(() => undefined, patience);
  }

  /** Waits for what is running, then closes the handle. What waits for a lock of another connection waits no longer. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#running > 0) await (this.#drained ??= deferred()).promise;
    this.#drop();
  }

  async #persist<T>(attempt: () => T | typeof BUSY, patience: Patience): Promise<T> {
    if (this.#closed) throw new StoreClosedError(this.source.path);
    this.#running++;
    try {
      let startedAt: number | undefined;
      for (;;) {
        if (this.#turn.over) await this.#turn.next();
        if (this.#session === undefined) {
          await (this.#opening ??= this.#open().finally(() => (this.#opening = undefined)));
        }
        const answer = this.#session === undefined ? BUSY : attempt();
        if (answer !== BUSY) return answer;
        startedAt ??= performance.now();
        const waitedMs = performance.now() - startedAt;
        const over = waitedMs >= patience.ms || patience.signal?.aborted || this.#closed;
        if (over) throw new StoreBusyError(this.source.path, waitedMs);
        await rest(waitedMs, patience.ms - waitedMs);
      }
    } finally {
      if (--this.#running === 0) this.#drained?.resolve();
    }
  }

  #tryRead<T>(work: (session: Session) => T): T | typeof BUSY {
    if (!this.#isSameFile()) return BUSY;
    try {
      return work(this.#session!);
    } catch (error) {
      return this.#afterFault(error);
    }
  }

  #tryWrite<T>(unit: (session: Session) => T, join: boolean): T | typeof BUSY {
    if (!this.#isSameFile()) return BUSY;
    const db = this.#db!;
    if (this.source.shared && db.inTransaction) return join ? this.#session!.nested(() => unit(this.#session!)) : BUSY;
    try {
      db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      if (isBusy(error)) return BUSY;
      return this.#afterFault(error);
    }
    try {
      const result = unit(this.#session!);
      db.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        if (db.inTransaction) db.exec('ROLLBACK');
      } catch {
        this.#drop();
      }
      return this.#afterFault(error);
    }
  }

  #afterFault(error: unknown): typeof BUSY {
    if (isBusy(error)) {
      this.#drop();
      return BUSY;
    }
    // A row's own fault leaves the handle sound. After anything else, tables that were dropped included, the next call starts afresh.
    if (/^SQLITE_(?!CONSTRAINT)/.test(String((error as { code?: unknown } | null)?.code))) this.#drop();
    throw error;
  }

  /** Leaves the handle closed after a BUSY: to be tried again. */
  async #open(): Promise<void> {
    const { path, library, shared } = this.source;
    const Library = shared ? undefined : await library();
    let db: SqliteDatabase | undefined;
    try {
      if (Library && path !== MEMORY) mkdirSync(dirname(path), { recursive: true });
      db = Library ? new Library(path, { timeout: 0 }) : shared!();
      if (Library) setPragmas(db);
      const session = new Session(db);
      if (!this.schema.current(session)) this.#migrate(db, session);
      this.#db = db;
      this.#session = session;
      this.#inode = inodeOf(path);
      this.#sameFileAt = performance.now();
    } catch (error) {
      if (Library) db?.close();
      if (!isBusy(error)) throw isUnusable(error) ? new StoreUnusableError(path, messageOf(error), error) : error;
    }
  }

  #migrate(db: SqliteDatabase, session: Session): void {
    if (db.inTransaction) return session.nested(() => this.schema.migrate(session));
    db.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have been first.
      if (!this.schema.current(session)) this.schema.migrate(session);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  /** A file that was removed or replaced under an open handle takes writes that nobody will ever read. */
  #isSameFile(): boolean {
    const now = performance.now();
    if (now - this.#sameFileAt < SAME_FILE_EVERY_MS) return true;
    this.#sameFileAt = now;
    if (inodeOf(this.source.path) === this.#inode) return true;
    this.#drop();
    return false;
  }

  #drop(): void {
    const db = this.#db;
    this.#db = this.#session = undefined;
    if (!this.#source?.shared) db?.close();
  }
}

function setPragmas(db: SqliteDatabase): void {
  const [row] = db.prepare('PRAGMA journal_mode = WAL').all([]) as { journal_mode: string }[];
  // Without WAL (some network file systems) NORMAL could lose the file with the power; with it, the last moments at most.
  db.exec(`PRAGMA synchronous = ${row?.journal_mode === 'wal' ? 'NORMAL' : 'FULL'}`);
  // Random ids touch many pages; with 1,000, the default, a bulk of them spends a quarter of its time in checkpoints.
  db.exec('PRAGMA wal_autocheckpoint = 4000');
}

function inodeOf(path: string): number | undefined {
  return path === MEMORY ? undefined : statSync(path, { throwIfNoEntry: false })?.ino;
}

/**
 * A writer is through within a fraction of a millisecond, and a timer takes longer than that: the first tries are made turn after turn of
 * the event loop. Then the pauses grow with the wait, and most of each is left to chance.
 */
function rest(waitedMs: number, leftMs: number): Promise<unknown> {
  if (waitedMs < SPIN_MS) return new Promise((resolve) => setImmediate(resolve));
  return sleep(Math.min(Math.max(1, leftMs), 1 + Math.random() * Math.min(25, waitedMs)));
}
