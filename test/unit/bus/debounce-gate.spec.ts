import { describe, expect, it } from '@jest/globals';
import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import { DebounceGate } from '../../../lib/bus/debounce-gate.js';
import type { Prepared } from '../../../lib/bus/prepared.js';
import type { JobLocks } from '../../../lib/connections/job-locks.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

const debounce = { key: 'k', delayMs: 1_000 };

/** A store whose answers to `replace` come, and take effect, in an order of the test's own. */
class Overtaking extends MemoryLockStore {
  readonly #slow = new Map<string, Promise<void>>();
  delay(owner: string, until: Promise<void>): void {
    this.#slow.set(owner, until);
  }
  override async replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    const slow = this.#slow.get(owner);
    this.#slow.delete(owner);
    await slow;
    return super.replace(key, owner, ttlMs);
  }
}

function open() {
  const clock = new FakeClock();
  const store = new Overtaking(clock);
  const place = { store, shared: false, busyBy: () => false };
  const gate = new DebounceGate({ place: async () => place } as unknown as JobLocks, clock, () => {});
  const connection = { name: 'jobs', inTime: <T>(work: Promise<T>) => work };
  const prepared = (id: string): Prepared =>
    ({ connection, receipt: { id }, outgoing: { job: {}, entry: { id, delayMs: 1_000 } } }) as unknown as Prepared;
  return { gate, store, prepared };
}

describe('DebounceGate', () => {
  it('leaves the place to the one that came last, in whatever order the store takes them', async () => {
    const { gate, store, prepared } = open();
    const all = ['1', '2', '3'].map(prepared);
    for (const one of all) await gate.enter(one, debounce);
    for (const order of [
      [2, 1, 0],
      [2, 0, 1],
      [1, 2, 0],
      [0, 2, 1],
    ]) {
      await store.forceRelease('k');
      for (const index of order) await gate.stored(all[index]!, debounce);
      expect(store.holder('k')).toBe('3');
    }
  });

  it('does so where they are on their way at a time', async () => {
    const { gate, store, prepared } = open();
    const [first, last] = [prepared('1'), prepared('2')];
    let go!: () => void;
    store.delay('1', new Promise((resolve) => (go = resolve)));
    await gate.enter(first, debounce);
    await gate.enter(last, debounce);
    const storing = gate.stored(first, debounce);
    await gate.stored(last, debounce);
    go();
    await storing;
    expect(store.holder('k')).toBe('2');
  });

  it('takes the place of one that another process sent, whatever its id: that one may have run', async () => {
    const { gate, store, prepared } = open();
    await gate.enter(prepared('1'), debounce);
    await store.replace('k', '9', 60_000);
    await gate.stored(prepared('1'), debounce);
    expect(store.holder('k')).toBe('1');
  });
});
