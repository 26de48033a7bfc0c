import type { OpenTransactions, TransactionalDataSource } from '../bus/open-transactions.js';
import type { Prepared } from '../bus/prepared.js';
import type { ResolvedConnections } from '../connections/connection-config.js';

/**
 * Listens to the application's DataSources, and to those that connections were given.
 *
 * @returns what ends that
 */
export function watchTransactions(
  transactions: Pick<OpenTransactions<Prepared>, 'attach' | 'detach'>,
  { connections }: Pick<ResolvedConnections, 'connections'>,
  dataSources: readonly unknown[],
): () => void {
  const given = [...connections.values()].flatMap(({ options, outbox }) => [options['dataSource'], outbox?.dataSource]);
  for (const one of [...dataSources, ...given]) {
    if (typeof one === 'object' && one !== null) transactions.attach(one as TransactionalDataSource);
  }
  return () => transactions.detach();
}
