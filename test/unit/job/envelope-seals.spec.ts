import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { EnvelopeSeals, UNSEALED } from '../../../lib/job/envelope-seals.js';
import { SignatureError } from '../../../lib/job/envelope-signature.js';
import { DecryptionError } from '../../../lib/job/payload-seal.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const OLD = 'an old key of more than thirty-two characters';
const NEW = 'a new key of more than thirty-two characters!';
const ID = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';
const OTHER = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b12';

const seals = EnvelopeSeals.of({ key: { current: 'new', keys: { old: OLD, new: NEW } } });
const strict = EnvelopeSeals.of({ key: { current: 'new', keys: { old: OLD, new: NEW } }, signing: 'require' });
const envelope = (more: Partial<JobEnvelope> = {}): JobEnvelope => ({
  v: 1,
  uuid: ID,
  name: 'Send',
  displayName: 'Send',
  createdAt: 1,
  data: { to: 'mia', 7: 'seven', list: [1, { a: null }], text: '\ud800 送信 \u2028' },
  ...more,
});
const step = envelope({ uuid: OTHER, name: 'Then' });
const chained = envelope({ chain: { rest: [step], catch: [step] }, tags: ['a'], extra: { at: { b: 1 } } });
/** As a worker gets it. */
const stored = (one: JobEnvelope): JobEnvelope => JSON.parse(JSON.stringify(one)) as JobEnvelope;

describe('a signature', () => {
  const signed = stored(seals.signed(chained, true));

  it('holds for the envelope that it was made for, read back from its text', () => {
    expect(seals.refusal(signed, ID)).toBeUndefined();
    expect(strict.refusal(signed, ID)).toBeUndefined();
    const { signature: _own, ...rest } = signed;
    expect(rest).toEqual(stored(chained));
  });

  it('is HMAC-SHA-256 over a label, the key id and the text, under a key of its own', () => {
    const { signature, ...rest } = signed;
    const key = Buffer.from(hkdfSync('sha256', NEW, '', 'nestjs-queue payload-mac', 32));
    const mac = createHmac('sha256', key).update(`nestjs-queue envelope v1\nnew\n${JSON.stringify(rest)}`);
    expect(signature).toBe(`v1.new.${mac.digest('base64url')}`);
  });

  it.each<[string, object]>([
    ['data', { data: { to: 'eve' } }],
    ['name', { name: 'Transfer' }],
    ['displayName', { displayName: 'Sent' }],
    ['uuid', { uuid: OTHER }],
    ['createdAt', { createdAt: 2 }],
    ['a policy', { maxTries: 99 }],
    ['tags', { tags: ['b'] }],
    ['extra', { extra: {} }],
    ['an added key', { other: 1 }],
    ['a job of its chain', { chain: { rest: [{ ...step, data: { to: 'eve' } }], catch: [step] } }],
    ['a callback', { chain: { rest: [step], catch: [] } }],
    ['encrypted', { encrypted: true }],
  ])('does not hold when somebody has changed %s', (_, change) => {
    expect(seals.refusal({ ...signed, ...change }, ID)).toBeInstanceOf(SignatureError);
  });

  it('does not hold with any one bit of its text changed, or cut short', () => {
    const own = signed.signature!;
    for (let at = 0; at < own.length; at += 1) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64]) {
        const signature = `${own.slice(0, at)}${String.fromCharCode(own.charCodeAt(at) ^ bit)}${own.slice(at + 1)}`;
        expect(seals.refusal({ ...signed, signature }, ID)).toBeInstanceOf(SignatureError);
      }
      expect(seals.refusal({ ...signed, signature: own.slice(0, at) }, ID)).toBeInstanceOf(SignatureError);
    }
  });

  it('does not hold in another scheme, under another key, or without a code', () => {
    const mac = signed.signature!.split('.').at(-1)!;
    for (const signature of [
      `v2.new.${mac}`,
      `none.new.${mac}`,
      `v1.old.${mac}`,
      `v1.missing.${mac}`,
      'v1.new.',
      'v1.new',
      '',
      `${signed.signature}=`,
      ` ${signed.signature}`,
    ]) {
      expect(seals.refusal({ ...signed, signature }, ID)).toBeInstanceOf(SignatureError);
    }
  });

  it('does not hold under the id of another job: a body runs once', () => {
    expect(seals.refusal(signed, OTHER)?.message).toMatch(/signed for a job of another id/);
  });

  it('holds under an old key, and is refused where the key is missing', () => {
    const before = stored(EnvelopeSeals.of({ key: { current: 'old', keys: { old: OLD } } }).signed(envelope(), true));
    expect(before.signature).toMatch(/^v1\.old\./);
    expect(strict.refusal(before, ID)).toBeUndefined();
    expect(EnvelopeSeals.of({ key: NEW }).refusal(before, ID)?.message).toMatch(/key "old", which this process/);
    expect(UNSEALED.refusal(before, ID)?.message).toMatch(/QueueModule has no key in this process/);
  });
});

