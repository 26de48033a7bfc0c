import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../../contracts/failed-job-store.js';
import { chunks } from '../../../support/chunks.js';
import type { Tables } from '../table-names.js';
import { FAILED_COLUMNS, failedJobOf, type FailedRows, type FoundFailed } from './failed-rows.js';
import type { Flavour } from './flavour.js';
import type { Cell, Statement } from './link.js';
import type { SideStore } from './side-store.js';
import { LIST, SizedStatement } from './sized-statement.js';
import { idKey, storable } from '../../stored-text.js';

export class ServerFailedJobs implements FailedJobStore {
  readonly #table: string;
  readonly #find: Statement;
  readonly #old: Statement;
  readonly #forget: SizedStatement;
  readonly #forgetOf: SizedStatement;
  readonly #delete: SizedStatement;
  readonly #statements = new Map<string, Statement>();

  constructor(
    private readonly side: SideStore,
    { quoted: t }: Tables,
    private readonly flavour: Flavour,
    private readonly rows: FailedRows,
  ) {
    this.#table = t.failed;
    this.#find = flavour.statement(`SELECT seq, ${FAILED_COLUMNS} FROM ${t.failed} WHERE id = ?`);
    this.#old = flavour.statement(
      `SELECT seq FROM ${t.failed} WHERE failed_at <= ? ORDER BY failed_at, seq LIMIT ${LIST}`,
    );
    this.#forget = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.failed} WHERE id IN ${flavour.list(length)}`,
    );
    const pairs = (length: number): string => Array.from({ length }, () => '(id = ? AND failed_at = ?)').join(' OR ');
    this.#forgetOf = new SizedStatement(flavour, (length) => `DELETE FROM ${t.failed} WHERE ${pairs(length)}`);
    this.#delete = new SizedStatement(
      flavour,
      (length) => `DELETE FROM ${t.failed} WHERE seq IN ${flavour.list(length)}`,
    );
  }

  async record(failures: readonly FailedJob[]): Promise<void> {
    if (failures.length === 0) return;
    await this.side.write((link) => this.rows.record(link, failures));
  }

  find(id: string): Promise<FailedJob | undefined> {
    return this.side.read(async (link) => {
      const [row] = (await link.query<FoundFailed>(this.#find, [idKey(id).key])).rows;
      return row && failedJobOf(row);
    });
  }

  async page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }> {
    const { terms, params } = whereOf(query);
    const limit = Math.max(0, Math.floor(query.limit));
    const [failedAt, seq = 0] = query.cursor?.split('.').map(wholeOf) ?? [];
    if (failedAt !== undefined) {
      terms.push('(failed_at < ? OR (failed_at = ? AND seq < ?))');
      params.push(failedAt, failedAt, seq);
    }
    const statement = this.#prepared(
      `SELECT seq, ${FAILED_COLUMNS} FROM ${this.#table}${where(terms)} ORDER BY failed_at DESC, seq DESC LIMIT ${limit + 1}`,
    );
    const { rows } = await this.side.read((link) => link.query<FoundFailed>(statement, params));
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      jobs: page.map(failedJobOf),
      ...(rows.length > page.length && last ? { next: `${last[9]}.${last[0]}` } : {}),
    };
  }

  async count(query: FailedJobQuery = {}): Promise<number> {
    const { terms, params } = whereOf(query);
    const statement = this.#prepared(`SELECT count(*) AS records FROM ${this.#table}${where(terms)}`);
    const { rows } = await this.side.read((link) => link.query(statement, params));
    return Number(rows[0]![0]);
  }

  async forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number> {
    let gone = 0;
    if (failedAt) {
      const all = ids.map((id, at) => [idKey(id).key, failedAt[at]!.getTime()] as const);
      for (const some of chunks(all, LIST)) {
        const { statement, padded } = this.#forgetOf.of(some);
        gone += (await this.side.write((link) => link.query(statement, padded.flat()))).changes;
      }
      return gone;
    }
    for (const some of chunks([...new Set(ids)], LIST)) {
      const { statement, padded } = this.#forget.of(some.map((id) => idKey(id).key));
      gone += (await this.side.write((link) => link.query(statement, padded))).changes;
    }
    return gone;
  }

  async prune(failedAt?: Date): Promise<number> {
    const until = failedAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
    for (let gone = 0; ;) {
      const { found, deleted } = await this.side.write(async (link) => {
        const { rows } = await link.query<[Cell]>(this.#old, [until]);
        if (rows.length === 0) return { found: 0, deleted: 0 };
        const { statement, padded } = this.#delete.of(rows.map(([seq]) => seq));
        return { found: rows.length, deleted: (await link.query(statement, padded)).changes };
      });
      gone += deleted;
      if (found < LIST) return gone;
    }
  }

  /** Few different texts: one for each filter and length of a page. */
  #prepared(text: string): Statement {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.flavour.statement(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

function whereOf({ queue, connection }: FailedJobQuery): { terms: string[]; params: Cell[] } {
  const terms: string[] = [];
  const params: Cell[] = [];
  for (const [column, value] of Object.entries({ queue, connection })) {
    if (value === undefined) continue;
    terms.push(`${column} = ?`);
    params.push(storable(value));
  }
  return { terms, params };
}

function where(terms: readonly string[]): string {
  return terms.length === 0 ? '' : ` WHERE ${terms.join(' AND ')}`;
}

/** A cursor that is none of ours is read as the end. */
function wholeOf(part: string): number {
  const number = Number(part);
  return Number.isSafeInteger(number) ? number : 0;
}
