import type { ConnectionManager } from '../connections/connection-manager.js';
import { wrong } from '../connections/option-check.js';

const HOUR_MS = 3_600_000;

/** Deletes the records of failed jobs: all, or those that failed `hours` ago or earlier. Tells how many. */
export async function flushFailed(connections: ConnectionManager, hours?: number): Promise<number> {
  const before = hours === undefined ? undefined : new Date(hoursAgo(connections, hours));
  const store = await connections.failed();
  return store.prune(before);
}

/** @throws InvalidOptionError unless `hours` is a number from 0 up */
export function hoursAgo(connections: ConnectionManager, hours: number): number {
  const ms = hours * HOUR_MS;
  if (typeof hours !== 'number' || !(hours >= 0) || ms > 8.64e15)
    throw wrong('hours', hours, 'Give a number from 0 up.');
  return connections.clock.now() - ms;
}
