import type { ReservedJob } from '../contracts/queue-driver.js';
import type { AttemptMemo } from './attempt-memo.js';
import { decide, type AttemptLimits } from './decide.js';
import { TimeoutExceededError } from './worker-errors.js';

/*
 * An attempt that blocked its process until a watchdog ended it has left a note, and the next pick-up says what came of it: the job
 * has failed, and this pick-up only records it; or it may be tried again, and this is that try.
 */

/** Why the job has failed by the attempt before this one; `undefined` where it may be tried again. */
export function failedByTimeout(
  { attempts, stalls }: ReservedJob,
  memo: AttemptMemo,
  limits: AttemptLimits,
  now: number,
): TimeoutExceededError | undefined {
  if (memo.timedOut === undefined || memo.failing) return undefined;
  const error = new TimeoutExceededError(limits.displayName);
  const facts = { attempts: attempts - 1, stalls, now, exceptions: (memo.exceptions ?? 0) + 1 };
  const outcome = decide({ ...facts, thrown: { error }, timedOut: true }, limits);
  return outcome.kind === 'failed' ? error : undefined;
}

/** What the next try carries: the timeout counts as one of the exceptions, and is done with. */
export function behindTimeout({ timedOut, ...memo }: AttemptMemo, { maxExceptions }: AttemptLimits): AttemptMemo {
  if (timedOut === undefined || maxExceptions === undefined) return memo;
  return { ...memo, exceptions: (memo.exceptions ?? 0) + 1 };
}

const TIMED_OUT = { error: new Error('timed out') };

/** After how long the job is picked up again, should this attempt time out: by its backoff; at once where that only records it. */
export function delayBehindTimeout(
  { attempts, stalls }: ReservedJob,
  memo: AttemptMemo,
  limits: AttemptLimits,
  endsAt: number,
): number {
  const exceptions = (memo.exceptions ?? 0) + 1;
  const outcome = decide({ attempts, stalls, now: endsAt, exceptions, thrown: TIMED_OUT, timedOut: true }, limits);
  return outcome.kind === 'retry' ? outcome.delayMs : 0;
}
