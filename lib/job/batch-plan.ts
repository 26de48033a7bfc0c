import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';

/** When a callback of a batch is sent. `failure` is each failed member of a batch that allows failures. */
export type BatchMoment = 'before' | 'progress' | 'failure' | 'then' | 'catch' | 'finally';

/** What a batch is to do beside counting: kept by its store as text, written once. */
export interface BatchPlan {
  /** Where its members and callbacks go. Absent: each keeps its own. */
  readonly connection?: string;
  readonly queue?: string;
  readonly allowFailures: boolean;
  /** What `withOption()` said. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Callbacks as they were written down with the batch, their ids with them. */
  readonly callbacks: Readonly<Partial<Record<BatchMoment, readonly JobEnvelope[]>>>;
  /** The rest of a chain that this batch is a step of. */
  readonly chain?: JobChain;
  /** The member of another batch that this one stands for. */
  readonly parent?: { readonly batchId: string; readonly jobId: string };
}

const MOMENTS: readonly BatchMoment[] = ['before', 'progress', 'failure', 'then', 'catch', 'finally'];
const EMPTY: BatchPlan = { allowFailures: false, given: {}, callbacks: {} };

export function batchPlanText(plan: BatchPlan): string {
  return JSON.stringify({ v: 1, ...plan });
}

/** A plan that cannot be read is an empty one: the batch counts on. */
export function readBatchPlan(text: string): BatchPlan {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return EMPTY;
  }
  if (!isObject(parsed)) return EMPTY;
  const { connection, queue, allowFailures, given, callbacks, chain, parent } = parsed;
  return {
    ...(typeof connection === 'string' && { connection }),
    ...(typeof queue === 'string' && { queue }),
    allowFailures: allowFailures === true,
    given: isObject(given) ? given : {},
    callbacks: isObject(callbacks) ? callbacksOf(callbacks) : {},
    ...(isChain(chain) && { chain }),
    ...(isObject(parent) &&
      typeof parent['batchId'] === 'string' &&
      typeof parent['jobId'] === 'string' && { parent: { batchId: parent['batchId'], jobId: parent['jobId'] } }),
  };
}

/** Whether each end of a member sends jobs. */
export function hasHooks({ callbacks, allowFailures }: BatchPlan): boolean {
  return callbacks.progress !== undefined || (allowFailures && callbacks.failure !== undefined);
}

function callbacksOf(found: Readonly<Record<string, unknown>>): BatchPlan['callbacks'] {
  const callbacks: Partial<Record<BatchMoment, readonly JobEnvelope[]>> = {};
  for (const moment of MOMENTS) {
    const list = found[moment];
    if (Array.isArray(list)) callbacks[moment] = list.filter(isWritten);
  }
  return callbacks;
}

function isChain(value: unknown): value is JobChain {
  if (!isObject(value)) return false;
  return [value['rest'], value['catch'] ?? []].every((list) => Array.isArray(list) && list.every(isWritten));
}

/** Whether this is a job as it waits inside another one. */
export function isWritten(value: unknown): value is JobEnvelope {
  return isObject(value) && typeof value['uuid'] === 'string' && typeof value['name'] === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
