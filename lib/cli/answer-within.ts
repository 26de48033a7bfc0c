import { CommandError } from './command-error.js';

/** How long a store may stay silent before a command gives up on it. */
export const STORE_ANSWERS_WITHIN_MS = 10_000;

/**
 * Waits for an operation on a store. When it has not ended in time, a small question is asked: a store that answers it is at work,
 * and is waited for; one that does not is taken to be away.
 *
 * @throws CommandError when the store stays silent; what the operation throws as it is
 */
export async function answerWithin<T>(
  operation: Promise<T>,
  question?: () => Promise<unknown>,
  ms = STORE_ANSWERS_WITHIN_MS,
): Promise<T> {
  const ended = operation.then(
    () => true,
    () => true,
  );
  while (!(await within(ended, ms))) {
    const answered = question && (await within(Promise.race([ended, question().then(() => true)]), ms));
    if (!answered) throw silent(ms);
  }
  return operation;
}

/** `false` when the time ran out first, or the promise failed. */
async function within(promise: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, ms, false)));
  try {
    return await Promise.race([promise, late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function silent(ms: number): CommandError {
  return new CommandError(
    `The store did not answer within ${ms / 1_000} seconds.`,
    'Check that it is running and can be reached from here. What was asked for may still have happened.',
  );
}
