import { systemClock, type Clock } from '../../../support/clock.js';
import type { SqliteFile } from './sqlite-file.js';

/**
 * The store's clock: all who share the file go by SQLite's own reading of the machine's clock, so that a process whose `Date.now()` has
 * been set differently neither takes the leases of others for run out nor has its own taken. A clock that a test sets is heeded instead.
 */
export function fileClock(clock: Clock, file: () => SqliteFile): Clock {
  if (clock !== systemClock) return clock;
  return {
    now: () => file().now() ?? clock.now(),
    elapsed: () => clock.elapsed(),
    after: (ms, fn) => clock.after(ms, fn),
  };
}
