import type { JobContext } from './job-context.js';

/**
 * Wraps the handler. Not calling `next` ends the job as done; `next` may be called once.
 */
export interface JobMiddleware<J = any> {
  handle(job: J, next: () => Promise<void>, context: JobContext): Promise<void> | void;
}
