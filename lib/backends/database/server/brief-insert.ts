import type { Link, Param } from './link.js';

/** How long a lock's row is waited for that another transaction has written and not committed. */
export const HELD_ROW_MS = 250;

/** An INSERT with a first column that is the key, and what becomes of it where that key is there. */
export interface InsertParts {
  readonly table: string;
  readonly columns: readonly string[];
  /** One for each column; the key's is `?`. */
  readonly values: readonly string[];
  /** Completes `INSERT INTO … `, as `Flavour.upsert` does. */
  readonly complete: (insert: string) => string;
}

/** An INSERT that does not wait as long as its session would. */
export interface BriefInsert {
  /**
   * Within a transaction on Postgres, `undefined` means that it is spoiled back to its last savepoint.
   *
   * @param params the key first
   * @returns whether a row was written; `undefined` when another transaction has had that row for `ms`
   */
  run(link: Link, params: readonly Param[], ms: number): Promise<boolean | undefined>;
}
