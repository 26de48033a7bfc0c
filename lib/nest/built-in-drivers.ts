import type { DriverLoader } from '../connections/connection-manager.js';

/** The drivers of this package. Loaded when a connection first uses them, so that their packages are needed only then. */
export const BUILT_IN_DRIVERS: ReadonlyMap<string, DriverLoader> = new Map<string, DriverLoader>([
  ['sync', async () => (await import('../backends/in-process/sync-driver.js')).syncDriver],
  ['deferred', async () => (await import('../backends/in-process/deferred-driver.js')).deferredDriver],
  ['null', async () => (await import('../backends/in-process/null-driver.js')).nullDriver],
  ['memory', async () => (await import('../backends/memory/memory-backend.js')).memoryBackend],
  ['database', async () => (await import('../backends/database/database-backend.js')).databaseBackend],
  ['redis', async () => (await import('../backends/redis/redis-backend.js')).redisBackend],
  ['file', async () => (await import('../backends/file/file-backend.js')).fileBackend],
]);
