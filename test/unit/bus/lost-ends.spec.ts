import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LostEnds } from '../../../lib/bus/lost-ends.js';

describe('transactions whose end does not come', () => {
  let ends: LostEnds;
  let open: boolean;
  let gone: boolean;
  let lost: string[];
  const runner = {};
  const watch = (which: string): void =>
    ends.watch(
      runner,
      () => open,
      () => gone,
      () => lost.push(which),
    );

  beforeEach(() => {
    jest.useFakeTimers();
    ends = new LostEnds();
    [open, gone, lost] = [true, false, []];
  });
  afterEach(() => {
    ends.close();
    jest.useRealTimers();
  });

  it('are told of once their connection is gone, by what was tried first', () => {
    watch('commit');
    watch('rollback');
    jest.advanceTimersByTime(1_000);
    expect(lost).toEqual([]);
    gone = true;
    jest.advanceTimersByTime(60_000);
    expect(lost).toEqual(['commit']);
    watch('the next one');
    jest.advanceTimersByTime(1_000);
    expect(lost).toEqual(['commit', 'the next one']);
  });

  it.each([
    ['has come', () => (open = false)],
    ['was told of', () => ends.ended(runner)],
    ['is of no interest any more', () => ends.close()],
  ])('are not told of where the end %s', (_how, come) => {
    watch('commit');
    come();
    gone = true;
    jest.advanceTimersByTime(60_000);
    expect(lost).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('are given up after a minute where the connection is kept', () => {
    watch('commit');
    jest.advanceTimersByTime(61_000);
    expect([lost, jest.getTimerCount()]).toEqual([[], 0]);
  });
});
