import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { QueueError } from '../support/queue-error.js';

/** A middleware called `next()` a second time. */
export class NextCalledTwiceError extends QueueError {
  constructor(middleware: JobMiddleware) {
    super(
      'ERR_QUEUE_NEXT_CALLED_TWICE',
      `${middleware.constructor.name} called next() twice. A handler runs once an attempt.`,
    );
  }
}

/**
 * Runs the handler inside its middleware, the first one outermost. A middleware that does not call `next` ends the job as done.
 *
 * @returns what the handler returned; `undefined` when it was not reached
 */
export async function runThrough(
  middleware: readonly JobMiddleware[],
  job: object,
  context: JobContext,
  handler: () => unknown,
): Promise<unknown> {
  let returned: unknown;
  const enter = async (at: number): Promise<void> => {
    const one = middleware[at];
    if (!one) {
      returned = await handler();
      return;
    }
    let inner: Promise<void> | undefined;
    let innerOver = false;
    const over = (): void => void (innerOver = true);
    const next = (): Promise<void> => {
      if (inner) return Promise.reject(new NextCalledTwiceError(one));
      inner = enter(at + 1);
      inner.then(over, over);
      return inner;
    };
    try {
      await one.handle(job, next, context);
    } catch (error) {
      // It gave up on a handler that still runs: another attempt must not begin beside that one.
      if (inner && !innerOver) await inner.catch(over);
      throw error;
    }
    // Called, but not waited for: the attempt is not over before its handler is, and what that comes to counts.
    if (inner && !innerOver) await inner;
  };
  await enter(0);
  return returned;
}
