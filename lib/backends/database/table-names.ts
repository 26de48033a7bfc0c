import { describe, InvalidOptionError } from '../../support/queue-error.js';

/** Every table of a connection, by its bare name; `quoted` has them as they stand in a statement. */
export interface TableNames {
  readonly jobs: string;
  readonly once: string;
  readonly cancelled: string;
  readonly effects: string;
  readonly locks: string;
  readonly limits: string;
  readonly control: string;
  readonly failed: string;
  readonly batches: string;
  readonly members: string;
  readonly schema: string;
}

/** Those of a connection's options that say what its tables are called. */
export interface TableOptions {
  readonly table?: string;
  readonly failedTable?: string;
  readonly batchesTable?: string;
  readonly outbox?: true;
}

export interface Tables {
  readonly bare: TableNames;
  readonly quoted: TableNames;
  /** An outbox: of all these there are only the tables that a relay needs. */
  readonly outbox?: true;
}

/** Postgres cuts names at 63 characters; the longest name made from one of these, an index, is 15 longer. */
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,47}$/;

/** @throws InvalidOptionError for a name that is not a plain identifier */
export function tablesOf(options: TableOptions, quote: (name: string) => string): Tables {
  const jobs = identifier(options.table ?? 'jobs', 'table');
  const failed = identifier(options.failedTable ?? 'failed_jobs', 'failedTable');
  const batches = identifier(options.batchesTable ?? 'job_batches', 'batchesTable');
  const bare: TableNames = {
    jobs,
    once: `${jobs}_once`,
    cancelled: `${jobs}_cancelled`,
    effects: `${jobs}_effects`,
    locks: `${jobs}_locks`,
    limits: `${jobs}_limits`,
    control: `${jobs}_control`,
    failed,
    batches,
    members: `${batches}_members`,
    schema: 'queue_schema',
  };
  const names = Object.values(bare);
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
    throw new InvalidOptionError(
      `The tables [${jobs}], [${failed}] and [${batches}] of a database connection do not go together: two tables would have one name. Choose other names.`,
    );
  }
  const quoted = Object.fromEntries(
    Object.entries(bare).map(([key, name]) => [key, quote(name)]),
  ) as unknown as TableNames;
  return { bare, quoted, ...(options.outbox && { outbox: true }) };
}

function identifier(name: unknown, option: string): string {
  if (typeof name === 'string' && IDENTIFIER.test(name) && !/^sqlite_/i.test(name)) return name;
  throw new InvalidOptionError(
    `${option} of a database connection is ${describe(name)}. Use letters, digits and underscores, at most 48, not starting with a digit or with sqlite_.`,
  );
}
