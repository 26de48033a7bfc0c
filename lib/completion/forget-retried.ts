import type { FailedJobStore } from '../contracts/failed-job-store.js';
import type { AfterStep } from './after-attempt.js';

/**
 * A job that was retried by hand and is done takes its record with it, if that is still there: whoever retried it may have been killed
 * before they could. A later retry would run it once more.
 *
 * That comes before its ack: where the store of failed jobs is away the job is kept as done, and this is tried again.
 */
export function forgetRetried(failed: () => Promise<FailedJobStore>): AfterStep {
  return ({ context: { envelope }, outcome }, { id }) => {
    const retried = envelope?.retried;
    if (retried === undefined || outcome.kind !== 'done') return undefined;
    return failed()
      .then((store) => store.forget([id], [new Date(retried)]))
      .then(() => undefined);
  };
}
