import { getEventListeners } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { onAbort, pause } from '../../../lib/support/abort.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

describe('onAbort', () => {
  it('calls at the abort, at once where it has happened, and not when taken off', () => {
    const fn = jest.fn();
    const abort = new AbortController();
    onAbort(abort.signal, fn);
    onAbort(abort.signal, fn)();
    abort.abort();
    expect(fn).toHaveBeenCalledTimes(1);
    onAbort(abort.signal, fn);
    expect(fn).toHaveBeenCalledTimes(2);
  });
});

describe('pause', () => {
  it('tells whether its time ran out, and leaves no listener and no timer behind', async () => {
    const clock = new FakeClock(0);
    const abort = new AbortController();
    const whole = pause(1_000, abort.signal, clock);
    await clock.advance(1);
    expect(await whole).toBe(true);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
    const cut = pause(1_000, abort.signal, clock);
    abort.abort();
    expect(await cut).toBe(false);
    expect(await pause(1_000, abort.signal, clock)).toBe(false);
  });
});
