import { describe, expect, it } from '@jest/globals';
import { screenOf } from './screen.js';

describe('the screen of a recording', () => {
  it.each([
    ['lines', 'one\r\ntwo\r\n', 'one\ntwo'],
    ['colours', '\u001b[31mred\u001b[39m and \u001b[1mbold\u001b[22m', 'red and bold'],
    ['a line drawn anew', '10%\r\u001b[K 20%\r\u001b[Kdone\r\n', 'done'],
    [
      'a table drawn anew below what is said meanwhile',
      'a 1\r\nb 1\r\n\r\u001b[2A\u001b[Jsaid\r\na 2\r\nb 2\r\n',
      'said\na 2\nb 2',
    ],
    ['what is left of a longer line', 'longer\rsho', 'shoger'],
  ])('%s', (_case, written, shown) => expect(screenOf(written)).toBe(shown));
});