describe('what is signed', () => {
  it('is nothing by itself with a key, what asks for it, and everything where signing is required', () => {
    expect(seals.signed(envelope())).not.toHaveProperty('signature');
    expect(seals.signed(envelope(), true)).toHaveProperty('signature');
    expect(strict.signed(envelope())).toHaveProperty('signature');
    expect(UNSEALED.signed(envelope(), true)).not.toHaveProperty('signature');
  });

  it('may be unsigned, unless signing is required or its kind is always signed', () => {
    expect(seals.refusal(envelope(), ID)).toBeUndefined();
    expect(UNSEALED.refusal(envelope(), ID, { signed: true })).toBeUndefined();
    expect(seals.refusal(envelope(), ID, { signed: true })?.message).toMatch(/not signed, and jobs of its kind/);
    expect(strict.refusal(envelope(), ID)?.message).toMatch(/not signed, and QueueModule has signing: 'require'/);
  });

  it('is signed anew after a change, and only by whom its signature held for', () => {
    const signed = stored(seals.signed(envelope({ retryUntil: 1 }), true));
    const { retryUntil: _stale, ...rest } = signed;
    expect(seals.refusal(stored(seals.resigned(signed, ID, rest)), ID)).toBeUndefined();
    expect(() => seals.resigned({ ...signed, name: 'Transfer' }, ID, rest)).toThrow(SignatureError);
    expect(() => seals.resigned(signed, OTHER, rest)).toThrow(SignatureError);
    // What came unsigned from a store is not vouched for, not even where everything is signed.
    expect(strict.resigned(envelope(), ID, envelope({ maxTries: 2 }))).not.toHaveProperty('signature');
    // A job still in the hands of its producer is: it has added to it.
    const more = { ...seals.signed(envelope(), true), batchId: 'b' };
    expect(seals.refusal(more, ID)).toBeInstanceOf(SignatureError);
    expect(seals.refusal(stored(seals.signed(more)), ID)).toBeUndefined();
  });
});

describe('an encrypted envelope', () => {
  const data = seals.seal({ card: 'canary' }, { uuid: ID, name: 'Send' }, 'Send');

  it('opens for the job that the store keeps it as, and stays sealed itself', () => {
    const one = envelope({ data, encrypted: true });
    expect(seals.open(one, ID)).toEqual({ card: 'canary' });
    expect(one.data).toBe(data);
    expect(() => seals.open(one, OTHER)).toThrow(DecryptionError);
    expect(() => seals.open({ ...one, name: 'Other' }, ID)).toThrow(DecryptionError);
  });

  it('opens only where it says that it is encrypted, and is', () => {
    expect(() => seals.open(envelope({ data }), ID)).toThrow(DecryptionError);
    expect(() => seals.open(envelope({ encrypted: true }), ID)).toThrow(DecryptionError);
    expect(() => UNSEALED.open(envelope({ data, encrypted: true }), ID)).toThrow(/no key in this process/);
  });

  it('is not made without a key', () => {
    expect(() => UNSEALED.seal({}, { uuid: ID, name: 'Send' }, 'SendMail')).toThrow(InvalidOptionError);
    expect(() => UNSEALED.seal({}, { uuid: ID, name: 'Send' }, 'SendMail')).toThrow(
      /^SendMail is to be encrypted.*QUEUE_KEY/,
    );
  });
});

describe('the options', () => {
  it.each<[object, RegExp]>([
    [{ signing: 'require' }, /signing: 'require' needs a key.*queue:key/],
    [{ signing: true }, /neither 'off' nor 'require'/],
    [{ key: NEW, signing: 'on' }, /neither 'off' nor 'require'/],
    [{ key: 'short' }, /too short/],
  ])('%p are refused', (options, message) => {
    expect(() => EnvelopeSeals.of(options)).toThrow(message);
  });

  it('may say that nothing has to be signed', () => {
    expect(EnvelopeSeals.of({ signing: 'off' })).toMatchObject({ hasKey: false, requireSigned: false });
    expect(EnvelopeSeals.of({ key: NEW })).toMatchObject({ hasKey: true, requireSigned: false });
  });
});
