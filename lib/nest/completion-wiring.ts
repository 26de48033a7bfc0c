import { afterAttempt } from '../completion/after-attempt.js';
import { recordFailure } from '../completion/record-failure.js';
import { releaseUniqueLock } from '../completion/release-unique-lock.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { JobLocks } from '../connections/job-locks.js';
import type { CompletionSteps } from '../worker/attempt-finisher.js';
import type { WiredBatches } from './batch-wiring.js';
import type { WiredChains } from './chain-wiring.js';

export interface CompletionParts {
  readonly connections: ConnectionManager;
  readonly locks: JobLocks;
  readonly chains: WiredChains;
  readonly batches: WiredBatches;
  readonly failedHook: CompletionSteps['failedHook'];
  readonly report: (message: string, error: unknown) => void;
}

/** What follows the jobs of one connection's worker. */
export function wireCompletion(connection: string, parts: CompletionParts): CompletionSteps {
  const { connections, locks, chains, batches, failedHook, report } = parts;
  const unique = releaseUniqueLock(connection, locks, report);
  // What a member adds to its chain is counted before it is sent; its own end behind that, when it is known what follows.
  const { grow, end: counted } = batches.steps(connection);
  return {
    effects: afterAttempt([unique.step, grow, chains.step(connection), counted]),
    accepted: unique.accepted,
    recordFailure: async (end, reserved) => {
      const store = await connections.failed();
      const own = connections.get(connection);
      const backend = await own.backend();
      const withAck = connections.sharesBackend('failed', connection) && backend.atomic?.has('failure') === true;
      const error = end.outcome.kind === 'failed' ? end.outcome.error : new Error('The job failed.');
      return recordFailure(
        { context: end.context, reserved, error, failedAt: new Date(connections.clock.now()) },
        { store, withAck, leases: own.ready()?.leases, leaseMs: own.leaseMs },
      );
    },
    failedHook,
  };
}
