import { chunks } from '../../../support/chunks.js';
import { atomically, type Link, type Statement } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import { storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { LocksOfJobs } from './locks-of-jobs.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour } from './mysql-flavour.js';
import { CLAIM_INDEX } from './schema.js';

/** Empties a queue. */
export class ClearRows {
  readonly #last: Statement;
  readonly #lock: Statement;
  readonly #delete: SizedStatement;
  readonly #locks: LocksOfJobs;

  constructor(tables: Tables) {
    const { jobs } = tables.quoted;
    this.#locks = new LocksOfJobs(tables);
    this.#last = statementOf(`SELECT MAX(seq) FROM ${jobs}`);
    this.#lock = statementOf(
      `SELECT seq, lock_key, lock_owner FROM ${jobs} FORCE INDEX (${CLAIM_INDEX}) WHERE queue = ? AND seq <= ? LIMIT ? FOR UPDATE`,
    );
    this.#delete = new SizedStatement(mysqlFlavour, (length) => `DELETE FROM ${jobs} WHERE seq IN ${listOf(length)}`);
  }

  async last(link: Link): Promise<number> {
    const { rows } = await link.query<[number | null]>(this.#last, []);
    return Number(rows[0]?.[0] ?? 0);
  }

  clear(link: Link, queue: string, last: number, limit: number): Promise<number> {
    return atomically(link, mysqlFlavour.begin, async () => {
      const { rows } = await link.query<[number, string | null, string | null]>(this.#lock, [
        storable(queue),
        last,
        limit,
      ]);
      for (const some of chunks(rows, LIST)) {
        const { statement, padded } = this.#delete.of(some.map(([seq]) => Number(seq)));
        await link.query(statement, padded);
      }
      await this.#locks.release(
        link,
        rows.map(([, key, owner]) => [key, owner]),
      );
      return rows.length;
    });
  }
}
