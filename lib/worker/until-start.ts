import type { AttemptContext } from '../job/job-context.js';
import { LeaseLostError, WorkerStoppingError } from './worker-errors.js';

/**
 * Runs a job that is unique until it starts: its lock is given back right before the handler, once the middleware has let it through. A
 * middleware that throws gives it back as well; one that releases the job keeps it. What else ends the job without its handler gives it
 * back with the job's end.
 *
 * @param run runs the handler that it is given inside the job's middleware
 * @throws where the lock cannot be given back: a dispatch from then on would be turned away, and what it stands for never run
 */
export async function untilStart(
  context: AttemptContext,
  run: (handler: () => unknown) => Promise<unknown>,
  handle: () => unknown,
  release: () => Promise<void>,
): Promise<unknown> {
  let started = false;
  try {
    return await run(async () => {
      started = true;
      await release();
      return handle();
    });
  } catch (error) {
    const { abortReason: reason, intent } = context;
    // A job that its worker hands on has not been tried.
    const handedOn = reason instanceof WorkerStoppingError || reason instanceof LeaseLostError;
    if (!started && !handedOn && intent?.kind !== 'release') {
      await release().catch((why: unknown) => context.warn(`its unique lock was not given back: ${String(why)}`));
    }
    throw error;
  }
}
