import { describe, expect, it } from '@jest/globals';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

describe('FakeClock', () => {
  it('stands where it was put, or at the real time', () => {
    expect(new FakeClock(5).now()).toBe(5);
    expect(new FakeClock(new Date(7)).now()).toBe(7);
    expect(Math.abs(new FakeClock().now() - Date.now())).toBeLessThan(1_000);
  });

  it('moves by seconds or by text', async () => {
    const clock = new FakeClock(0);
    await clock.advance(600);
    await clock.advance('250ms');
    expect(clock.now()).toBe(600_250);
    expect(() => clock.advance(-1)).toThrow(InvalidOptionError);
    expect(() => clock.advance('soon')).toThrow(InvalidOptionError);
    expect(() => new FakeClock(Number.NaN)).toThrow('new FakeClock() was given NaN, which is no moment.');
    expect(() => new FakeClock(new Date('soon'))).toThrow(InvalidOptionError);
    expect(() => clock.advanceTo(new Date('soon'))).toThrow('advanceTo() was given Date, which is no moment.');
  });

  it('stops at every timer that falls due, in order of time and then of setting', async () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.now()}`);
    clock.after(300, note('c'));
    clock.after(100, note('a'));
    clock.after(300, note('d'));
    clock.after(200, note('b'));
    clock.after(1_001, note('later'));
    await clock.advance(1);
    expect(fired).toEqual(['a@100', 'b@200', 'c@300', 'd@300']);
    expect(clock.now()).toBe(1_000);
    await clock.advance('1ms');
    expect(fired.at(-1)).toBe('later@1001');
  });

  it('lets what a timer sets off run before it moves on, timers of its own included', async () => {
    const clock = new FakeClock(0);
    const ticks: number[] = [];
    const tick = (): void => {
      clock.after(100, () => {
        void Promise.resolve()
          .then(() => new Promise(setImmediate))
          .then(() => {
            ticks.push(clock.now());
            tick();
          });
      });
    };
    tick();
    await clock.advance(0.55);
    expect(ticks).toEqual([100, 200, 300, 400, 500]);
  });

  it('does not fire what was called off', async () => {
    const clock = new FakeClock(0);
    let fired = false;
    clock.after(100, () => (fired = true))();
    const cancel = clock.after(0, () => (fired = true));
    cancel();
    cancel();
    await clock.advance(10);
    expect(fired).toBe(false);
  });

  it('does not hold back what takes no time', async () => {
    const clock = new FakeClock(0);
    await new Promise<void>((resolve) => void clock.after(0, resolve));
    expect(clock.now()).toBe(0);
  });

  it('makes one move after the other', async () => {
    const clock = new FakeClock(0);
    const seen: number[] = [];
    for (const ms of [500, 1_500]) clock.after(ms, () => seen.push(clock.now()));
    await Promise.all([clock.advance(1), clock.advance(1)]);
    expect(clock.now()).toBe(2_000);
    expect(seen).toEqual([500, 1_500]);
  });
});
