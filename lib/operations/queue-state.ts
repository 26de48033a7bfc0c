import type { QueueTarget } from '../connections/queue-name.js';
import type { WorkerVitals } from '../worker/tally.js';

/**
 * `behind`: its oldest job has waited for too long, but jobs are taken; `not_consumed`: it has, and none is. `unknown`: its store does
 * not tell.
 */
export type QueueHealthState = 'ok' | 'paused' | 'behind' | 'not_consumed' | 'too_many' | 'unknown';

interface Figures extends QueueTarget {
  readonly pending: number | null;
  readonly reserved: number | null;
  /** Seconds. */
  readonly oldestWait: number | null;
  readonly paused: boolean | null;
}

interface Limits {
  readonly maxWaitMs: number;
  readonly maxPending: number;
}

/** @param serving the workers of this process that serve the queue */
export function queueState(queue: Figures, limits: Limits, serving: readonly WorkerVitals[]): QueueHealthState {
  const { pending, reserved, oldestWait, paused } = queue;
  if (pending !== null && pending > limits.maxPending) return 'too_many';
  const late = oldestWait !== null && oldestWait * 1_000 > limits.maxWaitMs;
  if (paused || serving.some(({ state }) => state === 'paused')) return late || paused ? 'paused' : 'ok';
  if (!late) return 'ok';
  // A worker that is busy with an earlier queue will come to this one; one that has nothing to do will not.
  const busy = serving.some(({ running }) => running > 0);
  // Where the store cannot count what is taken, a worker of this process is all there is to go by.
  const taken = reserved === null ? serving.length > 0 : reserved > 0;
  return taken || busy ? 'behind' : 'not_consumed';
}

/** One line where the state is a fault. */
export function queueProblem(
  queue: Figures & { readonly state: QueueHealthState },
  limits: Limits,
  serving: readonly WorkerVitals[],
): string | undefined {
  const { connection, queue: name, state, pending, oldestWait } = queue;
  const at = `Queue ${connection}:${name}`;
  if (state === 'too_many') return `${at} holds ${pending} jobs that are due, more than ${limits.maxPending}.`;
  if (state !== 'not_consumed') return undefined;
  const waited = `${at} is not consumed: its oldest job has waited ${Math.floor(oldestWait ?? 0)} s, and none is taken`;
  return serving.length > 0
    ? `${waited}, though a worker of this process serves it. Look for a Looping listener that answers false, or restart the worker.`
    : `${waited}. Start a worker for it: queue:work ${connection} --queue=${name}`;
}
