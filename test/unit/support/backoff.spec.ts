import { describe, expect, it } from '@jest/globals';
import { backoffMs } from '../../../lib/support/backoff.js';

describe('backoffMs', () => {
  const longest = () => 1;
  const shortest = () => 0;

  it('doubles with each failure up to the cap', () => {
    expect([0, 1, 2, 3, 4, 5].map((failures) => backoffMs(failures, 100, 1_000, longest))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('leaves half of it to chance', () => {
    expect(backoffMs(2, 100, 1_000, shortest)).toBe(200);
    const drawn = Array.from({ length: 200 }, () => backoffMs(2, 100, 1_000));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(200);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(400);
    expect(new Set(drawn).size).toBeGreaterThan(100);
  });

  it('stays at the cap after any number of failures', () => {
    expect(backoffMs(10_000, 100, 3_000, longest)).toBe(3_000);
  });
});
