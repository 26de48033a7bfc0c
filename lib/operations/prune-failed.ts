import type { ConnectionManager } from '../connections/connection-manager.js';
import { hoursAgo } from './flush-failed.js';

/** Deletes the records of jobs that failed more than `hours` ago. Default 24. Tells how many. */
export async function pruneFailed(connections: ConnectionManager, hours = 24): Promise<number> {
  // The store counts the moment itself in; "more than" leaves it out, and records are kept to the millisecond.
  const before = new Date(hoursAgo(connections, hours) - 1);
  const store = await connections.failed();
  return store.prune(before);
}
