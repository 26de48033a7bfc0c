import type { Backend, BackendContext } from '../../contracts/backend.js';
import type { EffectKind } from '../../contracts/queue-driver.js';
import { MemoryDriver } from './memory-driver.js';
import { MemoryStore } from './memory-store.js';

export interface MemoryOptions {
  /** A store to share with other connections of this process. Default: one of its own. */
  readonly store?: MemoryStore;
}

const atomic: ReadonlySet<EffectKind> = new Set(['push', 'unlock', 'member', 'failure']);

/** Everything in this process's memory, for tests and one-process apps. What is stored is lost with the process. */
export function memoryBackend(options: MemoryOptions, context: BackendContext): Backend {
  const store = options.store ?? new MemoryStore(context.clock);
  const queue = new MemoryDriver(store, context.connection);
  const { locks, limits, failed, batches, control } = store;
  return { queue, locks, limits, failed, batches, control, atomic, close: async () => queue.close() };
}
