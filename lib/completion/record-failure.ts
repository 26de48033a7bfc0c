import type { FailedJob, FailedJobStore } from '../contracts/failed-job-store.js';
import type { JobContext } from '../contracts/job-context.js';
import type { Effects, LeaseAbility, ReservedJob } from '../contracts/queue-driver.js';
import { errorText } from '../support/error-text.js';

/** Where the failures of one connection go. */
export interface FailureTarget {
  readonly store: FailedJobStore;
  /** The queue's own store applies the record in the same write as the ack. */
  readonly withAck: boolean;
  readonly leases: LeaseAbility | undefined;
  readonly leaseMs: number;
}

/**
 * Records a failed job before it leaves its queue.
 *
 * Where record and ack are one write, the record is given back to ride on the ack. Elsewhere the lease is renewed first: a worker that
 * has lost it must not leave a record of a job that someone else may finish.
 *
 * @returns what rides on the ack; `'lost'` where the lease is gone
 */
export async function recordFailure(
  job: { readonly context: JobContext; readonly reserved: ReservedJob; readonly error: Error; readonly failedAt: Date },
  target: FailureTarget,
): Promise<Effects | 'lost' | undefined> {
  const failure = failedJobOf(job);
  if (target.withAck) return { failure };
  if (target.leases) {
    const [held] = await target.leases.renew([job.reserved], target.leaseMs);
    if (held && !held.ok && held.reason !== 'error') return 'lost';
  }
  await target.store.record([failure]);
  return undefined;
}

function failedJobOf(job: {
  readonly context: JobContext;
  readonly reserved: ReservedJob;
  readonly error: Error;
  readonly failedAt: Date;
}): FailedJob {
  const { context, reserved } = job;
  return {
    id: context.id,
    connection: context.connection,
    queue: context.queue,
    name: context.name,
    displayName: context.displayName,
    payload: reserved.body,
    exception: errorText(job.error),
    failedAt: job.failedAt,
    ...(context.batchId === undefined ? {} : { batchId: context.batchId }),
  };
}
