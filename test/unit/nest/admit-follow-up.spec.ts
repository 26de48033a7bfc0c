import { expect, it } from '@jest/globals';
import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import { JobGates } from '../../../lib/bus/job-gates.js';
import type { FollowUp } from '../../../lib/completion/place-follow-up.js';
import type { JobLocks } from '../../../lib/connections/job-locks.js';
import { admitFollowUp } from '../../../lib/nest/admit-follow-up.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

it('keeps a debounced step back while it cannot take its place: it would give way to a job that ran before it', async () => {
  const clock = new FakeClock();
  const store = new MemoryLockStore(clock);
  const replace = store.replace.bind(store);
  store.replace = () => Promise.reject(new Error('the store is away'));
  const place = { store, shared: false, busyBy: () => false };
  const locks = { place: async () => place } as unknown as JobLocks;
  const gates = new JobGates(locks, clock, () => {});
  const connection = { name: 'jobs', inTime: <T>(work: Promise<T>) => work };
  const step = {
    envelope: { uuid: '1', debounce: { key: 'k', owner: '1' } },
    connection,
    outgoing: { job: {}, entry: { id: '1', queue: 'default', body: '', delayMs: 0 } },
  } as unknown as FollowUp;
  await expect(admitFollowUp(step, undefined, gates, locks)).rejects.toThrow('the store is away');
  store.replace = replace;
  expect((await admitFollowUp(step, undefined, gates, locks))?.outgoing).toBe(step.outgoing);
  expect(store.holder('k')).toBe('1');
});
