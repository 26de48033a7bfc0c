import type { BatchProgress, MemberEnd, MemberRecord, NewBatch } from '../../../contracts/batch-store.js';
import { batchRowOf, COUNTED, COUNTED_COLUMNS, prunableWhere, savedOf, SAVING } from '../batch-columns.js';
import {
  batchProgress,
  countDone,
  countEnd,
  isOfConsequence,
  memberRecord,
  type BatchRow,
  type MemberState,
} from '../batch-ledger.js';
import type { Tables } from '../table-names.js';
import type { Session, Value } from './session.js';

const COLUMNS = `${COUNTED}, id, name, options`;
type Found = readonly Value[];

/** The statements on batches and their members, for use inside a write unit. */
export class BatchRows {
  readonly #batches: string;
  readonly #members: string;
  readonly #save: string;
  readonly #ahead: string;
  readonly #back: string;

  constructor({ quoted: t }: Tables) {
    this.#batches = t.batches;
    this.#members = t.members;
    this.#ahead = `UPDATE ${t.batches} SET ended = ended + ?, pending = pending - ?
      WHERE id = ? AND ended > 0 AND unconfirmed_since IS NULL AND (sealed = 0 OR ended + ? < total)`;
    this.#back = `UPDATE ${t.batches} SET ended = ended - ?, pending = pending + ? WHERE id = ?`;
    this.#save = `UPDATE ${t.batches} SET ${SAVING}`;
  }

  find(session: Session, id: string): BatchRow | undefined {
    const row = session.first<Found>(`SELECT ${COLUMNS} FROM ${this.#batches} WHERE id = ?`, [id]);
    return row && batchRow(row);
  }

  insert(session: Session, batch: NewBatch, now: number): BatchRow {
    session.run(
      `INSERT INTO ${this.#batches} (id, name, options, total, pending, failed, ended, sealed, cancel_on_failure, created_at, confirmed)
        VALUES (?, ?, ?, 0, 0, 0, 0, ?, ?, ?, '')`,
      [batch.id, batch.name, batch.options, Number(batch.sealed), Number(batch.cancelOnFailure), now],
    );
    return this.find(session, batch.id)!;
  }

  save(session: Session, row: BatchRow): void {
    session.run(this.#save, savedOf(row));
  }

  /** How many of them are new. */
  addMembers(session: Session, batch: number, jobIds: readonly string[]): number {
    const insert = `INSERT INTO ${this.#members} (batch, job_id) VALUES (?, ?) ON CONFLICT (batch, job_id) DO NOTHING`;
    let added = 0;
    for (const id of jobIds) added += session.run(insert, [batch, id]);
    return added;
  }

  /** `undefined` when there is no such batch or no such member. */
  recordEnd(
    session: Session,
    batchId: string,
    end: Omit<MemberEnd, 'batchId'>,
    now: number,
  ): BatchProgress | undefined {
    const row = this.find(session, batchId);
    const member =
      row &&
      session.first<[string | null]>(`SELECT state FROM ${this.#members} WHERE batch = ? AND job_id = ?`, [
        row.seq,
        end.jobId,
      ]);
    if (!row || !member) return undefined;
    const before = (member[0] ?? undefined) as MemberState;
    let alsoEnded = 0;
    const skip = `UPDATE ${this.#members} SET state = 'skipped', ended_at = ? WHERE batch = ? AND job_id = ? AND state IS NULL`;
    for (const id of end.alsoEnded ?? []) {
      if (id !== end.jobId) alsoEnded += session.run(skip, [now, row.seq, id]);
    }
    const change = countEnd(row, before, end.outcome, alsoEnded, now);
    if (change.counted) {
      const set = `UPDATE ${this.#members} SET state = ?, ended_at = ? WHERE batch = ? AND job_id = ?`;
      session.run(set, [end.outcome, now, row.seq, end.jobId]);
    }
    if (change.counted || alsoEnded > 0) this.save(session, row);
    return batchProgress(row, this.failedIds(session, row), change);
  }

  /** Members that have succeeded, all of one batch. `undefined` where nobody waits for what comes of it. */
  recordDone(session: Session, batchId: string, jobIds: readonly string[], now: number): BatchProgress | undefined {
    const ends = jobIds.length;
    // Ends that are of no consequence to anybody are counted before they are looked at.
    if (session.run(this.#ahead, [ends, ends, batchId, ends]) > 0) {
      const over = ends - this.#done(session, batchId, jobIds, now);
      if (over === 0) return undefined;
      session.run(this.#back, [over, over, batchId]);
      return this.#oneByOne(session, batchId, jobIds, now, false);
    }
    const row = this.find(session, batchId);
    if (!row) return undefined;
    const counted = this.#done(session, batchId, jobIds, now);
    const change = countDone(row, counted, now);
    if (change.counted) this.save(session, row);
    if (counted < ends) return this.#oneByOne(session, batchId, jobIds, now, change.started);
    return isOfConsequence(row, change) ? batchProgress(row, this.failedIds(session, row), change) : undefined;
  }

  /** How many of them had not ended, and have succeeded now. */
  #done(session: Session, batchId: string, jobIds: readonly string[], now: number): number {
    const marks = Array(jobIds.length).fill('?').join(', ');
    return session.run(
      `UPDATE ${this.#members} SET state = 'done', ended_at = ?
        WHERE batch = (SELECT seq FROM ${this.#batches} WHERE id = ?) AND job_id IN (${marks}) AND state IS NULL`,
      [now, batchId, ...jobIds],
    );
  }

  /** Some of them had ended before, or are no members: those that have just been counted are told apart by their end. */
  #oneByOne(
    session: Session,
    batchId: string,
    jobIds: readonly string[],
    now: number,
    started: boolean,
  ): BatchProgress | undefined {
    let progress: BatchProgress | undefined;
    for (const jobId of jobIds) {
      const next = this.recordEnd(session, batchId, { jobId, outcome: 'done' }, now);
      if (next) progress = { ...next, started, finished: next.finished || progress?.finished === true };
    }
    return progress;
  }

  failedIds(session: Session, row: BatchRow): readonly string[] {
    if (row.failed === 0) return [];
    const failed = `SELECT job_id FROM ${this.#members} WHERE batch = ? AND state = 'failed' ORDER BY ended_at, job_id`;
    return session.all<[string]>(failed, [row.seq]).map(([id]) => id);
  }

  /** A member that has had no end. */
  isWaiting(session: Session, batch: number, jobId: string): boolean {
    return (
      session.all(`SELECT 1 FROM ${this.#members} WHERE batch = ? AND job_id = ? AND state IS NULL`, [batch, jobId])
        .length > 0
    );
  }

  /** By id. */
  members(session: Session, batch: number, limit: number, after: string | undefined): MemberRecord[] {
    const further = after === undefined ? '' : 'AND job_id > ?';
    const look = `SELECT job_id, state, ended_at FROM ${this.#members} WHERE batch = ? ${further} ORDER BY job_id LIMIT ?`;
    return session
      .all<[string, string | null, number | null]>(look, [batch, ...(after === undefined ? [] : [after]), limit])
      .map(([id, state, endedAt]) => memberRecord(id, state, endedAt));
  }

  page(session: Session, limit: number, before: string | undefined): BatchRow[] {
    const older = before === undefined ? '' : `WHERE seq < (SELECT seq FROM ${this.#batches} WHERE id = ?)`;
    return session
      .all<Found>(
        `SELECT ${COLUMNS} FROM ${this.#batches} ${older} ORDER BY seq DESC LIMIT ?`,
        before === undefined ? [limit] : [before, limit],
      )
      .map(batchRow);
  }

  unconfirmed(session: Session, dueBefore: number, limit: number): BatchRow[] {
    return session
      .all<Found>(
        `SELECT ${COLUMNS} FROM ${this.#batches} WHERE unconfirmed_since IS NOT NULL AND unconfirmed_since < ? ORDER BY unconfirmed_since, seq LIMIT ?`,
        [dueBefore, limit],
      )
      .map(batchRow);
  }

  prunable(
    session: Session,
    before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
    limit: number,
  ): number[] {
    const [where, moment] = prunableWhere(before);
    return session
      .all<[number]>(`SELECT seq FROM ${this.#batches} WHERE ${where} ORDER BY seq LIMIT ?`, [moment, limit])
      .map(([seq]) => seq);
  }

  /** Members with them. */
  delete(session: Session, batches: readonly number[]): void {
    for (const seq of batches) {
      session.run(`DELETE FROM ${this.#members} WHERE batch = ?`, [seq]);
      session.run(`DELETE FROM ${this.#batches} WHERE seq = ?`, [seq]);
    }
  }
}

function batchRow(found: Found): BatchRow {
  const [id, name, options] = found.slice(COUNTED_COLUMNS).map(String) as [string, string, string];
  return batchRowOf(found, { id, name, options });
}
