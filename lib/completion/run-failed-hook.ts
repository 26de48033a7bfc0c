import type { Clock } from '../support/clock.js';
import { QueueError } from '../support/queue-error.js';

/** A `failed()` may take this long; the job has been recorded before, so nothing hangs on it. */
const LIMIT_MS = 30_000;

/** A job's `failed()` did not end in time. */
export class FailedHookTimeoutError extends QueueError {
  constructor(displayName: string) {
    super(
      'ERR_QUEUE_FAILED_HOOK_TIMEOUT',
      `${displayName}.failed() did not end within ${LIMIT_MS / 1_000} s and was left behind.`,
    );
  }
}

/** Runs `failed()` with a time limit of its own. Never rejects: what goes wrong is handed to `errored`. */
export async function runFailedHook(
  hook: () => Promise<void>,
  displayName: string,
  clock: Clock,
  errored: (error: unknown) => void,
): Promise<void> {
  let cancel = (): void => {};
  const limit = new Promise<never>((_, reject) => {
    cancel = clock.after(LIMIT_MS, () => reject(new FailedHookTimeoutError(displayName)));
  });
  try {
    await Promise.race([hook(), limit]);
  } catch (error) {
    errored(error);
  } finally {
    cancel();
  }
}
