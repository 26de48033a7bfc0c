import { OverlapLockLostError } from '../middleware/without-overlapping.js';
import { LeaseLostError, WorkerStoppingError } from './worker-errors.js';

/** Why a signal aborts that is not held against a handler which ends by it. */
const GIVES_BACK = [WorkerStoppingError, LeaseLostError, OverlapLockLostError];

/** A handler that ends by its signal, since its worker must end or has lost the job or its lock, has not failed. */
export function endedBySignal(thrown: unknown, reason: unknown): boolean {
  if (!GIVES_BACK.some((type) => reason instanceof type)) return false;
  return thrown === reason || (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.cause === reason));
}
