import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';

/** Ends a job as done without running it where its batch has been cancelled. A job outside a batch runs. */
export class SkipIfBatchCancelled implements JobMiddleware {
  async handle(_job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    const batch = await context.batch();
    if (!batch?.cancelled()) await next();
  }

  /** As it travels with a job. */
  toJSON(): object {
    return {};
  }

  static fromJSON(): SkipIfBatchCancelled {
    return new SkipIfBatchCancelled();
  }
}
