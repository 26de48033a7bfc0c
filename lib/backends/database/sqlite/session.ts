import { types } from 'node:util';
import { describe } from '../../../support/queue-error.js';
import type { SqliteDatabase, SqliteStatement } from './sqlite-library.js';

export type Value = string | number | null;
export type Row = readonly Value[];

/** Prepared statements of one handle, each prepared once. Everything on it is synchronous. */
export class Session {
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(private readonly db: SqliteDatabase) {}

  /** All rows, as arrays: objects cost a property of every column of every row. */
  all<R extends Row>(sql: string, params: readonly Value[]): R[] {
    const rows = this.#reading(sql).all(params.map(bindable)) as unknown[][];
    for (const row of rows) decode(row);
    return rows as unknown as R[];
  }

  /** The first row of a SELECT: half the price of `all`. */
  first<R extends Row>(sql: string, params: readonly Value[]): R | undefined {
    const row = this.#reading(sql).get(params.map(bindable)) as unknown[] | undefined;
    if (row === undefined) return undefined;
    decode(row);
    return row as unknown as R;
  }

  /** How many rows were changed. */
  run(sql: string, params: readonly Value[]): number {
    const statement = this.#statements.get(sql) ?? this.#prepare(sql);
    return statement.run(params.map(bindable)).changes;
  }

  exec(sql: string): void {
    this.db.exec(sql);
  }

  /** All of it or, when it throws, nothing of it, within the open transaction. */
  nested<T>(work: () => T): T {
    this.db.exec('SAVEPOINT one');
    let result: T;
    try {
      result = work();
    } catch (error) {
      // SQLite has rolled everything back by itself after some errors: there is nothing to go back to then.
      if (this.db.inTransaction) this.db.exec('ROLLBACK TO one; RELEASE one');
      throw error;
    }
    this.db.exec('RELEASE one');
    return result;
  }

  #reading(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#prepare(sql);
      statement.raw(true);
    }
    return statement;
  }

  #prepare(sql: string): SqliteStatement {
    const statement = this.db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * What can be handed to SQLite without being changed on the way. Text with a NUL is cut there when it is read, and half a surrogate
 * pair becomes U+FFFD, so such text goes in as a BLOB of UTF-16. A boolean would end the process (libsql 0.5), NaN would become NULL.
 */
export function bindable(value: Value): Value | Buffer {
  if (typeof value === 'string') return keeps(value) ? value : Buffer.from(value, 'utf16le');
  if (value === null || (typeof value === 'number' && value === value)) return value;
  throw new TypeError(`${describe(value)} cannot be stored in SQLite.`);
}

/** The other way round. libsql hands a BLOB out as a Buffer or as an ArrayBuffer, depending on the call. */
export function readable(value: unknown): Value {
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (types.isUint8Array(value)) return Buffer.from(value).toString('utf16le');
  if (types.isAnyArrayBuffer(value)) return Buffer.from(value).toString('utf16le');
  return null;
}

function decode(row: unknown[]): void {
  for (let column = 0; column < row.length; column++) row[column] = readable(row[column]);
}

function keeps(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed() && !text.includes('\0');
}
