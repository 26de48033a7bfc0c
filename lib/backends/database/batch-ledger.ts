import type {
  BatchCallback,
  BatchProgress,
  BatchRecord,
  MemberOutcome,
  MemberPage,
  MemberRecord,
} from '../../contracts/batch-store.js';

/** A batch's row as it is counted in one write: read, changed by the functions below, written back. */
export interface BatchRow {
  seq: number;
  id: string;
  name: string;
  options: string;
  total: number;
  pending: number;
  failed: number;
  ended: number;
  sealed: boolean;
  cancelOnFailure: boolean;
  createdAt: number;
  cancelledAt: number | undefined;
  finishedAt: number | undefined;
  /** Epoch ms since when a callback is due. */
  readonly dueAt: Map<BatchCallback, number>;
  confirmed: ReadonlySet<BatchCallback>;
}

/** `undefined` has had no end; 'skipped' stands behind a broken chain step. */
export type MemberState = MemberOutcome | 'skipped' | undefined;

/** @param endedAt null for none; may be text */
export function memberRecord(id: string, state: string | null, endedAt: string | number | null): MemberRecord {
  const ended = endedAt === null ? {} : { endedAt: Number(endedAt) };
  if (state === null) return { id, state: 'waiting' };
  return { id, state: state === 'skipped' ? 'behind' : (state as MemberOutcome), ...ended };
}

/** @param found one more than `limit` where there are more; by id, so that the last one is where the next page begins */
export function memberPage(found: readonly MemberRecord[], limit: number): MemberPage {
  if (found.length <= limit) return { members: found };
  const members = found.slice(0, limit);
  return { members, next: members.at(-1)!.id };
}

const CALLBACKS: readonly BatchCallback[] = ['then', 'catch', 'finally'];

/**
 * What a member's end changes, and how many of those behind it ended with it. `done` is final; anything else gives way to a later end,
 * which is how a retry completes a batch.
 */
export function countEnd(
  batch: BatchRow,
  before: MemberState,
  outcome: MemberOutcome,
  alsoEnded: number,
  now: number,
): { readonly counted: boolean; readonly started: boolean; readonly finished: boolean; readonly cancelled: boolean } {
  const counted = before !== 'done' && before !== outcome;
  const started = counted && batch.ended === 0;
  let cancelled = false;
  batch.ended += alsoEnded;
  if (counted) {
    if (before === undefined) batch.ended += 1;
    if (outcome === 'done') {
      batch.pending -= 1;
      if (before === 'failed') batch.failed -= 1;
    } else {
      batch.failed += 1;
      becomesDue(batch, 'catch', now);
      cancelled = batch.cancelOnFailure && cancel(batch, now);
    }
  }
  return { counted, started, finished: conclude(batch, now), cancelled };
}

/** The same for many members at once that had had no end and have succeeded now. */
export function countDone(
  batch: BatchRow,
  members: number,
  now: number,
): { readonly counted: boolean; readonly started: boolean; readonly finished: boolean } {
  const counted = members > 0;
  const started = counted && batch.ended === 0;
  batch.ended += members;
  batch.pending -= members;
  return { counted, started, finished: counted && conclude(batch, now) };
}

/** Whether anybody waits for what this end did: an event is raised, or a callback is due. */
export function isOfConsequence(
  batch: BatchRow,
  { started, finished }: { readonly started: boolean; readonly finished: boolean },
): boolean {
  return started || finished || dueCallbacks(batch).length > 0;
}

/** Finishes a batch that is sealed and whose members have all ended; true when this did it. */
export function conclude(batch: BatchRow, now: number): boolean {
  if (!batch.sealed || batch.ended < batch.total) return false;
  if (batch.pending === 0 && batch.cancelledAt === undefined) becomesDue(batch, 'then', now);
  if (batch.finishedAt !== undefined) return false;
  batch.finishedAt = Math.max(now, batch.cancelledAt ?? now);
  becomesDue(batch, 'finally', now);
  return true;
}

/**
 * True when this did it. A server's `now` is when the statement came, before it waited for the row: the two stamps of a batch tell in
 * which order they were set all the same.
 */
export function cancel(batch: BatchRow, now: number): boolean {
  if (batch.cancelledAt !== undefined) return false;
  batch.cancelledAt = Math.max(now, batch.finishedAt ?? now);
  return true;
}

/** Once in the life of a batch. */
function becomesDue(batch: BatchRow, callback: BatchCallback, now: number): void {
  if (!batch.dueAt.has(callback)) batch.dueAt.set(callback, now);
}

export function dueCallbacks(batch: BatchRow): readonly BatchCallback[] {
  return CALLBACKS.filter((one) => batch.dueAt.has(one) && !batch.confirmed.has(one));
}

/** Since when the longest unconfirmed callback has been due. */
export function unconfirmedSince(batch: BatchRow): number | undefined {
  const due = dueCallbacks(batch).map((one) => batch.dueAt.get(one)!);
  return due.length === 0 ? undefined : Math.min(...due);
}

export function batchRecord(batch: BatchRow, failedJobIds: readonly string[]): BatchRecord {
  return {
    id: batch.id,
    name: batch.name,
    options: batch.options,
    totalJobs: batch.total,
    pendingJobs: batch.pending,
    failedJobs: batch.failed,
    endedJobs: batch.ended,
    failedJobIds,
    sealed: batch.sealed,
    createdAt: batch.createdAt,
    ...(batch.cancelledAt === undefined ? {} : { cancelledAt: batch.cancelledAt }),
    ...(batch.finishedAt === undefined ? {} : { finishedAt: batch.finishedAt }),
  };
}

export function batchProgress(
  batch: BatchRow,
  failedJobIds: readonly string[],
  change: Partial<Pick<BatchProgress, 'counted' | 'started' | 'finished' | 'cancelled'>> = {},
): BatchProgress {
  return {
    batch: batchRecord(batch, failedJobIds),
    counted: false,
    started: false,
    finished: false,
    cancelled: false,
    ...change,
    due: dueCallbacks(batch),
  };
}
