import { deferredDriver } from '../../../lib/backends/in-process/deferred-driver.js';
import { nullDriver } from '../../../lib/backends/in-process/null-driver.js';
import { syncDriver } from '../../../lib/backends/in-process/sync-driver.js';
import { memoryBackend } from '../../../lib/backends/memory/memory-backend.js';
import { resolveConnections, type ConnectionsOptions } from '../../../lib/connections/connection-config.js';
import { ConnectionManager, type DriverLoader } from '../../../lib/connections/connection-manager.js';
import { EventHub } from '../../../lib/connections/event-hub.js';
import type { BackendContext } from '../../../lib/contracts/backend.js';
import type { PushEntry, ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { systemClock, type Clock } from '../../../lib/support/clock.js';

/** A manager over real in-process and memory backends; 'database' is a second memory store, so that both can be told apart. */
export function openManager(
  options: ConnectionsOptions = {},
  given: {
    drivers?: Readonly<Record<string, DriverLoader>>;
    run?: (job: ReservedJob) => Promise<void>;
    clock?: Clock;
  } = {},
) {
  const reports: { message: string; error: unknown }[] = [];
  const warnings: string[] = [];
  const contexts: string[] = [];
  const afterResponse: (() => Promise<void>)[] = [];
  const hub = new EventHub((message, error) => reports.push({ message, error }));
  const memory: DriverLoader = () => (made: object, context: BackendContext) => {
    contexts.push(context.connection);
    return memoryBackend(made, context);
  };
  const factories = new Map<string, DriverLoader>([
    ['sync', () => syncDriver],
    ['null', () => nullDriver],
    ['deferred', () => Promise.resolve(deferredDriver)],
    ['memory', memory],
    ['database', memory],
    ...Object.entries(given.drivers ?? {}),
  ]);
  const manager = new ConnectionManager(
    resolveConnections(options, {}),
    factories,
    () => ({
      clock: given.clock ?? systemClock,
      run: given.run ?? (() => Promise.reject(new Error('nothing runs here'))),
      afterResponse: (fn) => void afterResponse.push(fn),
      dataSource: () => undefined,
      warn: (message) => void warnings.push(message),
    }),
    hub,
  );
  return { manager, hub, reports, warnings, contexts, afterResponse };
}

let made = 0;

export function entryOf(body = '{}', more: Partial<PushEntry> = {}): PushEntry {
  made += 1;
  return {
    id: `00000000-0000-4000-8000-${String(made).padStart(12, '0')}`,
    queue: 'default',
    body,
    delayMs: 0,
    ...more,
  };
}

export function outgoing(entry: PushEntry, requestedQueue: string | null = null, delaySeconds: number | null = null) {
  return { job: { carried: entry.id }, entry, requestedQueue, delaySeconds };
}
