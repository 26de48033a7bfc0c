import type {
  BatchCallback,
  BatchGrowth,
  BatchProgress,
  BatchRecord,
  BatchStore,
  MemberEnd,
  MemberPage,
  NewBatch,
} from '../../../contracts/batch-store.js';
import type { Clock } from '../../../support/clock.js';
import { chunks } from '../../../support/chunks.js';
import { batchProgress, batchRecord, cancel, conclude, memberPage } from '../batch-ledger.js';
import type { BatchRows } from './batch-rows.js';
import type { Session } from './session.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

/** Members stored, or batches removed, in one write unit. */
const MEMBERS = 2_000;
const BATCHES = 100;

export class SqliteBatches implements BatchStore {
  constructor(
    private readonly file: SqliteFile,
    private readonly rows: BatchRows,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {}

  async create(batch: NewBatch): Promise<BatchRecord> {
    const [first = [], ...others] = chunks(batch.memberIds, MEMBERS);
    const whole = others.length === 0;
    const { record, made } = await this.#write((session, now) => {
      const there = this.rows.find(session, batch.id);
      if (there) return { record: this.#record(session, there), made: false };
      const row = this.rows.insert(session, { ...batch, sealed: batch.sealed && whole }, now);
      const added = this.rows.addMembers(session, row.seq, first);
      row.total = row.pending = added;
      conclude(row, now);
      this.rows.save(session, row);
      return { record: this.#record(session, row), made: true };
    });
    if (!made || whole) return record;
    let grown = record;
    for (const some of others) grown = (await this.grow(batch.id, some))?.batch ?? grown;
    return batch.sealed ? ((await this.seal(batch.id))?.batch ?? grown) : grown;
  }

  find(id: string): Promise<BatchRecord | undefined> {
    return this.#read((session) => {
      const row = this.rows.find(session, id);
      return row && this.#record(session, row);
    });
  }

  page(query: { readonly limit: number; readonly before?: string }): Promise<readonly BatchRecord[]> {
    return this.#read((session) =>
      this.rows.page(session, query.limit, query.before).map((row) => this.#record(session, row)),
    );
  }

  members(
    id: string,
    { limit, after }: { readonly limit: number; readonly after?: string },
  ): Promise<MemberPage | undefined> {
    return this.#read((session) => {
      const row = this.rows.find(session, id);
      return row && memberPage(this.rows.members(session, row.seq, limit + 1, after), limit);
    });
  }

  async grow(id: string, memberIds: readonly string[], by?: string): Promise<BatchGrowth | undefined> {
    let growth: BatchGrowth | undefined;
    for (const some of memberIds.length === 0 ? [[]] : chunks(memberIds, MEMBERS)) {
      growth = await this.#write((session, now) => this.#growOnce(session, id, some, by, now));
      if (!growth?.grown) break;
    }
    return growth;
  }

  seal(id: string): Promise<BatchProgress | undefined> {
    return this.#write((session, now) => {
      const row = this.rows.find(session, id);
      if (!row) return undefined;
      row.sealed = true;
      const finished = conclude(row, now);
      this.rows.save(session, row);
      return batchProgress(row, this.rows.failedIds(session, row), { finished });
    });
  }

  recordEnd(batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined> {
    return this.#write((session, now) => this.rows.recordEnd(session, batchId, end, now));
  }

  async confirm(id: string, callbacks: readonly BatchCallback[]): Promise<void> {
    await this.#write((session) => {
      const row = this.rows.find(session, id);
      if (!row) return;
      row.confirmed = new Set([...row.confirmed, ...callbacks]);
      this.rows.save(session, row);
    });
  }

  unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]> {
    return this.#read((session) =>
      this.rows
        .unconfirmed(session, dueBefore, limit)
        .map((row) => batchProgress(row, this.rows.failedIds(session, row))),
    );
  }

  cancel(id: string): Promise<BatchRecord | undefined> {
    return this.#write((session, now) => {
      const row = this.rows.find(session, id);
      if (!row) return undefined;
      if (cancel(row, now)) this.rows.save(session, row);
      return this.#record(session, row);
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#write((session) => {
      const row = this.rows.find(session, id);
      if (row) this.rows.delete(session, [row.seq]);
      return row !== undefined;
    });
  }

  async prune(
    before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
  ): Promise<number> {
    for (let gone = 0; ;) {
      const count = await this.#write((session) => {
        const found = this.rows.prunable(session, before, BATCHES);
        this.rows.delete(session, found);
        return found.length;
      });
      gone += count;
      if (count < BATCHES) return gone;
    }
  }

  #growOnce(
    session: Session,
    id: string,
    memberIds: readonly string[],
    by: string | undefined,
    now: number,
  ): BatchGrowth | undefined {
    const row = this.rows.find(session, id);
    if (!row) return undefined;
    const fromWithin = by !== undefined && this.rows.isWaiting(session, row.seq, by);
    if (row.finishedAt !== undefined && !fromWithin) {
      return { grown: false, reason: 'finished', batch: this.#record(session, row) };
    }
    const added = this.rows.addMembers(session, row.seq, memberIds);
    row.total += added;
    row.pending += added;
    conclude(row, now);
    this.rows.save(session, row);
    return { grown: true, batch: this.#record(session, row) };
  }

  #record(session: Session, row: Parameters<typeof batchRecord>[0]): BatchRecord {
    return batchRecord(row, this.rows.failedIds(session, row));
  }

  #read<T>(work: (session: Session) => T): Promise<T> {
    return this.file.read(work, this.patience);
  }

  #write<T>(unit: (session: Session, now: number) => T): Promise<T> {
    return this.file.write((session) => unit(session, this.clock.now()), this.patience);
  }
}
