import { systemClock, type Clock } from '../../../support/clock.js';
import type { SqliteFile } from './sqlite-file.js';

/** Two readings of one clock differ by so much through rounding alone. */
const SLACK_MS = 2;
/** Once a comparison has come out, it is trusted so long at most. */
const ASK_EVERY_MS = 30_000;

/**
 * The store's clock: all who share the file go by SQLite's own reading of the machine's clock, so that a process whose `Date.now()` has
 * been set differently neither takes the leases of others for run out nor has its own taken. A clock that a test sets is heeded instead.
 *
 * SQLite is asked only where `Date.now()` has moved otherwise than the clock that nobody sets: asking costs a statement.
 */
export function fileClock(clock: Clock, file: () => SqliteFile): Clock {
  if (clock !== systemClock) return clock;
  /** What SQLite's reading is ahead of `now()`, and `now()` of `elapsed()`, when it was asked. */
  let ahead = 0;
  let offset = 0;
  let askedAt = -Infinity;
  return {
    now() {
      const own = clock.now();
      const elapsed = clock.elapsed();
      if (elapsed - askedAt < ASK_EVERY_MS && Math.abs(own - elapsed - offset) <= SLACK_MS) return own + ahead;
      const told = file().now();
      if (told === undefined) return own;
      // Held up in between: the two are not of one moment.
      if (clock.elapsed() - elapsed > SLACK_MS) return told;
      const difference = told - own;
      ahead = Math.abs(difference) <= SLACK_MS ? 0 : difference;
      offset = own - elapsed;
      askedAt = elapsed;
      return own + ahead;
    },
    elapsed: () => clock.elapsed(),
    after: (ms, fn) => clock.after(ms, fn),
  };
}
