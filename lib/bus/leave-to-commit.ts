import type { Outbox } from '../connections/outbox.js';
import type { PushResult } from '../contracts/queue-driver.js';
import type { OpenTransaction, OpenTransactions } from './open-transactions.js';
import type { Prepared } from './prepare-dispatch.js';

const STORED: PushResult = { stored: true };

/**
 * Leaves jobs to the commit of the open transaction. Those of a connection with an outbox are written to it, where one of the open
 * transactions is on its database; the others wait in the memory of this process. Answers are aligned with what was given.
 */
export async function leaveToCommit(
  given: readonly Prepared[],
  open: OpenTransaction<Prepared>,
  transactions: OpenTransactions<Prepared>,
): Promise<readonly PushResult[]> {
  const results: PushResult[] = [];
  const byOutbox = new Map<Outbox, number[]>();
  given.forEach((one, index) => {
    const { outbox } = one.connection;
    const error = one.connection.refusal(one.outgoing);
    if (error) {
      results[index] = { stored: false, reason: 'error', error };
    } else if (outbox) {
      const indexes = byOutbox.get(outbox);
      if (indexes) indexes.push(index);
      else byOutbox.set(outbox, [index]);
    } else {
      open.onCommit(one);
      results[index] = STORED;
    }
  });
  await Promise.all(
    [...byOutbox].map(async ([outbox, indexes]) => {
      const some = indexes.map((index) => given[index]!);
      const answers = await writeOut(outbox, some, open, transactions).catch((error: unknown) =>
        some.map((): PushResult => ({ stored: false, reason: 'error', error })),
      );
      indexes.forEach((index, at) => (results[index] = answers[at]!));
    }),
  );
  return results;
}

/** What is written is part of its transaction whether its caller awaits it or not: until then neither that one ends nor this one. */
async function writeOut(
  outbox: Outbox,
  some: readonly Prepared[],
  open: OpenTransaction<Prepared>,
  transactions: OpenTransactions<Prepared>,
): Promise<readonly PushResult[]> {
  const choose = async (): Promise<{ readonly written: Promise<readonly PushResult[]> }> => {
    const its = transactions.find(await outbox.covering());
    if (its) return { written: its.hold(written(outbox, some, its.manager, its)) };
    for (const one of some) open.onCommit(one);
    return { written: Promise.resolve(some.map(() => STORED)) };
  };
  const { written: writing } = await open.hold(choose());
  return writing;
}

/**
 * Writes jobs to an outbox in the transaction of a manager. They are known as queued when that commits.
 *
 * @param its that transaction, where it is known; else they are queued at once
 */
export async function written(
  outbox: Outbox,
  some: readonly Prepared[],
  manager: unknown,
  its: OpenTransaction<Prepared> | undefined,
): Promise<readonly PushResult[]> {
  const results = await outbox.write(
    manager,
    some.map(({ outgoing }) => outgoing),
  );
  const stored = some.filter((_, index) => results[index]!.stored);
  if (its) for (const one of stored) its.onCommit({ ...one, written: true });
  else if (stored.length > 0) outbox.committed(stored.map(({ outgoing }) => outgoing));
  return results;
}

/** The transaction has committed: those of these that are in an outbox are queued now. */
export function tellWritten(all: readonly Prepared[]): void {
  const byOutbox = new Map<Outbox, Prepared['outgoing'][]>();
  for (const { written: isWritten, connection, outgoing } of all) {
    const { outbox } = connection;
    if (!isWritten || !outbox) continue;
    const some = byOutbox.get(outbox);
    if (some) some.push(outgoing);
    else byOutbox.set(outbox, [outgoing]);
  }
  for (const [outbox, some] of byOutbox) outbox.committed(some);
}
