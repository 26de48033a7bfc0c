import { describe, expect, it } from '@jest/globals';
import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import { UniqueGate } from '../../../lib/bus/unique-gate.js';
import type { Prepared } from '../../../lib/bus/prepare-dispatch.js';
import { jobOf, storedOwner, type JobLocks } from '../../../lib/connections/job-locks.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

const unique = { key: 'k', until: 'end' as const, ttlMs: 3_600_000 };

function gate(storeless?: true) {
  const clock = new FakeClock();
  const store = new MemoryLockStore(clock);
  const ends = new Map<string, () => Promise<void>>();
  const reported: unknown[] = [];
  const place = { store, shared: false, busyBy: () => false };
  const locks = {
    place: async () => place,
    freeDead: async () => false,
    runs: (id: string, end: () => Promise<void>) => void ends.set(id, end),
    ran: async (id: string) => ends.get(id)?.(),
  } as unknown as JobLocks;
  const connection = { name: 'jobs', queue: async () => ({ storeless }), inTime: <T>(work: Promise<T>) => work };
  const prepared = (id: string): Prepared =>
    ({ connection, receipt: { id }, outgoing: { job: {}, entry: { id } } }) as unknown as Prepared;
  return {
    clock,
    store,
    ends,
    reported,
    prepared,
    gate: new UniqueGate(locks, clock, (_, error) => reported.push(error)),
  };
}

describe('UniqueGate, with locks in a store of their own', () => {
  it('has a lock for a minute, and for its time once the job is stored', async () => {
    const { gate: at, clock, store, prepared } = gate();
    const entered = (await at.enter(prepared('1'), unique))!;
    expect(store.holder('k')).toBe('sending:1');
    expect(await at.enter(prepared('2'), unique)).toBeUndefined();
    await clock.advance(59);
    expect(store.holder('k')).toBe('sending:1');
    await at.stored(entered, entered.claim!);
    expect(store.holder('k')).toBe('stored:jobs:1');
    await clock.advance(3_599);
    expect(store.holder('k')).toBe('stored:jobs:1');
    await clock.advance(1);
    expect(store.holder('k')).toBeUndefined();
  });

  it('ends a minute after a dispatch that nobody finishes', async () => {
    const { gate: at, clock, prepared } = gate();
    await at.enter(prepared('1'), unique);
    await clock.advance(60);
    expect(await at.enter(prepared('2'), unique)).toBeDefined();
  });

  it('is given back where nothing was stored, and kept where that is not known', async () => {
    const { gate: at, store, prepared } = gate();
    const entered = (await at.enter(prepared('1'), unique))!;
    await at.dropped(entered, entered.claim!, Object.assign(new Error('late'), { outcome: 'unknown' }));
    expect(store.holder('k')).toBe('sending:1');
    await at.dropped(entered, entered.claim!, new Error('refused'));
    expect(store.holder('k')).toBeUndefined();
  });

  it('leaves no lock where the job has ended before its dispatch', async () => {
    const { gate: at, store, prepared } = gate();
    const entered = (await at.enter(prepared('1'), unique))!;
    store.free('k', 'sending:1');
    await at.stored(entered, entered.claim!);
    expect(store.holder('k')).toBeUndefined();
  });

  it('gives it back to whoever took it in that moment', async () => {
    const { gate: at, store, prepared } = gate();
    const entered = (await at.enter(prepared('1'), unique))!;
    store.free('k', 'sending:1');
    await at.enter(prepared('2'), unique);
    await at.stored(entered, entered.claim!);
    expect(store.holder('k')).toBe('sending:2');
  });

  it('gives it back for no longer than its kind has it, where that one’s job is stored by now', async () => {
    const { gate: at, clock, store, prepared } = gate();
    const entered = (await at.enter(prepared('1'), unique))!;
    await store.replace('k', 'stored:jobs:2', unique.ttlMs);
    await at.stored(entered, entered.claim!);
    expect(store.holder('k')).toBe('stored:jobs:2');
    await clock.advance(3_600);
    expect(store.holder('k')).toBeUndefined();
  });

  it('counts on a lock after a long transaction only where it still has it', async () => {
    const { gate: at, clock, store, prepared } = gate();
    const first = (await at.enter(prepared('1'), unique))!;
    await clock.advance(59);
    expect(await at.committing(first, first.claim!)).toBe(first);
    await clock.advance(59);
    expect(store.holder('k')).toBe('sending:1');
    await clock.advance(61);
    await at.enter(prepared('2'), unique);
    expect(await at.committing(first, first.claim!)).toBeUndefined();
  });

  it('keeps the lock of a job that runs in this process, and not past its time', async () => {
    const { gate: at, clock, store, ends, prepared } = gate(true);
    await at.enter(prepared('1'), { ...unique, ttlMs: 200_000 });
    for (let n = 0; n < 19; n += 1) {
      await clock.advance(10);
      expect(store.holder('k')).toBe('sending:1');
    }
    await clock.advance(11);
    expect(store.holder('k')).toBeUndefined();
    await at.enter(prepared('2'), unique);
    await clock.advance(300);
    expect(store.holder('k')).toBe('sending:2');
    await ends.get('2')!();
    expect(store.holder('k')).toBeUndefined();
    await clock.advance(300);
    expect(store.holder('k')).toBeUndefined();
  });
});

describe('the owner of a stored job’s lock', () => {
  it('tells the job, whatever its connection is called', () => {
    const of = (connection: string) => jobOf(storedOwner(connection, 'the-id'));
    expect(of('redis')).toEqual({ connection: 'redis', id: 'the-id' });
    expect(of('a:b:')).toEqual({ connection: 'a:b:', id: 'the-id' });
    expect(jobOf('sending:1')).toBeUndefined();
    expect(jobOf('1')).toBeUndefined();
    expect(jobOf('stored:')).toBeUndefined();
  });
});
