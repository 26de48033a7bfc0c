import type { BatchProgress, MemberEnd, NewBatch } from '../../../contracts/batch-store.js';
import { chunks } from '../../../support/chunks.js';
import { batchRowOf, COUNTED, COUNTED_COLUMNS, prunableWhere, savedOf, SAVING } from '../batch-columns.js';
import {
  batchProgress,
  countDone,
  countEnd,
  isOfConsequence,
  type BatchRow,
  type MemberState,
} from '../batch-ledger.js';
import type { Tables } from '../table-names.js';
import type { Flavour } from './flavour.js';
import type { Cell, Link, Statement } from './link.js';
import { MemberRows } from './member-rows.js';
import { LIST, SizedStatement, whole } from './sized-statement.js';
import { idKey, idOf, readable, storable } from '../../stored-text.js';

/** A batch and the server's time. */
export interface TimedBatch {
  readonly row: BatchRow;
  readonly now: number;
}

/** Batches whose number is known here, at the most. */
const KNOWN = 1_000;

/** The statements on batches. Whoever changes one has locked its row first, and its members after it. */
export class BatchRows {
  readonly members: MemberRows;
  readonly #find: Statement;
  readonly #lock: Statement;
  readonly #insert: Statement;
  readonly #save: Statement;
  readonly #ahead: Statement;
  readonly #back: Statement;
  readonly #delete: SizedStatement;
  /** The numbers of batches by their id, which save a trip. */
  readonly #known = new Map<string, number>();

