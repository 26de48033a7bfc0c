import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { failingError, failingOf, readMemo, writeMemo } from '../../../lib/worker/attempt-memo.js';

describe('the memo of an attempt', () => {
  it('comes back as it was written', () => {
    const memo = { exceptions: 2, unknown: 1, failing: failingOf(new RangeError('far'), true) };
    expect(readMemo(writeMemo(memo))).toEqual(memo);
  });

  it.each([undefined, '', '{', 'null', '7', '"text"', '[]', '{"exceptions":"many","unknown":-1,"failing":{"name":1}}'])(
    'is empty where it cannot be read: %p',
    (text) => {
      expect(readMemo(text)).toEqual({});
    },
  );

  it('never throws, whatever stands there', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => expect(typeof readMemo(text)).toBe('object')));
  });

  it('keeps the name, message and stack of an error, cut to what a memo can carry', () => {
    const error = new RangeError('x'.repeat(1_000_000));
    const failing = failingOf(error, false);
    expect(JSON.stringify(failing).length).toBeLessThan(20_000);
    const back = failingError(failing);
    expect(back.name).toBe('RangeError');
    expect(error.message.startsWith(back.message)).toBe(true);
    expect(error.stack!.startsWith(back.stack!)).toBe(true);
    expect(failing).not.toHaveProperty('unsaid');
  });

  it('takes an error whose properties throw', () => {
    const error = new Proxy(new Error('hidden'), {
      get() {
        throw new Error('no look');
      },
    });
    expect(failingOf(error, false)).toEqual({ name: 'Error', message: '', stack: '' });
  });
});
