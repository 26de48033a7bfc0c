import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../../lib/support/clock.js';

describe('systemClock', () => {
  const day = 86_400_000;
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('waits longer than a timer can hold', () => {
    const fn = jest.fn();
    systemClock.after(50 * day, fn);
    jest.advanceTimersByTime(50 * day - 1);
    expect(fn).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 32])('does not take %p ms for 1 ms', (ms) => {
    const fn = jest.fn();
    systemClock.after(ms, fn);
    jest.advanceTimersByTime(ms - 1);
    expect(fn).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('never fires after an endless time', () => {
    const fn = jest.fn();
    const cancel = systemClock.after(Infinity, fn);
    jest.advanceTimersByTime(100 * day);
    expect(fn).not.toHaveBeenCalled();
    cancel();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is called off, also between two stretches of a long time', () => {
    const fn = jest.fn();
    systemClock.after(1_000, fn)();
    const cancel = systemClock.after(60 * day, fn);
    jest.advanceTimersByTime(30 * day);
    cancel();
    jest.advanceTimersByTime(60 * day);
    expect(fn).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });
});
