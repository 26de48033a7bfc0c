import { AsyncLocalStorage } from 'node:async_hooks';
import type { AttemptContext } from '../job/job-context.js';
import type { ContextValues, RequestContextOption } from '../job/request-context.js';
import { QueueError } from '../support/queue-error.js';

/** The module's `context.restore()` did not call `run`, or called it when it had ended: the job was not run. */
export class ContextNotRestoredError extends QueueError {
  constructor(displayName: string) {
    super(
      'ERR_QUEUE_CONTEXT_NOT_RESTORED',
      `${displayName} was not run: context.restore() ended without calling run. Call it, and wait for it: restore: (values, run) => storage.run(values, run).`,
    );
  }
}

/**
 * Runs an attempt inside the application's `restore()`, and remembers the surroundings it made for what follows the attempt: `failed()`
 * and the events. A second `run` gives the promise of the first.
 *
 * @param outside runs something that is not to count as the job's own code
 * @param processing raises the event that an attempt begins with
 * @returns what `begin` returned
 * @throws what `begin` threw, whatever `restore` made of it; else what `restore` threw; ContextNotRestoredError
 */
export async function runRestored<T>(
  restore: RequestContextOption['restore'],
  values: ContextValues,
  context: AttemptContext,
  outside: <R>(fn: () => R) => R,
  processing: () => void,
  begin: () => Promise<T>,
): Promise<T> {
  let running: Promise<T> | undefined;
  let ended = false;
  const run = async (): Promise<void> => {
    if (!running) {
      if (ended) throw new ContextNotRestoredError(context.displayName);
      context.restored = outside(() => AsyncLocalStorage.snapshot());
      context.inside(processing);
      running = begin();
      // Its failure is looked at below, also where `restore` lets go of it.
      running.catch(() => undefined);
    }
    await running;
  };
  let failure: { readonly error: unknown } | undefined;
  try {
    await restore({ ...values }, () => {
      const done = run();
      done.catch(() => undefined);
      return done;
    });
  } catch (error) {
    failure = { error };
  }
  ended = true;
  if (!running) {
    outside(processing);
    throw failure ? failure.error : new ContextNotRestoredError(context.displayName);
  }
  const returned = await running;
  if (failure) throw failure.error;
  return returned;
}
