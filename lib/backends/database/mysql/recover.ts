import type { ReservedJob } from '../../../contracts/queue-driver.js';
import { chunks } from '../../../support/chunks.js';
import type { ClaimRequest } from '../server/dialect.js';
import type { Link, Statement } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import { idOf, readable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';
import { CLAIM_INDEX } from './schema.js';

type Taken = [
  seq: number,
  id: string,
  idName: string | null,
  place: number,
  body: string,
  attempts: number,
  stalls: number,
  memo: string | null,
  now: number,
];

/** Finds what a claim took whose answer was lost. */
export class RecoverRows {
  readonly #find: Statement;
  readonly #renew: SizedStatement;

  constructor({ quoted: t }: Tables) {
    // Its tokens begin with the claim and a point; the next character after a point is a slash.
    const mine = 'token > ? AND token < ?';
    this.#find = statementOf(
      `SELECT seq, id, id_name, place, body, attempts, stalls, memo, ${NOW} FROM ${t.jobs} FORCE INDEX (${CLAIM_INDEX})
        WHERE queue = ? AND leased_until > 0 AND ${mine} ORDER BY place, available_at, seq`,
    );
    this.#renew = new SizedStatement(
      mysqlFlavour,
      (length) => `UPDATE ${t.jobs} SET leased_until = ? WHERE ${mine} AND seq IN ${listOf(length)}`,
    );
  }

  /** What somebody else takes between the two statements is refused to its former holder by its token. */
  async recover(link: Link, { queues, leaseMs, claim }: ClaimRequest): Promise<readonly ReservedJob[]> {
    const jobs: ReservedJob[] = [];
    const mine = [`${claim}.`, `${claim}/`];
    for (const queue of queues) {
      const { rows } = await link.query<Taken>(this.#find, [storable(queue), ...mine]);
      const leasedUntil = Number(rows[0]?.[8]) + Math.ceil(leaseMs);
      for (const some of chunks(rows, LIST)) {
        const { statement, padded } = this.#renew.of(some.map(([seq]) => Number(seq)));
        await link.query(statement, [leasedUntil, ...mine, ...padded]);
      }
      for (const [seq, id, idName, place, body, attempts, stalls, memo] of rows) {
        jobs.push({
          id: idOf(id, idName),
          queue,
          body: readable(body),
          priority: 0 - Number(place),
          attempts: Number(attempts),
          stalls: Number(stalls),
          token: `${claim}.${seq}`,
          leasedUntil,
          ...(memo === null ? {} : { memo: readable(memo) }),
        });
      }
    }
    return jobs;
  }
}
