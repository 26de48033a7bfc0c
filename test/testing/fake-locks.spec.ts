import { describe, expect, it } from '@jest/globals';
import { MemoryLockStore } from '../../lib/backends/memory/memory-lock-store.js';
import { systemClock } from '../../lib/support/clock.js';
import { RecordingLocks } from '../../lib/testing/recording-locks.js';

describe('the locks beside a queue that is faked in part', () => {
  it('are kept by the fake for jobs that are faked, and else where they really are', async () => {
    const [fake, real] = [new MemoryLockStore(systemClock), new MemoryLockStore(systemClock)];
    const locks = new RecordingLocks(fake, real, (key) => key.startsWith('faked'));
    expect(await locks.acquire('faked', 'a', 1_000)).toBe(true);
    expect(await locks.acquire('true', 'b', 1_000)).toBe(true);
    expect([fake.holder('faked'), fake.holder('true')]).toEqual(['a', undefined]);
    expect([real.holder('faked'), real.holder('true')]).toEqual([undefined, 'b']);
    expect([await locks.owner('faked'), await locks.owner('true')]).toEqual(['a', 'b']);
    const both = ['true', 'faked', 'true'].map((key) => ({ key, owner: 'b', ttlMs: 1_000 }));
    expect(await locks.extend(both)).toEqual([true, false, true]);
    expect(await locks.replace('faked', 'c', 1_000)).toBe('a');
    expect(await locks.replace('true', 'c', 1_000)).toBe('b');
    expect([fake.holder('faked'), real.holder('true')]).toEqual(['c', 'c']);
    expect(await locks.release('true', 'b')).toBe(false);
    expect(await locks.release('true', 'c')).toBe(true);
    await locks.forceRelease('faked');
    expect([fake.holder('faked'), real.holder('true')]).toEqual([undefined, undefined]);
  });
});
