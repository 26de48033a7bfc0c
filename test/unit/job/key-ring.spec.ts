import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { KeyRing, type KeyOption } from '../../../lib/job/key-ring.js';

const BYTES = 'Zm9ydHktdHdvIGJ5dGVzIHdvdWxkIGJlIHRvbyBtYW4=';
const PHRASE = 'a sentence of more than thirty-two characters';

describe('KeyRing', () => {
  it('takes 32 bytes in base64, padded or not, as the bytes, and any other long text as it is', () => {
    const made = (key: string) => new KeyRing(key).subKey(new KeyRing(key).current, 'payload-enc');
    expect(made(BYTES)).toHaveLength(32);
    expect(made(BYTES.slice(0, -1))).toEqual(made(BYTES));
    expect(made(PHRASE)).toHaveLength(32);
    expect(made(PHRASE)).not.toEqual(made(BYTES));
    expect(made('k'.repeat(32))).toHaveLength(32);
    expect(made('送'.repeat(32))).toHaveLength(32);
  });

  it.each<[string, unknown, RegExp]>([
    ['a short one', 'canary-short', /the key is too short.*32 characters.*queue:key/],
    ['31 characters', 'canary-'.padEnd(31, 'x'), /too short/],
    ['an empty one', '', /too short/],
    ['white space around it', `${PHRASE} canary\n`, /white space around it/],
    ['spaces only', ' '.repeat(40), /white space/],
    ['a number', 7, /neither text nor/],
    ['null', null, /neither text nor/],
    ['no keys', { current: 'a' }, /neither text nor/],
    ['no current', { keys: { a: PHRASE } }, /neither text nor/],
    ['a current one that is not there', { current: 'b', keys: { a: PHRASE } }, /"b", which key\.keys does not have/],
    ['an inherited name', { current: 'toString', keys: { a: PHRASE } }, /does not have/],
    ['a short one in the ring', { current: 'a', keys: { a: PHRASE, b: 'canary-b' } }, /the key "b" is too short/],
    ['an id that cannot travel', { current: 'a|b', keys: { 'a|b': PHRASE } }, /"a\|b" in key\.keys is not an id/],
    ['an empty id', { current: '', keys: { '': PHRASE } }, /not an id/],
  ])('refuses %s, in one line that does not show it', (_, key, message) => {
    const attempt = (): KeyRing => new KeyRing(key as KeyOption);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/canary|\n/);
  });

  it('makes another sub-key of each key for each purpose, once', () => {
    const ring = new KeyRing({ current: 'b', keys: { a: PHRASE, b: BYTES } });
    const keys = ['a', 'b'].flatMap((id) => [ring.subKey(id, 'payload-enc')!, ring.subKey(id, 'payload-mac')!]);
    expect(new Set(keys.map((one) => one.toString('hex'))).size).toBe(4);
    expect(ring.subKey('a', 'payload-enc')).toBe(keys[0]);
    expect(keys.some((one) => one.equals(Buffer.from(BYTES, 'base64')))).toBe(false);
    expect(ring.subKey('c', 'payload-enc')).toBeUndefined();
    expect(ring.subKey('__proto__', 'payload-enc')).toBeUndefined();
  });

  it('finds a key that had no id after it has become one of several', () => {
    const alone = new KeyRing(BYTES);
    const ring = new KeyRing({ current: 'new', keys: { old: BYTES, new: PHRASE } });
    expect(ring.subKey(alone.current, 'payload-mac')).toEqual(alone.subKey(alone.current, 'payload-mac'));
    expect(ring.current).toBe('new');
    expect(new KeyRing(PHRASE).subKey(alone.current, 'payload-mac')).toBeUndefined();
  });

  it('points out placeholders by their id', () => {
    expect(new KeyRing({ current: 'a', keys: { a: PHRASE, b: 'x'.repeat(40) } }).weak).toEqual(['b']);
    expect(new KeyRing('0123'.repeat(10)).weak).toHaveLength(1);
    expect(new KeyRing(BYTES).weak).toEqual([]);
  });

  it('shows no key to whoever prints or serializes it', () => {
    const ring = new KeyRing({ current: 'a', keys: { a: PHRASE } });
    ring.subKey('a', 'payload-enc');
    const shown = inspect(ring, { depth: 10, showHidden: true }) + JSON.stringify(ring);
    expect(shown).not.toContain('sentence');
    expect(shown).not.toContain('Buffer');
  });
});
