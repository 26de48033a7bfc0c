import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Doorbell, takeOrWait } from '../../../lib/support/take-or-wait.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

function setUp(over: { waitMs?: number; pollMs?: number } = {}) {
  const clock = new FakeClock(0);
  const bell = new Doorbell();
  const abort = new AbortController();
  const store: string[] = [];
  let looks = 0;
  const answer = (): Promise<readonly string[]> =>
    takeOrWait({
      take: () => {
        looks++;
        return store.splice(0);
      },
      bell,
      pollMs: () => over.pollMs ?? Infinity,
      waitMs: over.waitMs ?? 10_000,
      signal: abort.signal,
      clock,
    });
  return { clock, bell, abort, store, answer, looks: () => looks };
}

describe('takeOrWait', () => {
  it('answers at once with what is there', async () => {
    const { store, answer, looks } = setUp();
    store.push('job');
    expect(await answer()).toEqual(['job']);
    expect(looks()).toBe(1);
  });

  it('does not wait without a time to wait', async () => {
    expect(await setUp({ waitMs: 0 }).answer()).toEqual([]);
  });

  it('is woken by a ring', async () => {
    const { store, bell, answer } = setUp();
    const waiting = answer();
    await new Promise(setImmediate);
    store.push('job');
    bell.ring();
    expect(await waiting).toEqual(['job']);
  });

  it('goes on waiting when a ring was for nothing', async () => {
    const { clock, bell, answer, looks } = setUp({ waitMs: 1_000 });
    const waiting = answer();
    for (let ring = 0; ring < 3; ring++) {
      await new Promise(setImmediate);
      bell.ring();
    }
    await clock.advance(1);
    expect(await waiting).toEqual([]);
    expect(looks()).toBe(5);
  });

  it('hears a ring between the look and the wait', async () => {
    const { bell, clock, abort } = setUp();
    const store: string[] = [];
    const waiting = takeOrWait({
      take: async () => {
        const found = store.splice(0);
        if (found.length === 0) {
          // The job comes after this look has read, and before its answer is in.
          store.push('job');
          bell.ring();
          await new Promise(setImmediate);
        }
        return found;
      },
      bell,
      pollMs: () => Infinity,
      waitMs: 60_000,
      signal: abort.signal,
      clock,
    });
    expect(await waiting).toEqual(['job']);
  });

  it('looks again at each poll, and for the last time when the time is over', async () => {
    const { clock, answer, looks } = setUp({ waitMs: 1_000, pollMs: 300 });
    const waiting = answer();
    await clock.advance(0.95);
    expect(looks()).toBe(4);
    await clock.advance(0.05);
    expect(await waiting).toEqual([]);
    expect(looks()).toBe(5);
  });

  it('finds by polling what nobody rang for', async () => {
    const { clock, store, answer } = setUp({ pollMs: 300 });
    const waiting = answer();
    await new Promise(setImmediate);
    store.push('job');
    await clock.advance(0.3);
    expect(await waiting).toEqual(['job']);
  });

  it('ends at an abort without looking again, and leaves nothing behind', async () => {
    const { abort, bell, store, answer, looks } = setUp();
    const waiting = answer();
    await new Promise(setImmediate);
    store.push('job');
    abort.abort();
    bell.ring();
    expect(await waiting).toEqual([]);
    expect(store).toEqual(['job']);
    expect(looks()).toBe(1);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });

  it('still answers with what a look had in hand when the abort came', async () => {
    const { abort, bell, clock } = setUp();
    const answer = takeOrWait({
      take: async () => {
        await new Promise(setImmediate);
        abort.abort();
        return ['job'];
      },
      bell,
      pollMs: () => Infinity,
      waitMs: 60_000,
      signal: abort.signal,
      clock,
    });
    expect(await answer).toEqual(['job']);
  });

  it('passes a failing look on and stops listening', async () => {
    const { abort, bell, clock } = setUp();
    const answer = takeOrWait({
      take: () => Promise.reject(new Error('the store is down')),
      bell,
      pollMs: () => Infinity,
      waitMs: 60_000,
      signal: abort.signal,
      clock,
    });
    await expect(answer).rejects.toThrow('the store is down');
    expect(() => bell.ring()).not.toThrow();
  });
});

describe('Doorbell', () => {
  it('wakes everyone who listens, and keeps no ring for who comes later', async () => {
    const bell = new Doorbell();
    bell.ring();
    const woken: string[] = [];
    const listen = (name: string) => {
      const listening = bell.next();
      void listening.rung.then(() => woken.push(name));
      return listening;
    };
    listen('a');
    listen('b');
    const c = listen('c');
    await new Promise(setImmediate);
    expect(woken).toEqual([]);
    c.off();
    bell.ring();
    bell.ring();
    await new Promise(setImmediate);
    expect(woken).toEqual(['a', 'b']);
  });
});
