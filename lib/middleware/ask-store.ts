import type { AttemptContext } from '../job/job-context.js';
import { errorLine } from '../support/error-text.js';
import { QueueError } from '../support/queue-error.js';

/** How long a job waits for a store of locks or limits that is away. */
export const STORE_AWAY_MS = 5_000;

/**
 * Asks a store of locks or limits. While it is away no job runs on the chance that it may: it is put off for 5 seconds, and the attempt
 * does not count. A job that runs here and now cannot be put off, so its caller is told.
 *
 * @param what is asked, for the log: `rate limits`
 * @returns `undefined` where the job was put off
 * @throws what no waiting mends, such as a store without its tables
 */
export async function askStore<T>(
  context: AttemptContext,
  what: string,
  ask: () => Promise<T>,
): Promise<{ readonly answer: T } | undefined> {
  try {
    return { answer: await ask() };
  } catch (error) {
    if (context.inProcess || !isAway(error)) throw error;
    context.warnOfClass(`${what} cannot be asked for, so it is put off for 5 s, uncounted: ${errorLine(error)}`);
    context.postpone(STORE_AWAY_MS);
    return undefined;
  }
}

/** Whether waiting may mend it. What a store of somebody's own throws says nothing about that, and so it may. */
export function isAway(error: unknown): boolean {
  return !(error instanceof QueueError) || error.transient === true;
}
