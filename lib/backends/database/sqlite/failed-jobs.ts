import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../../contracts/failed-job-store.js';
import { chunks } from '../../../support/chunks.js';
import type { Tables } from '../table-names.js';
import type { Session, Value } from './session.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

const CHUNK = 500;
const COLUMNS = 'id, connection, queue, name, display_name, payload, exception, failed_at, batch_id';
type Found = [
  seq: number,
  id: string,
  connection: string,
  queue: string,
  name: string,
  displayName: string,
  payload: string,
  exception: string,
  failedAt: number,
  batchId: string | null,
];

/** The statements on failed jobs, for use inside a write unit. */
export class FailedRows {
  readonly #record: string;

  constructor({ quoted: t }: Tables) {
    // REPLACE gives the later record a new sequence, which is its place among those of the same moment.
    this.#record = `INSERT OR REPLACE INTO ${t.failed} (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  }

  record(session: Session, job: FailedJob): void {
    const { id, connection, queue, name, displayName, payload, exception, failedAt, batchId } = job;
    session.run(this.#record, [
      id,
      connection,
      queue,
      name,
      displayName,
      payload,
      exception,
      failedAt.getTime(),
      batchId ?? null,
    ]);
  }
}

export class SqliteFailedJobs implements FailedJobStore {
  readonly #table: string;

  constructor(
    private readonly file: SqliteFile,
    { quoted: t }: Tables,
    private readonly rows: FailedRows,
    private readonly patience: Patience,
  ) {
    this.#table = t.failed;
  }

  async record(failures: readonly FailedJob[]): Promise<void> {
    if (failures.length === 0) return;
    await this.#write((session) => {
      for (const failure of failures) this.rows.record(session, failure);
    });
  }

  find(id: string): Promise<FailedJob | undefined> {
    return this.#read((session) => {
      const row = session.first<Found>(`SELECT seq, ${COLUMNS} FROM ${this.#table} WHERE id = ?`, [id]);
      return row && failedJob(row);
    });
  }

  page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }> {
    const filter = whereOf(query);
    // A cursor that is none of ours compares as NULL would: it is read as the end.
    const [failedAt, seq] = query.cursor?.split('.').map((part) => Number(part) || 0) ?? [];
    if (failedAt !== undefined) filter.add('(failed_at, seq) < (?, ?)', failedAt, seq ?? 0);
    return this.#read((session) => {
      const rows = session.all<Found>(
        `SELECT seq, ${COLUMNS} FROM ${this.#table} ${filter.sql()} ORDER BY failed_at DESC, seq DESC LIMIT ?`,
        [...filter.params, query.limit + 1],
      );
      const page = rows.slice(0, query.limit);
      const last = page.at(-1);
      return {
        jobs: page.map(failedJob),
        ...(rows.length > page.length && last ? { next: `${last[8]}.${last[0]}` } : {}),
      };
    });
  }

  count(query: FailedJobQuery = {}): Promise<number> {
    const filter = whereOf(query);
    return this.#read(
      (session) => session.all<[number]>(`SELECT count(*) FROM ${this.#table} ${filter.sql()}`, filter.params)[0]![0],
    );
  }

  async forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number> {
    const statement = `DELETE FROM ${this.#table} WHERE id = ?${failedAt ? ' AND failed_at = ?' : ''}`;
    const all = ids.map((id, at): Value[] => (failedAt ? [id, failedAt[at]!.getTime()] : [id]));
    let gone = 0;
    for (const some of chunks(all, CHUNK)) {
      gone += await this.#write((session) => {
        let count = 0;
        for (const params of some) count += session.run(statement, params);
        return count;
      });
    }
    return gone;
  }

  async prune(failedAt?: Date): Promise<number> {
    const until = failedAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
    const statement = `DELETE FROM ${this.#table} WHERE seq IN (SELECT seq FROM ${this.#table} WHERE failed_at <= ? ORDER BY failed_at LIMIT ${CHUNK})`;
    for (let gone = 0; ;) {
      const count = await this.#write((session) => session.run(statement, [until]));
      gone += count;
      if (count < CHUNK) return gone;
    }
  }

  #read<T>(work: (session: Session) => T): Promise<T> {
    return this.file.read(work, this.patience);
  }

  #write<T>(unit: (session: Session) => T): Promise<T> {
    return this.file.write(unit, this.patience);
  }
}

function whereOf({ queue, connection }: FailedJobQuery) {
  const terms: string[] = [];
  const params: Value[] = [];
  const add = (term: string, ...values: Value[]): void => {
    terms.push(term);
    params.push(...values);
  };
  if (queue !== undefined) add('queue = ?', queue);
  if (connection !== undefined) add('connection = ?', connection);
  return { add, params, sql: () => (terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`) };
}

function failedJob([
  ,
  id,
  connection,
  queue,
  name,
  displayName,
  payload,
  exception,
  failedAt,
  batchId,
]: Found): FailedJob {
  const job = { id, connection, queue, name, displayName, payload, exception, failedAt: new Date(failedAt) };
  return batchId === null ? job : { ...job, batchId };
}
