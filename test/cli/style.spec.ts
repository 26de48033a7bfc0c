import { describe, expect, it } from '@jest/globals';
import { clean, cleanJson, columnsOf, cut, mayColour } from '../../lib/cli/style.js';
import { withoutSecrets } from '../../lib/support/without-secrets.js';

const ESC = '\u001b';

describe('text from a store on a terminal', () => {
  it('loses escape sequences and control characters', () => {
    expect(clean(`${ESC}[31mred${ESC}[0m${ESC}]0;title\u0007 job\u0000\u0008\u009b`)).toBe('red job');
  });

  it('cannot begin a line of its own', () => {
    expect(clean('job\r\n2026-01-01 Other DONE\u2028x\ty')).toBe(String.raw`job\r\n2026-01-01 Other DONEx\ty`);
  });

  it('cannot turn the direction of writing around', () => {
    expect(clean('safe\u202egnp.exe\u200b')).toBe('safegnp.exe');
  });

  it('keeps letters of every script', () => {
    expect(clean('Überweisung 送信')).toBe('Überweisung 送信');
  });

  it('is told in JSON by escapes that read as the same text', () => {
    const name = `safe\u202egnp.exe\u009b31m ${ESC}[31m\u2028\u{e0041} 送信`;
    const written = cleanJson(JSON.stringify({ name }));
    expect(written).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(written).toContain('送信');
    expect(JSON.parse(written)).toEqual({ name });
  });

  it('never shows a password of a URL', () => {
    expect(withoutSecrets('connect redis://:s3cret@host:6379/0 and postgres://me:pa55@db/x')).toBe(
      'connect redis://:***@host:6379/0 and postgres://me:***@db/x',
    );
    expect(withoutSecrets('redis://localhost:6379')).toBe('redis://localhost:6379');
  });
});

describe('width', () => {
  it('counts what a terminal shows', () => {
    expect([columnsOf('abc'), columnsOf('送信'), columnsOf('e\u0301')]).toEqual([3, 4, 1]);
  });

  it('cuts with an ellipsis, never in the middle of a wide character', () => {
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('送信する', 4)).toBe('送…');
    expect(cut('abcd', 4)).toBe('abcd');
  });
});

describe('colours', () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { TERM: 'dumb' }, false],
  ])('terminal %p with %p: %p', (terminal, env, expected) => {
    expect(mayColour(terminal, env)).toBe(expected);
  });
});
