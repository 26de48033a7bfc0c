import type { EventHub } from '../connections/event-hub.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { raiseAccepted, raiseEnded } from './attempt-events.js';
import type { JobRunner } from './job-runner.js';
import type { AttemptEnd } from './running-attempt.js';
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
  services: {
    runner: JobRunner;
    hub: EventHub;
    failed: (end: AttemptEnd) => Promise<void>;
    /** Sends what follows the job. Rejects only behind one that is done. */
    follow?: (end: AttemptEnd) => Promise<void>;
    /** It is over, whatever it came to. Never rejects. */
    ended?: (id: string) => Promise<void>;
  },
): Promise<unknown> {
  const attempt = services.runner.prepare(job, connection, ONCE);
  services.runner.start(attempt);
  const end = await attempt.ended;
  raiseEnded(end, services.hub);
  if (end.outcome.kind === 'failed') {
    await services.follow?.(end);
    await services.failed(end);
  }
  await services.ended?.(job.id);
  raiseAccepted(end, services.hub);
  if (end.outcome.kind === 'done' && !end.context.superseded) await services.follow?.(end);
  if (end.thrown) throw end.thrown.raw;
  return end.returned;
}
