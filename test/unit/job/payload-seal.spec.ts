import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { KeyRing } from '../../../lib/job/key-ring.js';
import { DecryptionError, openText, sealText } from '../../../lib/job/payload-seal.js';

const OLD = 'an old key of more than thirty-two characters';
const NEW = 'a new key of more than thirty-two characters!';
const ring = new KeyRing({ current: 'new', keys: { old: OLD, new: NEW } });
const job = { uuid: '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11', name: 'billing.invoice' };
const PLAIN = JSON.stringify({ card: '4111 1111', note: '送信 ☕', lone: '\ud800' });

const open = (sealed: string, of = job, by: KeyRing | undefined = ring): string => openText(sealed, of, by, 'Invoice');
const thrownBy = (fn: () => unknown): Error => {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
};
const parts = (sealed: string): Record<string, string> => JSON.parse(sealed) as Record<string, string>;

describe('a sealed payload', () => {
  it.each([PLAIN, '{}', JSON.stringify({ big: 'ü'.repeat(100_000) })])('opens as it was', (plain) => {
    expect(open(sealText(plain, job, ring))).toBe(plain);
  });

  it('keeps lone surrogates, since JSON writes them as escapes', () => {
    expect(JSON.parse(open(sealText(PLAIN, job, ring)))).toEqual({
      card: '4111 1111',
      note: '送信 ☕',
      lone: '\ud800',
    });
  });

  it('is version, key id, salt, nonce, ciphertext and a tag of 16 bytes, and never the same twice', () => {
    const sealed = sealText(PLAIN, job, ring);
    expect(Object.keys(parts(sealed))).toEqual(['v', 'kid', 's', 'n', 'c', 't']);
    expect(parts(sealed)).toMatchObject({ v: 1, kid: 'new' });
    const bytes = ['s', 'n', 't'].map((key) => Buffer.from(parts(sealed)[key]!, 'base64url').length);
    expect(bytes).toEqual([16, 12, 16]);
    expect(sealed).not.toContain('4111');
    const others = Array.from({ length: 50 }, () => parts(sealText(PLAIN, job, ring)));
    for (const key of ['s', 'n', 'c', 't']) expect(new Set(others.map((one) => one[key])).size).toBe(50);
  });

  it('is AES-256-GCM under a key of its own, bound to version, key id, job id and name', () => {
    const sealed = parts(sealText(PLAIN, job, ring));
    const [salt, nonce, bytes, tag] = ['s', 'n', 'c', 't'].map((key) => Buffer.from(sealed[key]!, 'base64url'));
    const sub = Buffer.from(hkdfSync('sha256', NEW, '', 'nestjs-queue payload-enc', 32));
    const key = Buffer.from(hkdfSync('sha256', sub, salt!, 'nestjs-queue message', 32));
    const decipher = createDecipheriv('aes-256-gcm', key, nonce!, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(`1|new|${job.uuid}|${job.name}`)).setAuthTag(tag!);
    expect(Buffer.concat([decipher.update(bytes!), decipher.final()]).toString()).toBe(PLAIN);
  });

  it('does not open with any one bit of any byte changed', () => {
    const sealed = sealText('{"secret":"canary"}', job, ring);
    let tried = 0;
    for (let at = 0; at < sealed.length; at += 1) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64]) {
        const changed = `${sealed.slice(0, at)}${String.fromCharCode(sealed.charCodeAt(at) ^ bit)}${sealed.slice(at + 1)}`;
        expect(() => open(changed)).toThrow(DecryptionError);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(900);
  });

  it('does not open cut short, lengthened, or written in other words', () => {
    const sealed = sealText(PLAIN, job, ring);
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => open(sealed.slice(0, length))).toThrow(DecryptionError);
    const { v, kid, s, n, c, t } = parts(sealed);
    for (const other of [
      `${sealed} `,
      JSON.stringify({ kid, v, s, n, c, t }),
      JSON.stringify({ v, kid, s, n, c, t, alg: 'none' }),
      JSON.stringify(parts(sealed), undefined, 1),
      JSON.stringify({ v, kid, s: `${s}=`, n, c, t }),
      'null',
      '[]',
      '1',
      '""',
      JSON.stringify({ v, kid: 'a\nb', s, n, c, t }),
      JSON.stringify({ v, kid: 'a'.repeat(65), s, n, c, t }),
    ])
      expect(() => open(other)).toThrow(DecryptionError);
  });

  it.each([4, 8, 12, 13, 14, 15, 17])(
    'does not open with a tag of %p bytes, though the cipher would take some',
    (bytes) => {
      const sealed = parts(sealText(PLAIN, job, ring));
      const tag = Buffer.concat([Buffer.from(sealed['t']!, 'base64url'), Buffer.alloc(8)]).subarray(0, bytes);
      expect(() => open(JSON.stringify({ ...sealed, t: tag.toString('base64url') }))).toThrow(DecryptionError);
    },
  );

  it('does not open for a job of another id or of another name', () => {
    const sealed = sealText(PLAIN, job, ring);
    expect(() => open(sealed, { ...job, uuid: '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b12' })).toThrow(DecryptionError);
    expect(() => open(sealed, { ...job, name: 'billing.refund' })).toThrow(DecryptionError);
  });

  it('does not open under the id of another key, in another version, or made with another cipher', () => {
    const sealed = parts(sealText(PLAIN, job, ring));
    expect(() => open(JSON.stringify({ ...sealed, kid: 'old' }))).toThrow(/written under another key of the id "old"/);
    for (const v of [0, 2, 1.5]) expect(() => open(JSON.stringify({ ...sealed, v }))).toThrow(/form that this version/);
    expect(() => open(JSON.stringify({ ...sealed, v: '1' }))).toThrow(DecryptionError);
    const sub = Buffer.from(hkdfSync('sha256', NEW, '', 'nestjs-queue payload-enc', 32));
    const key = Buffer.from(hkdfSync('sha256', sub, Buffer.alloc(16), 'nestjs-queue message', 32));
    const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
    const c = Buffer.concat([cipher.update(PLAIN), cipher.final()]).toString('base64url');
    const s = Buffer.alloc(16).toString('base64url');
    const n = Buffer.alloc(12).toString('base64url');
    expect(() => open(JSON.stringify({ v: 1, kid: 'new', s, n, c, t: s }))).toThrow(DecryptionError);
  });

  it('opens under an old key after a rotation, says which key is missing, and opens again when it is back', () => {
    const sealed = sealText(PLAIN, job, new KeyRing({ current: 'old', keys: { old: OLD } }));
    expect(open(sealed)).toBe(PLAIN);
    expect(() => open(sealed, job, new KeyRing({ current: 'new', keys: { new: NEW } }))).toThrow(
      /under the key "old", which this process does not have\. Add it/,
    );
    expect(() => openText(sealed, job, undefined, 'Invoice')).toThrow(/QueueModule has no key in this process/);
    expect(open(sealed)).toBe(PLAIN);
  });

  it('keeps what it holds, and the keys, out of its errors', () => {
    const sealed = parts(sealText(PLAIN, job, ring));
    for (const bad of [
      { ...sealed, kid: 'old' },
      { ...sealed, v: 9 },
      { ...sealed, c: '' },
      { ...sealed, kid: 'x' },
    ]) {
      const error = thrownBy(() => open(JSON.stringify(bad)));
      expect(error).toBeInstanceOf(DecryptionError);
      const text = inspect(error, { depth: 9, showHidden: true });
      for (const canary of ['4111', OLD, NEW, sealed['c']!]) expect(text).not.toContain(canary);
      expect(error.cause).toBeUndefined();
      expect(error.message).not.toContain('\n');
    }
  });
});
