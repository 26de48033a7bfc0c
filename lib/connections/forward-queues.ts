import type { PushEntry, QueueDriver, Settlement } from '../contracts/queue-driver.js';
import type { FittedDriver } from './fit-driver.js';
import type { QueueRoutes } from './queue-routes.js';

/** Puts forwarded names in place of those that are asked for. Costs one look at a flag where nothing is forwarded. */
export function forwardQueues(driver: FittedDriver, routes: QueueRoutes, connection: string): FittedDriver {
  const named = (queue: string): string => routes.forwarded(queue, connection);
  const all = (queues: readonly string[]): readonly string[] =>
    routes.forwards ? [...new Set(queues.map(named))] : queues;
  const entries = (given: readonly PushEntry[]): readonly PushEntry[] =>
    routes.forwards ? given.map((one) => ({ ...one, queue: named(one.queue) })) : given;
  const settlements = (given: readonly Settlement[]): readonly Settlement[] =>
    routes.forwards
      ? given.map((one) =>
          one.effects?.push ? { ...one, effects: { ...one.effects, push: entries(one.effects.push) } } : one,
        )
      : given;
  const { transactions } = driver;
  return {
    ...driver,
    push: (given) => driver.push(entries(given)),
    reserve: (request) => driver.reserve(routes.forwards ? { ...request, queues: all(request.queues) } : request),
    settle: (given) => driver.settle(settlements(given)),
    exchange: (given, request) =>
      driver.exchange(settlements(given), routes.forwards ? { ...request, queues: all(request.queues) } : request),
    // Aligned with what was asked for: two names of one queue both get its size.
    size: (queues) => driver.size(routes.forwards ? queues.map(named) : queues),
    ...(transactions && {
      transactions: {
        ...(transactions.joins && { joins: transactions.joins.bind(transactions) }),
        within: (manager: unknown): Pick<QueueDriver, 'push'> => {
          const inner = transactions.within(manager);
          return { push: (given) => inner.push(entries(given)) };
        },
      },
    }),
  };
}
