import { randomUUID } from 'node:crypto';
import type { LockStore } from '../contracts/lock-store.js';

/** So long after a tick it is known who had it. Work that has to be done once whatever happens is not done like this. */
const KNOWN_MS = 3_600_000;

/** This process, to all others. */
const owner = randomUUID();

/** Does something at a tick in whichever process comes first; who has failed at it may try again. */
export function oncePerTick(
  name: string,
  locks: () => Promise<LockStore>,
  work: () => Promise<unknown>,
): (plannedAt: number) => Promise<void> {
  return async (plannedAt) => {
    const store = await locks();
    const key = `schedule:${name}:${new Date(plannedAt).toISOString()}`;
    if (await store.acquire(key, owner, KNOWN_MS)) await work();
  };
}
