import type { QueueableJob } from '../contracts/dispatchable.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { bootedRuntime, type ModuleUnderTest } from './module-runtime.js';
import { clockInUse, standingStill } from './use-clock.js';

/** What one attempt came to. */
export interface JobResult {
  /** `retry`: it would be in its queue again, thrown back or released. */
  readonly outcome: 'done' | 'retry' | 'failed';
  /** Seconds until the next try, where there is one. */
  readonly delay?: number;
  /** What was thrown, or what it was failed with. */
  readonly error?: unknown;
}

/**
 * One attempt of a job, without a queue and without a worker, but with all that a worker does: middleware and limits, injection into
 * `handle` and `failed()`, timeout, tries and backoff, events, the record of a failure, and what follows the job in its chain or batch.
 * What neither the job nor the module's `worker` option says is as in a worker: one try, no backoff, 60 seconds.
 *
 * The job travels as it would through a queue: it is written down and read back, so another instance runs than the one given.
 *
 * @param options.attempts which pick-up it is. Default 1
 * @throws what its dispatch would throw, such as UnserializableError. What the job throws is in the result
 */
export async function runJob(
  moduleRef: ModuleUnderTest,
  job: QueueableJob,
  options: { readonly attempts?: number } = {},
): Promise<JobResult> {
  const { attempts = 1, ...unknown } = options;
  for (const key of Object.keys(unknown))
    throw new InvalidOptionError(`runJob has no option "${key}". There is: attempts.`);
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    throw new InvalidOptionError(`runJob: attempts is ${describe(attempts)}. Give a whole number from 1 up.`);
  const { byHand, connections } = await bootedRuntime(moduleRef, 'runJob()');
  const { outcome, thrown } = await standingStill(clockInUse(connections.clock), byHand.attempt(job, attempts));
  const error = outcome.kind === 'done' ? undefined : outcome.error;
  const said = error ?? thrown?.error;
  return {
    outcome: outcome.kind,
    ...(outcome.kind === 'retry' && { delay: outcome.delayMs / 1_000 }),
    ...(said && { error: said }),
  };
}