  constructor(
    private readonly tables: Tables,
    private readonly flavour: Flavour,
  ) {
    const t = tables.quoted;
    const find = `${this.#select()} WHERE id = ?`;
    this.members = new MemberRows(tables, flavour);
    this.#find = flavour.statement(find);
    this.#lock = flavour.statement(`${find} ${flavour.forUpdate}`);
    this.#insert = flavour.statement(
      flavour.insertIgnoring(
        `INSERT INTO ${t.batches} (id, id_name, name, options, sealed, cancel_on_failure, created_at, total, pending, failed, ended, confirmed)
          VALUES (?, ?, ?, ?, ?, ?, ${flavour.now}, 0, 0, 0, 0, '')`,
        'id',
      ),
    );
    this.#save = flavour.statement(`UPDATE ${t.batches} SET ${SAVING}`);
    this.#ahead = flavour.statement(
      `UPDATE ${t.batches} SET ended = ended + ?, pending = pending - ?
        WHERE id = ? AND ended > 0 AND unconfirmed_since IS NULL AND (sealed = 0 OR ended + ? < total)`,
    );
    this.#back = flavour.statement(`UPDATE ${t.batches} SET ended = ended - ?, pending = pending + ? WHERE id = ?`);
    this.#delete = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.batches} WHERE seq IN ${flavour.list(length)}`,
    );
  }

  async find(link: Link, id: string): Promise<BatchRow | undefined> {
    return (await this.#first(link, this.#find, id))?.row;
  }

  /** Until the transaction ends nobody else changes the batch. */
  lock(link: Link, id: string): Promise<TimedBatch | undefined> {
    return this.#first(link, this.#lock, id);
  }

  /** Without members; `undefined` where the id is there already. */
  async insert(link: Link, batch: NewBatch): Promise<TimedBatch | undefined> {
    const { key, name } = idKey(batch.id);
    const texts = [storable(batch.name), storable(batch.options)];
    const flags = [Number(batch.sealed), Number(batch.cancelOnFailure)];
    const { changes } = await link.query(this.#insert, [key, name, ...texts, ...flags]);
    return changes > 0 ? this.lock(link, batch.id) : undefined;
  }

  async save(link: Link, row: BatchRow): Promise<void> {
    await link.query(this.#save, savedOf(row));
  }

  /** `undefined` when there is no such batch or no such member. */
  async recordEnd(link: Link, batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined> {
    const found = await this.lock(link, batchId);
    const member = found && (await this.members.state(link, found.row.seq, end.jobId));
    if (!found || !member) return undefined;
    const { row, now } = found;
    const others = (end.alsoEnded ?? []).filter((id) => id !== end.jobId);
    const alsoEnded = await this.members.skip(link, row.seq, others, now);
    const change = countEnd(row, member.state as MemberState, end.outcome, alsoEnded, now);
    if (change.counted) await this.members.end(link, row.seq, end.jobId, end.outcome, now);
    if (change.counted || alsoEnded > 0) await this.save(link, row);
    return batchProgress(row, await this.failedIds(link, row), change);
  }

  /** Members that have succeeded, all of one batch. `undefined` where nobody waits for what comes of it. */
  async recordDone(link: Link, batchId: string, jobIds: readonly string[]): Promise<BatchProgress | undefined> {
    const known = this.#known.get(batchId);
    if (known !== undefined && (await this.#countAhead(link, batchId, jobIds.length))) {
      const counted = await this.members.done(link, known, jobIds);
      if (counted === jobIds.length) return undefined;
      const over = jobIds.length - counted;
      await link.query(this.#back, [over, over, idKey(batchId).key]);
      return this.#oneByOne(link, batchId, jobIds, false);
    }
    const found = await this.lock(link, batchId);
    if (!found) return undefined;
    const { row, now } = found;
    if (this.#known.size >= KNOWN) this.#known.clear();
    this.#known.set(batchId, row.seq);
    const counted = await this.members.done(link, row.seq, jobIds);
    const change = countDone(row, counted, now);
    if (change.counted) await this.save(link, row);
    if (counted < jobIds.length) return this.#oneByOne(link, batchId, jobIds, change.started);
    if (!isOfConsequence(row, change)) return undefined;
    return batchProgress(row, await this.failedIds(link, row), change);
  }

  /** @param text a JSON array: the columns of a batch as it stands now, then whether it has started, and finished, by this very write */
  async told(link: Link, text: string): Promise<BatchProgress> {
    const cells = JSON.parse(text) as (Cell | boolean)[];
    const [started, finished] = cells.splice(-2) as [boolean, boolean];
    const row = batchRow(cells as Cell[]);
    return batchProgress(row, await this.failedIds(link, row), { counted: true, started, finished });
  }

  /** Counts so many ends before they are looked at, where they are of no consequence to anybody. Locks the batch as well. */
  async #countAhead(link: Link, batchId: string, ends: number): Promise<boolean> {
    return (await link.query(this.#ahead, [ends, ends, idKey(batchId).key, ends])).changes > 0;
  }

  /** Some of them had ended before, or are no members: those that have just been counted are told apart by their end. */
  async #oneByOne(
    link: Link,
    batchId: string,
    jobIds: readonly string[],
    started: boolean,
  ): Promise<BatchProgress | undefined> {
    let progress: BatchProgress | undefined;
    for (const jobId of jobIds) {
      const next = await this.recordEnd(link, batchId, { jobId, outcome: 'done' });
      if (next) progress = { ...next, started, finished: next.finished || progress?.finished === true };
    }
    return progress;
  }

  failedIds(link: Link, row: BatchRow): Promise<readonly string[]> | readonly string[] {
    return row.failed === 0 ? [] : this.members.failed(link, row.seq);
  }

  page(link: Link, limit: number, before: string | undefined): Promise<BatchRow[]> {
    const { batches } = this.tables.quoted;
    const older = before === undefined ? '' : `WHERE seq < (SELECT seq FROM ${batches} WHERE id = ?)`;
    return this.#all(
      link,
      `${older} ORDER BY seq DESC LIMIT ${whole(limit)}`,
      before === undefined ? [] : [idKey(before).key],
    );
  }

  unconfirmed(link: Link, dueBefore: number, limit: number): Promise<BatchRow[]> {
    const due = 'WHERE unconfirmed_since IS NOT NULL AND unconfirmed_since < ?';
    return this.#all(link, `${due} ORDER BY unconfirmed_since, seq LIMIT ${whole(limit)}`, [Math.ceil(dueBefore)]);
  }

  /** Locks what it finds. Found by their ids, as everywhere: MySQL's locks on two indexes would be taken crosswise otherwise. */
  async prunable(link: Link, before: Parameters<typeof prunableWhere>[0], limit: number): Promise<number[]> {
    const [where, moment] = prunableWhere(before);
    const { flavour } = this;
    const { batches } = this.tables.quoted;
    const look = flavour.statement(`SELECT id FROM ${batches} WHERE ${where} ORDER BY seq LIMIT ${whole(limit)}`);
    const ids = (await link.query<[string]>(look, [Math.ceil(moment)])).rows.map(([id]) => id);
    if (ids.length === 0) return [];
    const lock = new SizedStatement(
      flavour,
      (length) =>
        `SELECT seq FROM ${batches} WHERE id IN ${flavour.list(length)} AND ${where} ORDER BY id ${flavour.forUpdate}`,
    );
    const { statement, padded } = lock.of(ids);
    return (await link.query<[Cell]>(statement, [...padded, Math.ceil(moment)])).rows.map(([seq]) => Number(seq));
  }

  /** Members with them. The batches are locked. */
  async delete(link: Link, batches: readonly number[]): Promise<void> {
    for (const some of chunks(batches, LIST)) {
      await this.members.delete(link, some);
      const { statement, padded } = this.#delete.of(some);
      await link.query(statement, padded);
    }
  }

  async #first(link: Link, statement: Statement, id: string): Promise<TimedBatch | undefined> {
    const [found] = (await link.query(statement, [idKey(id).key])).rows;
    return found && { row: batchRow(found), now: Number(found.at(-1)) };
  }

  async #all(link: Link, rest: string, params: readonly Cell[]): Promise<BatchRow[]> {
    const statement = this.flavour.statement(`${this.#select()} ${rest}`);
    return (await link.query(statement, params)).rows.map(batchRow);
  }

  #select(): string {
    return `SELECT ${COUNTED}, id, id_name, name, options, ${this.flavour.now} AS at_ms FROM ${this.tables.quoted.batches}`;
  }
}

function batchRow(found: readonly Cell[]): BatchRow {
  const [id, idName, name, options] = found.slice(COUNTED_COLUMNS);
  return batchRowOf(found, {
    id: idOf(id, idName),
    name: readable(String(name)),
    options: readable(String(options)),
  });
}
