/** A statement with its parameters left open. It is prepared once per connection, under its name. */
export interface Statement {
  /** The same text has the same name in every process. */
  readonly name: string;
  readonly text: string;
}

/** Arrays are for Postgres alone. */
export type Param = string | number | null | readonly (string | number | null)[];

/** A column of a row. Integers of 64 bits may come as text from an application's own connection: read them by `Number()`. */
export type Cell = string | number | null;
export type Row = readonly Cell[];

export interface Answer<R extends Row = Row> {
  /** Rows as arrays, columns in the order of the statement. */
  readonly rows: readonly R[];
  /** Rows inserted, changed or deleted. */
  readonly changes: number;
}

/**
 * One connection to a server, used by one caller at a time.
 *
 * Texts that the server cannot keep are not its business: callers hand over what `storable()` made.
 */
export interface Link {
  /** @throws the server's own error; a `LostLinkError` when the connection is gone */
  query<R extends Row = Row>(statement: Statement, params: readonly Param[]): Promise<Answer<R>>;
  /** A statement without parameters and without an answer, unprepared: BEGIN, SET, DDL. */
  run(sql: string): Promise<void>;
}

/** A connection of the queue's own. */
export interface OwnLink extends Link {
  /** False once the connection is gone. */
  readonly alive: boolean;
  /** When the statement under way was sent, by `performance.now()`. `undefined`: nothing is under way. */
  readonly busySince: number | undefined;
  /** Gives the connection back, whole. */
  release(): void;
  /** Ends the connection at once, whatever is under way: what waits on it rejects with a `LostLinkError`. */
  destroy(reason: Error): void;
}

/** Whether it is one of the queue's own: its session is known, and its transactions are READ COMMITTED. */
export function isOwn(link: Link): link is OwnLink {
  return 'busySince' in link;
}

/** The connection ended before the answer came: whether the statement took effect is not known. */
export class LostLinkError extends Error {
  constructor(cause: unknown) {
    super(`The connection to the database ended before the answer: ${messageOf(cause)}`, { cause });
    this.name = 'LostLinkError';
  }
}

/** All of `work`, or nothing of it. */
export async function atomically<T>(link: Link, begin: string, work: () => Promise<T>): Promise<T> {
  await link.run(begin);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // A connection that is gone has rolled back by itself.
    if (!(error instanceof LostLinkError)) await link.run('ROLLBACK');
    throw error;
  }
  await link.run('COMMIT');
  return result;
}

/** Thrown by nested work to have itself undone, where nothing went wrong. */
export class Undone extends Error {}

/** Within an open transaction: all of `work`, or nothing of it, and the transaction goes on either way. Not to be put into itself. */
export async function nested<T>(link: Link, work: () => Promise<T>): Promise<T> {
  await link.run('SAVEPOINT queue_one');
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (error instanceof LostLinkError) throw error;
    try {
      await link.run('ROLLBACK TO SAVEPOINT queue_one');
      await link.run('RELEASE SAVEPOINT queue_one');
    } catch (failure) {
      // After a deadlock MySQL has rolled back everything: there is no savepoint, and the deadlock is what happened.
      if (failure instanceof LostLinkError) throw failure;
      // Whoever owns the transaction has to hear that it is gone: MySQL may be told to roll all of it back when a lock is not to be had.
      throw error instanceof Undone && !isOwn(link) ? failure : error;
    }
    throw error;
  }
  await link.run('RELEASE SAVEPOINT queue_one');
  return result;
}

export function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' && message !== '' ? message : String(error);
}
