import { superseded } from '../completion/superseded.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobLocks } from '../connections/job-locks.js';
import { JobDebounced } from '../contracts/queue-events.js';
import type { RunServices } from '../worker/run-options.js';

/** What an attempt asks about other jobs of its kind, and tells them. */
export function otherJobs(
  locks: () => JobLocks,
  hub: EventHub,
  report: (message: string, error: unknown) => void,
): NonNullable<RunServices<unknown>['others']> {
  return {
    async superseded(envelope, context) {
      if (!(await superseded(envelope, context, locks(), report))) return false;
      hub.emit(new JobDebounced(context.connection, context));
      return true;
    },
    started: ({ unique }, { connection, id }) => locks().releaseOf(unique!, connection, id),
  };
}
