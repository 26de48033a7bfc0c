import type { EventHub } from '../connections/event-hub.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { raiseAccepted, raiseEnded } from './attempt-events.js';
import type { JobRunner } from './job-runner.js';
import type { AttemptEnd, RunningAttempt } from './running-attempt.js';
import type { RunOptions } from './run-options.js';

const ONCE: RunOptions = {
  tries: 1,
  backoff: [],
  timeoutMs: 0,
  maxStalls: 0,
  unknownJobTries: 1,
  limited: false,
  timeouts: false,
};

export interface InProcessServices {
  readonly runner: JobRunner;
  readonly hub: EventHub;
  readonly failed: (end: AttemptEnd) => Promise<void>;
  /** Sends what follows the job. Rejects only behind one that is done. */
  readonly follow?: (end: AttemptEnd) => Promise<void>;
  /** It is over, whatever it came to. Never rejects. */
  readonly ended?: (id: string) => Promise<void>;
  /** Records that it has failed, before anything else is done about it. */
  readonly record?: (end: AttemptEnd) => Promise<unknown>;
  /** The attempt is about to begin. */
  readonly begins?: (attempt: RunningAttempt) => void;
}

/**
 * Runs a job here and now, for sync and deferred connections, `dispatchSync` and `dispatchAfterResponse`: one attempt, with
 * middleware, injection, events and `failed()`; limits, timeouts and retries do not apply, a release does nothing more, and nothing is
 * recorded.
 *
 * @returns what the handler returned
 * @throws what the handler threw, after `failed()` and the events
 */
export async function runInProcess(
  job: ReservedJob,
  connection: string,
  services: InProcessServices,
): Promise<unknown> {
  const end = await attemptInProcess(job, connection, services, ONCE);
  if (end.thrown) throw end.thrown.raw;
  return end.returned;
}

/**
 * One attempt that no worker makes, with all that follows it but the settlement: there is no queue that the job could go back to.
 *
 * @throws the error of a store that did not take what follows
 */
export async function attemptInProcess(
  job: ReservedJob,
  connection: string,
  services: InProcessServices,
  options: RunOptions,
): Promise<AttemptEnd> {
  const attempt = services.runner.prepare(job, connection, options);
  services.begins?.(attempt);
  services.runner.start(attempt);
  const end = await attempt.ended;
  raiseEnded(end, services.hub);
  if (end.outcome.kind === 'failed') {
    await services.record?.(end);
    await services.follow?.(end);
    await services.failed(end);
  }
  await services.ended?.(job.id);
  raiseAccepted(end, services.hub);
  if (end.outcome.kind === 'done' && !end.context.superseded) await services.follow?.(end);
  return end;
}
