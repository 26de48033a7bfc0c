import type { BatchCallback } from '../../contracts/batch-store.js';
import { unconfirmedSince, type BatchRow } from './batch-ledger.js';

/** Columns of a batch's row that mean the same on every database, in the order of `countsOf`. */
export const COUNTED =
  'seq, total, pending, failed, ended, sealed, cancel_on_failure, created_at, cancelled_at, finished_at, then_due, catch_due, finally_due, confirmed';
export const COUNTED_COLUMNS = 14;

/** What a write may change of them, in the order of `savedOf`. */
export const SAVING = `total = ?, pending = ?, failed = ?, ended = ?, sealed = ?, cancelled_at = ?, finished_at = ?,
  then_due = ?, catch_due = ?, finally_due = ?, confirmed = ?, unconfirmed_since = ? WHERE seq = ?`;

type Cell = string | number | null;

/** @param cells begin with those of `COUNTED`; 64-bit integers may be text */
export function batchRowOf(cells: readonly Cell[], texts: Pick<BatchRow, 'id' | 'name' | 'options'>): BatchRow {
  const at = (column: number): number | undefined => (cells[column] === null ? undefined : Number(cells[column]));
  const confirmed = String(cells[13]);
  const row: BatchRow = {
    ...texts,
    seq: Number(cells[0]),
    total: Number(cells[1]),
    pending: Number(cells[2]),
    failed: Number(cells[3]),
    ended: Number(cells[4]),
    sealed: Number(cells[5]) === 1,
    cancelOnFailure: Number(cells[6]) === 1,
    createdAt: Number(cells[7]),
    cancelledAt: at(8),
    finishedAt: at(9),
    dueAt: new Map(),
    confirmed: new Set(confirmed === '' ? [] : (confirmed.split(' ') as BatchCallback[])),
  };
  for (const [column, callback] of [
    [10, 'then'],
    [11, 'catch'],
    [12, 'finally'],
  ] as const) {
    const due = at(column);
    if (due !== undefined) row.dueAt.set(callback, due);
  }
  return row;
}

export function savedOf(row: BatchRow): Cell[] {
  return [
    row.total,
    row.pending,
    row.failed,
    row.ended,
    Number(row.sealed),
    row.cancelledAt ?? null,
    row.finishedAt ?? null,
    row.dueAt.get('then') ?? null,
    row.dueAt.get('catch') ?? null,
    row.dueAt.get('finally') ?? null,
    [...row.confirmed].join(' '),
    unconfirmedSince(row) ?? null,
    row.seq,
  ];
}

/** The rows that pruning is about. */
export function prunableWhere(
  before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
): readonly [where: string, moment: number] {
  if ('finished' in before) return ['finished_at < ?', before.finished];
  if ('unfinished' in before) {
    return ['finished_at IS NULL AND cancelled_at IS NULL AND created_at < ?', before.unfinished];
  }
  return ['cancelled_at IS NOT NULL AND created_at < ?', before.cancelled];
}
