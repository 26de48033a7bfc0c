import { beforeEach, describe, expect, it } from '@jest/globals';
import { JOB_REF } from '../../../lib/contracts/job-context.js';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { SealedSources } from '../../../lib/job/closure-seal.js';
import { compiledSource } from '../../../lib/job/closure-source.js';
import { EnvelopeSeals } from '../../../lib/job/envelope-seals.js';
import { SignatureError, signEnvelope } from '../../../lib/job/envelope-signature.js';
import { KeyRing } from '../../../lib/job/key-ring.js';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';

const OLD = 'an old key of more than thirty-two characters';
const NEW = 'a new key of more than thirty-two characters!';
const UUID = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';
const ELSEWHERE = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b12';
const ring = new KeyRing({ current: 'new', keys: { old: OLD, new: NEW } });
const sources = new SealedSources(ring);
const codec = new PayloadCodec();

class Podcasts {}

function written(by = sources, values: object = { id: 1 }): JobEnvelope {
  const fn = (given: { id: number }): number => given.id;
  const data = by.write({ fn, values, inject: [Podcasts, 'MAILER', JOB_REF] }, { uuid: UUID, shown: 'Closure' }, codec);
  const envelope = { v: 1, uuid: UUID, name: '@closure', displayName: 'Closure', createdAt: 1, data };
  // As it comes back from a store.
  return JSON.parse(JSON.stringify(envelope)) as JobEnvelope;
}

type Data = Record<string, any>;
const dataOf = ({ data }: JobEnvelope): Data => data as Data;

describe('the signature of a closure', () => {
  let envelope: JobEnvelope;
  beforeEach(() => {
    envelope = written();
  });

  it('holds for what was written, whatever the values are', () => {
    expect(sources.refusal(envelope, UUID)).toBeUndefined();
    expect(dataOf(envelope)).toMatchObject({
      values: { id: 1 },
      inject: [{ class: 'Podcasts' }, { token: 'MAILER' }, { job: true }],
      mac: expect.stringMatching(/^v1\.new\.[\w-]{43}$/),
    });
    const odd = { at: new Date(0), 2: 'b', 1: 'a', n: -0, big: 1n, text: '\u2028"\\', $t: 'Date' };
    expect(sources.refusal(written(sources, odd), UUID)).toBeUndefined();
  });

  it.each<[string, (data: Data) => Data]>([
    ['source', (data) => ({ ...data, source: '() => process.exit()' })],
    ['values', (data) => ({ ...data, values: { id: 2 } })],
    ['dependencies', (data) => ({ ...data, inject: [] })],
    ['order', ({ source, ...data }) => ({ ...data, source })],
    ['more fields', (data) => ({ ...data, fn: 1 })],
    ['fewer fields', ({ inject: _inject, ...data }) => data],
    ['another tag', (data) => ({ $t: 'Fields', v: data, mac: data['mac'] as string })],
    ['no mac', ({ mac: _mac, ...data }) => data],
    ['a mac of another kind', (data) => ({ ...data, mac: 7 })],
    ['another scheme', (data) => ({ ...data, mac: (data['mac'] as string).replace('v1', 'v0') })],
    ['the id of another key', (data) => ({ ...data, mac: (data['mac'] as string).replace('new', 'old') })],
    ['the id of no key', (data) => ({ ...data, mac: (data['mac'] as string).replace('new', '__proto__') })],
    ['a shorter mac', (data) => ({ ...data, mac: (data['mac'] as string).slice(0, -1) })],
  ])('does not hold with %s', (_, change) => {
    const data = change(dataOf(envelope));
    expect(sources.refusal({ ...envelope, data }, UUID)).toBeInstanceOf(SignatureError);
  });

  it('does not hold for another job, whatever its body says', () => {
    expect(sources.refusal(envelope, ELSEWHERE)).toBeInstanceOf(SignatureError);
    expect(sources.refusal({ ...envelope, uuid: ELSEWHERE }, ELSEWHERE)).toBeInstanceOf(SignatureError);
    expect(sources.refusal({ ...envelope, uuid: ELSEWHERE }, UUID)).toBeInstanceOf(SignatureError);
  });

  it('can be moved to another job, where it held before', () => {
    const moved = { ...envelope, uuid: ELSEWHERE, data: sources.moved(envelope, ELSEWHERE) };
    expect(sources.refusal(moved, ELSEWHERE)).toBeUndefined();
    expect(sources.refusal(moved, UUID)).toBeInstanceOf(SignatureError);
    const changed = { ...envelope, data: { ...dataOf(envelope), source: '() => 1' } };
    expect(() => sources.moved(changed, ELSEWHERE)).toThrow(SignatureError);
  });

  it('is made under a key of its own: that of the envelope makes none', () => {
    const mac = signEnvelope(envelope, ring).signature!;
    expect(sources.refusal({ ...envelope, data: { ...dataOf(envelope), mac } }, UUID)).toBeInstanceOf(SignatureError);
    const byOther = new SealedSources(new KeyRing({ current: 'new', keys: { new: OLD } }));
    expect(sources.refusal(written(byOther), UUID)).toBeInstanceOf(SignatureError);
  });

  it('outlives a change of keys', () => {
    const before = written(new SealedSources(new KeyRing({ current: 'old', keys: { old: OLD } })));
    expect(sources.refusal(before, UUID)).toBeUndefined();
    const single = written(new SealedSources(new KeyRing(OLD)));
    expect(sources.refusal(single, UUID)).toBeUndefined();
    const gone = new SealedSources(new KeyRing({ current: 'new', keys: { new: NEW } }));
    expect(gone.refusal(before, UUID)!.message).toMatch(/signed under the key "old", which this process does not have/);
  });

  it('comes with the option alone', () => {
    expect(EnvelopeSeals.of({ key: NEW }).sources).toBeUndefined();
    expect(EnvelopeSeals.of({ key: NEW, closures: { source: 'refuse' } }).sources).toBeUndefined();
    expect(EnvelopeSeals.of({ key: NEW, closures: { source: 'signed' } }).sources).toBeInstanceOf(SealedSources);
  });
});

describe('the source of a closure', () => {
  it('is compiled once, in strict mode, with nothing around it', () => {
    const source = 'function () { return [this, typeof compiled, typeof source]; }';
    const fn = compiledSource(source);
    expect(fn()).toEqual([undefined, 'undefined', 'undefined']);
    expect(compiledSource(source)).toBe(fn);
  });

  it('may end with a comment', () => {
    expect(compiledSource('() => 1 // one')()).toBe(1);
  });

  it('is kept for a while', () => {
    const first = compiledSource('() => "first"');
    for (let at = 0; at < 600; at += 1) compiledSource(`() => ${at}`);
    expect(compiledSource('() => "first"')).not.toBe(first);
    expect(compiledSource('() => 599')()).toBe(599);
  });

  it('must be that of a function', () => {
    expect(() => compiledSource('1 + 1')).toThrow(SignatureError);
  });
});
