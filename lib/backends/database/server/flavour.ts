import { createHash } from 'node:crypto';
import type { BriefInsert, InsertParts } from './brief-insert.js';
import type { Statement } from './link.js';

/** What the statements of side stores need to know of a server's SQL. Statements are written with `?` for each parameter. */
export interface Flavour {
  /** The server's clock: epoch ms as a whole number, one moment for the whole statement. */
  readonly now: string;
  /** Opens a transaction of READ COMMITTED. */
  readonly begin: string;
  /** Behind a SELECT: its rows are locked until the transaction ends. */
  readonly forUpdate: string;
  /** Prepared under a name made from its text, `?` turned into what the server calls a parameter. */
  statement(text: string): Statement;
  /**
   * INSERT … that changes the row with this key where there is one.
   *
   * @param update what becomes of that row, `column = expression`; `given('x')` is the value that was to be inserted
   */
  upsert(insert: string, key: string, update: (given: (column: string) => string) => string): string;
  /** INSERT … that leaves the row with this key alone where there is one. `changes` tells which. */
  insertIgnoring(insert: string, key: string): string;
  /** An INSERT that waits for its row for a time of its own. */
  brief(parts: InsertParts): BriefInsert;
  /** A list of parameters for `column IN`, or what does the same: `(?, ?, ?)`. */
  list(count: number): string;
}

/** A name that is the same for the same text in every process, so that a pooler may share prepared statements. */
export function statementOf(text: string): Statement {
  return { name: `q_${createHash('sha1').update(text).digest('hex').slice(0, 20)}`, text };
}

/** Statements with lists of different lengths, each prepared once: lengths are rounded up to few different ones. */
export function roundedLength(count: number): number {
  let length = 1;
  while (length < count) length *= 4;
  return length;
}
