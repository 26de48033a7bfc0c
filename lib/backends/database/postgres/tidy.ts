import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { NOW } from './postgres-flavour.js';

/** Rows of one go: nobody waits for long. */
const ROWS = 1_000;

export class TidyStatements {
  readonly #statements: readonly Statement[];

  constructor({ quoted: t, outbox }: Tables) {
    const sides = [
      [t.once, 'id', 'expires_at'],
      [t.cancelled, 'token', 'expires_at'],
      [t.locks, 'lock_key', 'expires_at'],
      [t.limits, 'limit_key', 'ends_at'],
      [t.control, 'mark', 'expires_at'],
    ] as const;
    const there = outbox ? sides.filter(([table]) => table === t.cancelled || table === t.locks) : sides;
    this.#statements = there.map(([table, key, end]) =>
      // Looked at twice: between the two somebody may have made a row live on.
      statementOf(`DELETE FROM ${table} WHERE ${end} <= ${NOW} AND ${key} = ANY (ARRAY(
        SELECT ${key} FROM ${table} WHERE ${end} IS NOT NULL AND ${end} <= ${NOW} LIMIT ${ROWS} FOR UPDATE SKIP LOCKED))`),
    );
  }

  async tidy(link: Link): Promise<void> {
    for (const statement of this.#statements) await link.query(statement, []);
  }
}
