import type { BriefInsert, InsertParts } from '../server/brief-insert.js';
import type { Link, Param, Statement } from '../server/link.js';
import { isLockTimeout } from './postgres-faults.js';

/**
 * Sets the time limit, inserts, and puts the limit back, in one statement: it costs no trip, and holds on an application's own connection
 * too. The server has locked the tables before it sets the limit, so a table that is being altered is still waited for as ever.
 */
export class PostgresBriefInsert implements BriefInsert {
  readonly #statement: Statement;

  constructor(statement: (text: string) => Statement, { table, columns, values, complete }: InsertParts) {
    const insert = complete(`INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM before`);
    this.#statement = statement(
      `WITH before AS MATERIALIZED (SELECT current_setting('lock_timeout') AS limited, set_config('lock_timeout', ?, true)),
        written AS (${insert} RETURNING 1)
      SELECT (SELECT count(*) FROM written) AS written, set_config('lock_timeout', limited, true) AS limited FROM before`,
    );
  }

  async run(link: Link, params: readonly Param[], ms: number): Promise<boolean | undefined> {
    try {
      // 0 would be no limit.
      const limit = `${Math.max(1, Math.ceil(ms))}ms`;
      const { rows } = await link.query<[number, string]>(this.#statement, [limit, ...params]);
      return Number(rows[0]![0]) > 0;
    } catch (error) {
      if (isLockTimeout(error)) return undefined;
      throw error;
    }
  }
}
