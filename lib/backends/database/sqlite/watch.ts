import { createRequire } from 'node:module';
import type { Backend, StoreWatch, WatchedJob } from '../../../contracts/backend.js';
import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import { systemClock } from '../../../support/clock.js';
import type { Tables } from '../table-names.js';
import { BatchRows } from './batch-rows.js';
import { EffectRows } from './effects.js';
import { fileClock } from './file-clock.js';
import { FailedRows } from './failed-jobs.js';
import { LockRows } from './locks.js';
import { PushRows } from './push.js';
import type { Session } from './session.js';
import { SettleRows } from './settle.js';
import { SqliteFile } from './sqlite-file.js';
import type { SqliteLibrary } from './sqlite-library.js';
import { MEMORY, type SqliteSource } from './sqlite-source.js';

const ENTRY = new URL('./watch.js', import.meta.url);
const LIBRARIES = ['libsql', 'better-sqlite3'] as const;

/** What a watchdog's thread needs to open the file for itself. */
interface WatchData {
  readonly path: string;
  readonly library: string;
  readonly tables: Tables;
}

/**
 * How a watchdog's thread reaches this file. `undefined` for a database in memory, and for a library that cannot be named: the thread
 * must open the file with the very same one.
 */
export async function watchOf(source: SqliteSource, tables: Tables): Promise<Backend['watch']> {
  if (source.path === MEMORY || source.shared) return undefined;
  const library = nameOf(await source.library());
  if (library === undefined) return undefined;
  const data: WatchData = { path: source.path, library, tables };
  return { entry: ENTRY, data };
}

/** Looked up among what has been loaded: a second SQLite is not to come into the process by looking for it. */
function nameOf(library: SqliteLibrary): string | undefined {
  const require = createRequire(import.meta.url);
  return LIBRARIES.find((name) => {
    try {
      return require.cache[require.resolve(name)]?.exports === library;
    } catch {
      return false;
    }
  });
}

/** A handle of its own, on tables that the worker has found to be in order. */
export async function openWatch(data: unknown): Promise<StoreWatch> {
  const { path, library: name, tables } = data as WatchData;
  // Loaded now: with the loop blocked there may be better things to do.
  const { default: library } = (await import(name)) as { default: SqliteLibrary };
  const file: SqliteFile = new SqliteFile(() => ({ path, library: () => Promise.resolve(library) }), {
    current: () => true,
    migrate: () => {},
  });
  const clock = fileClock(systemClock, () => file);
  const lockRows = new LockRows(tables);
  const effects = new EffectRows(
    new PushRows(tables, lockRows),
    lockRows,
    new BatchRows(tables),
    new FailedRows(tables),
  );
  const rows = new SettleRows(tables, effects);
  const each = <T>(jobs: readonly T[], one: (session: Session, job: T, now: number) => SettleResult, ms: number) =>
    file.write((session) => jobs.map((job) => one(session, job, clock.now())), { ms });
  return {
    renew: (jobs, leaseMs) =>
      each(jobs, (session, job, now) => rows.renew(session, reserved(job), leaseMs, now), leaseMs / 6),
    release: (jobs) =>
      each(
        jobs,
        (session, job, now) => {
          const { delayMs, countAttempt, memo } = job;
          const release: Settlement = {
            kind: 'release',
            job: reserved(job),
            delayMs,
            countAttempt,
            ...(memo === undefined ? {} : { memo }),
          };
          return rows.settle(session, release, now);
        },
        RELEASE_MS,
      ),
    close: () => file.close(),
  };
}

/** A release may wait so long for a locked file. */
const RELEASE_MS = 1_500;

/** Only what the fence looks at. */
function reserved({ id, token }: WatchedJob): Settlement['job'] {
  return { id, token, queue: '', body: '', priority: 0, attempts: 0, stalls: 0, leasedUntil: 0 };
}
