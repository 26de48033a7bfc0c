import { describe, expect, it } from '@jest/globals';
import { timeOrderedUuid } from '../../../lib/support/time-ordered-uuid.js';

describe('timeOrderedUuid', () => {
  it('is a uuid of version 7 that tells its time', () => {
    const id = timeOrderedUuid(Date.UTC(2026, 10, 22));
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(Date.UTC(2026, 10, 22));
  });

  it('sorts by time, and differs within one millisecond', () => {
    expect(timeOrderedUuid(1_000) < timeOrderedUuid(1_001)).toBe(true);
    expect(new Set(Array.from({ length: 10_000 }, () => timeOrderedUuid(5))).size).toBe(10_000);
  });

  it('sorts by the order of the calls, in one millisecond and when the clock is set back a little', () => {
    const now = Date.UTC(2030, 0, 1);
    const made = [
      ...Array.from({ length: 9_000 }, () => timeOrderedUuid(now)),
      ...Array.from({ length: 10 }, () => timeOrderedUuid(now - 5_000)),
      timeOrderedUuid(now + 1_000),
    ];
    expect([...made].sort()).toEqual(made);
  });

  it('follows a clock that was set back further', () => {
    timeOrderedUuid(Date.UTC(2040, 0, 1));
    expect(timeOrderedUuid(1_000).startsWith('00000000-03e8-7000')).toBe(true);
  });
});
