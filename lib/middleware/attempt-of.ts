import type { JobContext } from '../contracts/job-context.js';
import type { AttemptContext, PolicyServices } from '../job/job-context.js';
import { QueueError } from '../support/queue-error.js';

/** A middleware that needs a store was run outside an attempt of this package. */
export class NoAttemptError extends QueueError {
  constructor(middleware: string) {
    super(
      'ERR_QUEUE_NO_ATTEMPT',
      `${middleware} was given a context that is not a running job of this package, so it has no store to ask. Run the job by dispatchSync() or a worker, on the memory connection in tests.`,
    );
  }
}

/** The attempt behind a context, with what middleware of this package work with. */
export interface Attempt {
  readonly context: AttemptContext;
  readonly policies: PolicyServices;
}

/**
 * Known by its shape: a second copy of the package in one process has a class of its own.
 *
 * @throws NoAttemptError
 */
export function attemptOf(context: JobContext, middleware: string): Attempt {
  const attempt = context as Partial<AttemptContext> | null | undefined;
  if (!attempt?.policies || typeof attempt.postpone !== 'function') throw new NoAttemptError(middleware);
  return { context: attempt as AttemptContext, policies: attempt.policies };
}
