import { describe, expect, it } from '@jest/globals';
import { Gatherer } from '../../../lib/support/gatherer.js';

describe('Gatherer', () => {
  it('makes one call of what one turn asks for, and answers each by its place', async () => {
    const calls: (readonly number[])[] = [];
    const doubled = new Gatherer<number, number>(async (items) => {
      calls.push(items);
      return items.map((item) => item * 2);
    });
    const first = [doubled.add(1), doubled.add(2)];
    await Promise.resolve();
    first.push(doubled.add(3));
    expect(await Promise.all(first)).toEqual([2, 4, 6]);
    expect(await doubled.add(4)).toBe(8);
    expect(calls).toEqual([[1, 2, 3], [4]]);
  });

  it('does not hold back what comes while a call is under way', async () => {
    const open: (() => void)[] = [];
    const gatherer = new Gatherer<string, string>(async (items) => {
      await new Promise<void>((resolve) => open.push(resolve));
      return items;
    });
    const first = gatherer.add('first');
    await new Promise(setImmediate);
    const second = gatherer.add('second');
    await new Promise(setImmediate);
    expect(open).toHaveLength(2);
    open[1]!();
    expect(await second).toBe('second');
    open[0]!();
    expect(await first).toBe('first');
  });

  it('gives a failure to all who asked for that call, and goes on', async () => {
    let fail = true;
    const gatherer = new Gatherer<number, number>(async (items) => {
      if (fail) throw new Error('the store is down');
      return items;
    });
    const answers = await Promise.allSettled([gatherer.add(1), gatherer.add(2)]);
    expect(answers.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    fail = false;
    expect(await gatherer.add(3)).toBe(3);
  });

  it('gives a failure on that is thrown before there is a promise', async () => {
    const gatherer = new Gatherer<number, number>(() => {
      throw new Error('at once');
    });
    await expect(gatherer.add(1)).rejects.toThrow('at once');
  });
});
