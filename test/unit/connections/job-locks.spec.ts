import { expect, it } from '@jest/globals';
import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import type { ConnectionManager } from '../../../lib/connections/connection-manager.js';
import { JobLocks, sendingOwner, storedOwner } from '../../../lib/connections/job-locks.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

it('gives back the lock of a job that ends in the very moment in which its dispatch learns that it is stored', async () => {
  const store = new MemoryLockStore(new FakeClock());
  const stored = storedOwner('jobs', '1');
  await store.acquire('k', sendingOwner('1'), 60_000);
  const release = store.release.bind(store);
  const asked: string[] = [];
  store.release = async (key, owner) => {
    asked.push(owner);
    const released = await release(key, owner);
    if (asked.length === 1) await store.replace(key, stored, Infinity);
    return released;
  };
  const locks = new JobLocks({} as ConnectionManager, () => {});
  await locks.release({ store, shared: false, busyBy: () => false }, 'k', 'jobs', '1');
  expect(store.holder('k')).toBeUndefined();
});
