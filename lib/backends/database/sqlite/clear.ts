import type { ClearAbility } from '../../../contracts/queue-driver.js';
import type { Clock } from '../../../support/clock.js';
import type { Tables } from '../table-names.js';
import type { LockRows } from './locks.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

/** Jobs removed in one write unit. */
const CHUNK = 1_000;

type Gone = [seq: number, lockKey: string | null, lockOwner: string | null];

export class SqliteClear implements ClearAbility {
  readonly #last: string;
  readonly #take: readonly string[];

  constructor(
    private readonly file: SqliteFile,
    { quoted: t }: Tables,
    private readonly locks: LockRows,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {
    this.#last = `SELECT max(seq) FROM ${t.jobs}`;
    // The free ones by the claim index, then the reserved ones by theirs: neither reads the rows of other queues one by one.
    this.#take = ['leased_until IS NULL', 'leased_until IS NOT NULL'].map(
      (
        state,
      ) => `DELETE FROM ${t.jobs} WHERE seq IN (SELECT seq FROM ${t.jobs} WHERE queue = ? AND ${state} AND seq <= ? LIMIT ${CHUNK})
        RETURNING seq, lock_key, lock_owner`,
    );
  }

  async clear(queue: string): Promise<number> {
    // What is pushed while this goes on stays, unless it takes the place of a last row that went meanwhile: so this comes to an end.
    const last = await this.file.read(
      (session) => session.first<[number | null]>(this.#last, [])?.[0] ?? 0,
      this.patience,
    );
    let gone = 0;
    for (const statement of this.#take) {
      for (let count = CHUNK; count === CHUNK; gone += count) count = await this.#some(statement, queue, last);
    }
    return gone;
  }

  #some(statement: string, queue: string, last: number): Promise<number> {
    return this.file.write((session) => {
      const rows = session.all<Gone>(statement, [queue, last]);
      for (const [, key, owner] of rows) {
        if (key !== null && owner !== null) this.locks.release(session, key, owner, this.clock.now());
      }
      return rows.length;
    }, this.patience);
  }
}
