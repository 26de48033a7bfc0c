import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import { storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';

export class ClearStatements {
  readonly #last: Statement;
  readonly #clear: Statement;

  constructor({ quoted: t }: Tables) {
    // From the claim's index, which has the sequence; a role that may write the table need not be allowed to read its counter.
    this.#last = statementOf(`SELECT greatest(
      (SELECT max(seq) FROM ${t.jobs} WHERE leased_until IS NULL), (SELECT max(seq) FROM ${t.jobs} WHERE leased_until IS NOT NULL), 0) AS last`);
    const some = (state: string): string =>
      `(SELECT id FROM ${t.jobs} WHERE queue = $1 AND leased_until ${state} AND seq <= $2::bigint LIMIT $3::bigint)`;
    // Removed by id alone: a job that is being claimed meanwhile goes too.
    this.#clear =
      statementOf(`WITH found AS MATERIALIZED (${some('IS NULL')} UNION ALL ${some('IS NOT NULL')} LIMIT $3::bigint),
      gone AS (DELETE FROM ${t.jobs} j USING found WHERE j.id = found.id RETURNING j.lock_key, j.lock_owner),
      freed AS (DELETE FROM ${t.locks} l USING gone g WHERE l.lock_key = g.lock_key AND l.owner = g.lock_owner)
      SELECT (SELECT count(*) FROM found) AS found, (SELECT count(*) FROM gone) AS gone`);
  }

  async last(link: Link): Promise<number> {
    const { rows } = await link.query<[number]>(this.#last, []);
    return Number(rows[0]![0]);
  }

  async clear(link: Link, queue: string, last: number, limit: number): Promise<number> {
    const params = [storable(queue), last, limit];
    for (;;) {
      const { rows } = await link.query<[found: number, gone: number]>(this.#clear, params);
      const [found, gone] = rows[0]!;
      // Others may have ended all of what was found; there may be more behind it.
      if (Number(gone) > 0 || Number(found) === 0) return Number(gone);
    }
  }
}
