import type { Backend } from '../contracts/backend.js';
import type { QueueDriver } from '../contracts/queue-driver.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/**
 * A factory may answer with a whole backend or with a bare driver, which may have a `close()`.
 *
 * @throws InvalidOptionError for anything else
 */
export function asBackend(made: unknown, driver: string): Backend {
  if (typeof made !== 'object' || made === null) throw notABackend(describe(made), driver);
  if (typeof (made as Partial<QueueDriver>).push === 'function') {
    const queue = made as QueueDriver & { close?: () => unknown };
    for (const verb of ['reserve', 'settle', 'size'] as const) {
      if (typeof queue[verb] !== 'function') throw notABackend(`something without ${verb}()`, driver);
    }
    return { queue, close: async () => void (await queue.close?.()) };
  }
  if (typeof (made as Partial<Backend>).close !== 'function')
    throw notABackend('something without push() or close()', driver);
  return made as Backend;
}

function notABackend(what: string, driver: string): InvalidOptionError {
  return new InvalidOptionError(
    `The factory of the "${driver}" driver answered with ${what}. It must answer with a driver: push, reserve, settle, size and limits.`,
  );
}
