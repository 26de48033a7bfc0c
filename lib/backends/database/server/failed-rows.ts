import type { FailedJob } from '../../../contracts/failed-job-store.js';
import type { Tables } from '../table-names.js';
import type { Flavour } from './flavour.js';
import type { Cell, Link } from './link.js';
import { rowsOf, SizedStatement } from './sized-statement.js';
import { idKey, idOf, readable, storable } from '../../stored-text.js';

/** In the order of `FoundFailed`, behind the sequence. */
export const FAILED_COLUMNS =
  'id, id_name, connection, queue, name, display_name, payload, exception, failed_at, batch_id';
/** In one statement: records, and characters of their texts, each of which may take three bytes. */
const ROWS = 64;
const CHARACTERS = 2_000_000;

export type FoundFailed = readonly [
  seq: Cell,
  id: string,
  idName: string | null,
  connection: string,
  queue: string,
  name: string,
  displayName: string,
  payload: string,
  exception: string,
  failedAt: Cell,
  batchId: string | null,
];
type Params = readonly [id: string, ...rest: readonly Cell[]];

/** The statements that record failed jobs, within a transaction. */
export class FailedRows {
  readonly #delete: SizedStatement;
  readonly #insert: SizedStatement;

  constructor({ quoted: t }: Tables, flavour: Flavour) {
    const values = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
    this.#delete = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.failed} WHERE id IN ${flavour.list(length)}`,
    );
    this.#insert = new SizedStatement(flavour, (length) =>
      flavour.insertIgnoring(`INSERT INTO ${t.failed} (${FAILED_COLUMNS}) VALUES ${rowsOf(values, length)}`, 'id'),
    );
  }

  /** Of one id the later record stays. */
  async record(link: Link, failures: readonly FailedJob[]): Promise<void> {
    const last = new Map<string, FailedJob>();
    for (const one of failures) {
      last.delete(one.id);
      last.set(one.id, one);
    }
    for (const group of groupsOf([...last.values()])) await this.#put(link, group.map(paramsOf));
  }

  /** An older record of one of them gives way, so that the later one gets a sequence of its own: its place among those of its moment. */
  async #put(link: Link, rows: readonly Params[]): Promise<void> {
    const insert = this.#insert.of(rows);
    const old = this.#delete.of(rows.map(([id]) => id));
    while ((await link.query(insert.statement, insert.padded.flat())).changes < rows.length) {
      await link.query(old.statement, old.padded);
    }
  }
}

export function failedJobOf(found: FoundFailed): FailedJob {
  const [, id, idName, connection, queue, name, displayName, payload, exception, failedAt, batchId] = found;
  return {
    id: idOf(id, idName),
    connection: readable(connection),
    queue: readable(queue),
    name: readable(name),
    displayName: readable(displayName),
    payload: readable(payload),
    exception: readable(exception),
    failedAt: new Date(Number(failedAt)),
    ...(batchId === null ? {} : { batchId: readable(batchId) }),
  };
}

function paramsOf(job: FailedJob): Params {
  const { key, name } = idKey(job.id);
  const texts = [job.connection, job.queue, job.name, job.displayName, job.payload, job.exception].map(storable);
  return [key, name, ...texts, job.failedAt.getTime(), job.batchId === undefined ? null : storable(job.batchId)];
}

/** As many as one statement takes, in order; 1, 4, 16 or 64 of them, so that nothing is sent twice for the sake of the length. */
function* groupsOf(failures: readonly FailedJob[]): Generator<readonly FailedJob[]> {
  for (let at = 0; at < failures.length;) {
    let count = 1;
    while (count < ROWS && fits(failures.slice(at, at + count * 4), count * 4)) count *= 4;
    yield failures.slice(at, at + count);
    at += count;
  }
}

function fits(failures: readonly FailedJob[], count: number): boolean {
  const characters = failures.reduce((sum, { payload, exception }) => sum + payload.length + exception.length, 0);
  return failures.length === count && characters <= CHARACTERS;
}
