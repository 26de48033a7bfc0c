import { describe, expect, it } from '@jest/globals';
import { chunks } from '../../../lib/support/chunks.js';

describe('chunks', () => {
  it.each([
    [[], 3, []],
    [[1, 2], 3, [[1, 2]]],
    [[1, 2, 3], 3, [[1, 2, 3]]],
    [[1, 2, 3, 4], 3, [[1, 2, 3], [4]]],
    [[1, 2, 3], 1, [[1], [2], [3]]],
    [[1, 2, 3], Infinity, [[1, 2, 3]]],
  ])('%p by %p', (items, size, groups) => {
    expect(chunks(items as number[], size)).toEqual(groups);
  });

  it('does not copy what fits', () => {
    const items = [1, 2, 3];
    expect(chunks(items, 3)[0]).toBe(items);
  });
});
