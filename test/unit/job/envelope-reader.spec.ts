import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { readEnvelope } from '../../../lib/job/envelope-reader.js';
import { InvalidPayloadError } from '../../../lib/job/payload-errors.js';

const MAX = 1_000_000;
const good = {
  v: 1,
  uuid: 'an id',
  name: 'Send',
  displayName: 'Send',
  data: {},
  createdAt: 5,
};
const read = (more: object = {}, max = MAX) => readEnvelope(JSON.stringify({ ...good, ...more }), max);

describe('readEnvelope', () => {
  it('gives what it read, keys that it does not know included', () => {
    const whole = {
      ...good,
      maxTries: 0,
      maxExceptions: 2,
      backoff: [0, 1_000],
      timeout: 0,
      retryUntil: -5,
      failOnTimeout: true,
      deleteWhenMissingEntities: false,
      tags: ['a'],
      extra: { any: [1] },
      unheardOf: { of: null },
    };
    expect(readEnvelope(JSON.stringify(whole), MAX)).toEqual(whole);
  });

  it.each([
    ['', 'not JSON'],
    ['{', 'not JSON'],
    ['null', 'not an object'],
    ['[]', 'not an object'],
    ['"text"', 'not an object'],
    ['{}', 'no known format version'],
    [JSON.stringify({ ...good, v: '1' }), 'no known format version'],
    [JSON.stringify({ ...good, v: 2 }), 'newer version of this package (format 2). Deploy workers before producers'],
  ])('refuses %p', (body, says) => {
    expect(() => readEnvelope(body, MAX)).toThrow(InvalidPayloadError);
    expect(() => readEnvelope(body, MAX)).toThrow(says);
  });

  it.each([
    ['uuid', 5],
    ['uuid', ''],
    ['name', null],
    ['displayName', {}],
    ['data', 5],
    ['data', []],
    ['data', null],
    ['createdAt', 'now'],
    ['createdAt', -1],
    ['maxTries', '3'],
    ['maxTries', -1],
    ['maxExceptions', null],
    ['backoff', 5],
    ['backoff', [1, '2']],
    ['backoff', [1e300]],
    ['timeout', -1],
    ['timeout', 1e300],
    ['retryUntil', '2030'],
    ['retryUntil', 1e300],
    ['failOnTimeout', 1],
    ['tags', [1]],
    ['chain', {}],
    ['unique', { key: 1 }],
    ['middleware', {}],
    ['context', 'x'],
    ['extra', []],
  ])('refuses a %s of %p, by name', (key, value) => {
    expect(() => read({ [key]: value })).toThrow(InvalidPayloadError);
    expect(() => read({ [key]: value })).toThrow(key);
  });

  it('does not even parse what is too large', () => {
    expect(() => read({ data: { a: 'x'.repeat(200) } }, 200)).toThrow('maxPayload (200 bytes)');
  });

  it('answers or refuses whatever stands there, and leaves the prototypes alone', () => {
    const anything = fc.anything({ withNullPrototype: false });
    const key = fc.oneof(
      fc.constantFrom(...Object.keys(good), 'backoff', 'chain', '__proto__', 'constructor'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.dictionary(key, anything).map(spread)), (body) => {
        expect(outcome(body)).toBe('as it should be');
      }),
      { numRuns: 500 },
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

function spread(more: object): string {
  try {
    return JSON.stringify({ ...good, ...more }) ?? '';
  } catch {
    return '';
  }
}

function outcome(body: string): unknown {
  try {
    return typeof readEnvelope(body, MAX).name === 'string' ? 'as it should be' : 'no name';
  } catch (error) {
    return error instanceof InvalidPayloadError ? 'as it should be' : error;
  }
}
