import type { JobContext } from '../contracts/job-context.js';
import { BatchJob } from '../job/batch-job.js';
import { definitionOf } from '../job/job-definition.js';
import type { AttemptContext } from '../job/job-context.js';
import type { AttemptScope, RegisteredJob } from '../job/job-registry.js';
import { InvalidOptionError } from '../support/queue-error.js';

/** Lets batches that wait inside jobs be created in this process. */
export class RegisteredBatches implements RegisteredJob {
  readonly definition = definitionOf(BatchJob);

  constructor(private readonly run: (job: BatchJob, context: AttemptContext) => Promise<void>) {}

  open(context: JobContext): AttemptScope {
    return {
      inject: () => undefined,
      handle: (job) => this.run(job as BatchJob, context as AttemptContext),
      failed: () => undefined,
      middleware: () => {
        throw new InvalidOptionError('A batch takes no middleware. Its members do.');
      },
    };
  }
}
