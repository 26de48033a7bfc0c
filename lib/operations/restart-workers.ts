import { randomUUID } from 'node:crypto';
import type { ConnectionManager } from '../connections/connection-manager.js';

/** Tells all workers to end after their current jobs, for their process manager to start them anew. */
export async function restartWorkers(connections: ConnectionManager): Promise<void> {
  const control = await connections.control();
  // A random mark, since workers only look for a change: two clocks need not agree.
  await control.restart(randomUUID());
}
