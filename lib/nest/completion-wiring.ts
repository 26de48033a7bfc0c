import { afterAttempt } from '../completion/after-attempt.js';
import { recordFailure } from '../completion/record-failure.js';
import { forgetRetried } from '../completion/forget-retried.js';
import { releaseUniqueLock } from '../completion/release-unique-lock.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { JobLocks } from '../connections/job-locks.js';
import type { CompletionSteps } from '../worker/attempt-finisher.js';
import type { AttemptTraces } from '../worker/attempt-traces.js';
import type { WiredBatches } from './batch-wiring.js';
import type { WiredChains } from './chain-wiring.js';

export interface CompletionParts {
  readonly connections: ConnectionManager;
  readonly locks: JobLocks;
  readonly chains: WiredChains;
  readonly batches: WiredBatches;
  readonly failedHook: CompletionSteps['failedHook'];
  readonly report: (message: string, error: unknown) => void;
  readonly traces?: AttemptTraces | undefined;
}

/** What follows the jobs of one connection's worker. */
export function wireCompletion(connection: string, parts: CompletionParts): CompletionSteps {
  const { connections, locks, chains, batches, failedHook, report, traces } = parts;
  const unique = releaseUniqueLock(connection, locks, report);
  // What a member adds to its chain is counted before it is sent; its own end behind that, when it is known what follows.
  const { grow, end: counted } = batches.steps(connection);
  const steps: CompletionSteps = {
    effects: afterAttempt([
      forgetRetried(() => connections.failed()),
      unique.step,
      grow,
      chains.step(connection),
      counted,
    ]),
    accepted: unique.accepted,
    recordFailure: async (end, reserved) => {
      const store = await connections.failed();
      const own = connections.get(connection);
      const backend = await own.backend();
      const withAck = connections.sharesBackend('failed', connection) && backend.atomic?.has('failure') === true;
      const error = end.outcome.kind === 'failed' ? end.outcome.error : new Error('The job failed.');
      // Whoever retried it forgets the failure of that moment, and must not meet this one.
      const failedAt = new Date(Math.max(connections.clock.now(), (end.context.envelope?.retried ?? 0) + 1));
      return recordFailure(
        { context: end.context, reserved, error, failedAt },
        { store, withAck, leases: own.ready()?.leases, leaseMs: own.leaseMs },
      );
    },
    failedHook,
  };
  return traces ? traces.completion(steps) : steps;
}
