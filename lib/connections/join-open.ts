import type { QueueDriver } from '../contracts/queue-driver.js';

/** The caller's transaction, to a store that may join it. */
export interface JoinableTransaction {
  /** Its EntityManager. */
  readonly manager: unknown;
  /** Keeps it from ending before `work` has settled, awaited by the caller or not. */
  hold<T>(work: Promise<T>): Promise<T>;
}

/**
 * Pushes through the open transaction where the store joins it, else beside it. One that joins is part of the transaction whether its
 * caller awaits it or not: until it is stored the transaction does not end. Others hold nobody up.
 */
export async function joinOpen<D extends QueueDriver, R>(
  open: JoinableTransaction,
  driverOf: () => D | Promise<D>,
  push: (driver: D, to: Pick<QueueDriver, 'push'>) => Promise<R>,
): Promise<R> {
  const choose = async (): Promise<{ sent: Promise<R> }> => {
    const driver = await driverOf();
    const { transactions } = driver;
    if (!transactions?.joins?.(open.manager)) return { sent: push(driver, driver) };
    return { sent: open.hold(push(driver, transactions.within(open.manager))) };
  };
  // Held from the start: the store may still have to be opened, and the transaction could be over by then.
  const { sent } = await open.hold(choose());
  return sent;
}
