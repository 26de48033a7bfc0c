import { inspect } from 'node:util';
import { PendingBatch } from '../bus/pending-batch.js';
import type { WatchedOptions } from '../bus/dispatch-watch.js';
import { BatchJob } from '../job/batch-job.js';
import { MethodCall } from '../job/callable.js';
import { FunctionClosure, partsOf } from '../job/closure.js';
import { QueuedClosure } from '../job/queued-closure.js';
import { dataOf } from '../job/same-jobs.js';

/** One job that came by a fake. */
export interface PushedRecord {
  /** The id in its receipt. */
  readonly id: string;
  /** `queue`: it would have been stored. The others would have run in this process. */
  readonly how: 'queue' | 'sync' | 'after-response';
  /** The very instance that was dispatched, in a chain or as a callback as well; what another process has written down is a copy. */
  readonly job: object;
  /** The name of its class; for a call, a closure or a batch what lists would show. */
  readonly name: string;
  readonly connection: string;
  readonly queue: string;
  readonly delayMs: number;
  /** What the dispatch said, over what was said to the job itself. */
  readonly options: WatchedOptions;
  /** What follows it, one after the other. */
  readonly chain: readonly object[];
  /** The batch that it is a member of. */
  readonly batchId?: string;
  /** The body as it travels. */
  readonly payload: string;
}

export function nameOf(job: object): string {
  if (job instanceof PendingBatch) {
    return job.options.name === undefined ? 'Batch' : `Batch ${job.options.name}`;
  }
  if (job instanceof QueuedClosure || job instanceof BatchJob) return job.displayName();
  if (job.constructor === Object) {
    const { displayName } = job as { readonly displayName?: unknown };
    return typeof displayName === 'string' ? displayName : 'Object';
  }
  return job.constructor.name;
}

const LONGEST_FIELDS = 160;

/** A job with what travels: `ShipOrder { order: { id: 1 } }`, on one line, not longer than a line may be. */
export function shownJob(job: object): string {
  if (job instanceof PendingBatch) return `${nameOf(job)} of ${job.jobs.length}`;
  if (job instanceof MethodCall) {
    const call = `${job.service}.${job.method}(${job.args.map(shownValue).join(', ')})`;
    return nameOf(job) === `${job.service}.${job.method}` ? call : `${nameOf(job)} = ${call}`;
  }
  const fields = job instanceof FunctionClosure ? partsOf(job)?.values : job.constructor === Object ? {} : dataOf(job);
  const own = { ...fields };
  return Object.keys(own).length === 0 ? nameOf(job) : `${nameOf(job)} ${shownValue(own)}`;
}

function shownValue(value: unknown): string {
  let text: string;
  try {
    text = inspect(value, { depth: 3, breakLength: Infinity, maxArrayLength: 10, maxStringLength: 60 });
  } catch {
    text = '{ … }';
  }
  return text.length > LONGEST_FIELDS ? `${text.slice(0, LONGEST_FIELDS)}…` : text;
}

/** `ShipOrder on "emails" (connection "redis", delay 30 s) { order: { id: 1 } }`. */
export function shownRecord({ job, how, queue, connection, delayMs, chain }: PushedRecord): string {
  const name = shownJob(job);
  // Where the job says nothing of its fields there is nothing behind its name.
  const at = job instanceof MethodCall ? name.length : shownAt(name);
  const delay = delayMs === 0 ? '' : `, delay ${delayMs / 1_000} s`;
  const place = how === 'queue' ? ` on "${queue}" (connection "${connection}"${delay})` : '';
  const behind = chain.length === 0 ? '' : ` -> ${chain.map(nameOf).join(' -> ')}`;
  return `${name.slice(0, at)}${place}${name.slice(at)}${behind}`;
}

function shownAt(shown: string): number {
  const at = shown.indexOf(' {');
  return at < 0 ? shown.length : at;
}
