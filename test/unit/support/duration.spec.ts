import { describe, expect, it } from '@jest/globals';
import { delayMs, durationMs, momentMs } from '../../../lib/support/duration.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const now = Date.UTC(2030, 0, 1);
/** What can be neither a duration nor a moment. */
const impossible: readonly unknown[] = [
  NaN,
  Infinity,
  -Infinity,
  1e20,
  '',
  '5',
  '5 parsecs',
  '-5s',
  '1h30m',
  '1e3s',
  's',
  '٣s',
  null,
  undefined,
  true,
  {},
  [],
  5n,
];

describe('durations', () => {
  it.each([
    [0, 0],
    [5, 5_000],
    [0.25, 250],
    [0.0004, 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['1.5h', 5_400_000],
    [' 10 s ', 10_000],
    ['50d', 4_320_000_000],
  ])('%p is %p ms', (value, ms) => {
    expect(durationMs(value, 'delay')).toBe(ms);
  });

  it.each([...impossible, -1, -0.5, new Date(now)])('%p is refused, naming the field', (value) => {
    const attempt = () => durationMs(value as number, 'backoff[1]');
    expect(attempt).toThrow(InvalidOptionError);
    expect(attempt).toThrow(/backoff\[1\] is .+ Use seconds/);
  });
});

describe('delays', () => {
  it.each([
    [10, 10_000],
    ['10m', 600_000],
    [new Date(now + 1_234), 1_234],
    ['50d', 50 * 86_400_000],
  ])('%p is %p ms from now', (value, ms) => {
    expect(delayMs(value, 'delay', now)).toBe(ms);
  });

  it.each([-5, -0.001, new Date(now - 1), new Date(0), new Date(now)])('%p is past and means now', (value) => {
    expect(delayMs(value, 'delay', now)).toBe(0);
  });

  it.each([...impossible, new Date(NaN)])('%p is refused, naming the field', (value) => {
    const attempt = () => delayMs(value as number, 'delay', now);
    expect(attempt).toThrow(InvalidOptionError);
    expect(attempt).toThrow(/^delay is /);
  });
});

describe('moments', () => {
  it('counts a duration from now and takes a Date as it is', () => {
    expect(momentMs('1m', 'retryUntil', now)).toBe(now + 60_000);
    expect(momentMs(new Date(5), 'retryUntil', now)).toBe(5);
  });

  it.each([...impossible, new Date(NaN), -1])('%p is refused', (value) => {
    expect(() => momentMs(value as number, 'retryUntil', now)).toThrow(InvalidOptionError);
  });
});
