import { runFailedHook } from '../completion/run-failed-hook.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobLocks } from '../connections/job-locks.js';
import { FailedHookErrored } from '../contracts/queue-events.js';
import type { Clock } from '../support/clock.js';
import type { AttemptTraces } from '../worker/attempt-traces.js';
import type { InProcessServices } from '../worker/in-process-run.js';
import type { JobRunner } from '../worker/job-runner.js';
import type { AttemptEnd } from '../worker/running-attempt.js';
import type { WiredBatches } from './batch-wiring.js';
import type { WiredChains } from './chain-wiring.js';

export interface InProcessParts {
  readonly runner: JobRunner;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly batches: () => Pick<WiredBatches, 'inProcess'>;
  readonly chains: () => Pick<WiredChains, 'inProcess'>;
  readonly locks: () => Pick<JobLocks, 'ran'>;
  readonly traces?: AttemptTraces | undefined;
}

/** What runs a job in the process that dispatches it, and what runs the `failed()` of any job. */
export function wireInProcess({ runner, hub, clock, batches, chains, locks, traces }: InProcessParts): {
  readonly failedHook: (end: AttemptEnd) => Promise<void>;
  readonly inProcess: InProcessServices;
} {
  const failedHook = async (end: AttemptEnd): Promise<void> => {
    const { context, failedHook: hook } = end;
    if (!hook) return;
    await runFailedHook(hook, context.displayName, clock, (error) => {
      context.inside(() => hub.emit(new FailedHookErrored(context.connection, context, error)));
    });
  };
  const inProcess: InProcessServices = {
    runner,
    hub,
    failed: failedHook,
    follow: async (end) => {
      await batches().inProcess(end);
      await chains().inProcess(end);
    },
    ended: (id) => locks().ran(id),
  };
  return { failedHook, inProcess: traces ? traces.inProcess(inProcess) : inProcess };
}
