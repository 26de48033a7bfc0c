import { chunks } from '../../../support/chunks.js';
import type { Link, Statement } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import type { Tables } from '../table-names.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';

/** Rows of one table that are forgotten in one go. */
const ROWS = 1_000;

/** Forgets what has expired. Rows are looked for first and then locked by their key alone, as everybody else locks them. */
export class TidyRows {
  readonly #tables: readonly { readonly find: Statement; readonly drop: SizedStatement }[];

  constructor({ quoted: t, outbox }: Tables) {
    const sides: readonly (readonly [table: string, key: string, end: string])[] = [
      [t.once, 'id', 'expires_at'],
      [t.cancelled, 'token', 'expires_at'],
      [t.locks, 'lock_key', 'expires_at'],
      [t.limits, 'limit_key', 'ends_at'],
      [t.control, 'mark', 'expires_at'],
    ];
    const there = outbox ? sides.filter(([table]) => table === t.cancelled || table === t.locks) : sides;
    this.#tables = there.map(([table, key, end]) => ({
      find: statementOf(`SELECT ${key} FROM ${table} WHERE ${end} <= ${NOW} ORDER BY ${end} LIMIT ${ROWS}`),
      drop: new SizedStatement(
        mysqlFlavour,
        (length) => `DELETE FROM ${table} WHERE ${key} IN ${listOf(length)} AND ${end} <= ${NOW}`,
      ),
    }));
  }

  async tidy(link: Link): Promise<void> {
    for (const { find, drop } of this.#tables) {
      const { rows } = await link.query<[string]>(find, []);
      for (const some of chunks(rows, LIST)) {
        const { statement, padded } = drop.of(some.map(([key]) => key));
        await link.query(statement, padded);
      }
    }
  }
}
