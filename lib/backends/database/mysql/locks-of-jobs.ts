import { chunks } from '../../../support/chunks.js';
import type { Link } from '../server/link.js';
import { LIST, SizedStatement } from '../server/sized-statement.js';
import type { Tables } from '../table-names.js';
import { mysqlFlavour, NOW } from './mysql-flavour.js';

/** A job's lock as its row keeps it, the way the table of locks does. */
export type LockOfJob = readonly [key: string | null, owner: string | null];

/** Gives back what jobs hold that are removed: as long as it is still theirs. */
export class LocksOfJobs {
  readonly #release: SizedStatement;

  constructor({ quoted: t }: Tables) {
    const pairs = (length: number): string => Array.from({ length }, () => '(lock_key = ? AND owner = ?)').join(' OR ');
    this.#release = new SizedStatement(
      mysqlFlavour,
      (length) => `DELETE FROM ${t.locks} WHERE (${pairs(length)}) AND (expires_at IS NULL OR expires_at > ${NOW})`,
    );
  }

  /** Within a transaction, behind all other statements on jobs. */
  async release(link: Link, locks: readonly LockOfJob[]): Promise<void> {
    const held = locks.filter(([key, owner]) => key !== null && owner !== null);
    for (const some of chunks(held, LIST)) {
      const { statement, padded } = this.#release.of(some);
      await link.query(statement, padded.flat());
    }
  }
}
