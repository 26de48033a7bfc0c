import type { JobEnvelope } from '../contracts/job-envelope.js';
import { QueueError } from '../support/queue-error.js';
import { batchPlanText, type BatchPlan } from './batch-plan.js';
import { reserveJob } from './job-definition.js';
import { Queueable } from './queueable.js';

/** The name that batches inside other jobs travel under. */
export const BATCH = '@batch';

/** A batch inside a chain or inside another batch was run by hand. */
export class BatchNotDispatchedError extends QueueError {
  constructor() {
    super(
      'ERR_QUEUE_BATCH_NOT_DISPATCHED',
      'A batch inside a chain or another batch cannot be run by hand. Dispatch what it is a part of.',
    );
  }
}

/** A batch as a job: a step of a chain, a member of another batch, a callback. It creates the batch and sends its members. */
export class BatchJob extends Queueable {
  /** As texts: what its members carry is not opened before they run. */
  readonly members: string;
  readonly plan: string;

  constructor(
    readonly innerId: string,
    readonly label: string,
    plan: BatchPlan,
    members: readonly JobEnvelope[],
  ) {
    super();
    this.plan = batchPlanText(plan);
    this.members = JSON.stringify(members);
  }

  displayName(): string {
    return this.label === '' ? 'Batch' : `Batch ${this.label}`;
  }

  /** A worker runs what was written down. @throws BatchNotDispatchedError */
  handle(): never {
    throw new BatchNotDispatchedError();
  }
}

// Its handler does nothing but store: what fails is a store that is away.
reserveJob(BatchJob, { name: BATCH, tries: 10, backoff: [1_000, 5_000, 15_000, 60_000] });
