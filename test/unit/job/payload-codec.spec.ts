import { Logger } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Socket } from 'node:net';
import { runInNewContext } from 'node:vm';
import { types } from 'node:util';
import fc from 'fast-check';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';
import { InvalidPayloadError, UnserializableError } from '../../../lib/job/payload-errors.js';

const codec = new PayloadCodec();
const roundTrip = (fields: Record<string, unknown>): Record<string, unknown> =>
  codec.decode(JSON.parse(JSON.stringify(codec.encode(fields, 'ProcessPodcast')))).fields;
const back = (value: unknown): unknown => roundTrip({ value })['value'];
const refused = (fields: Record<string, unknown>): UnserializableError => {
  try {
    codec.encode(fields, 'ProcessPodcast');
  } catch (error) {
    if (error instanceof UnserializableError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
};
const nested = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};

describe('PayloadCodec', () => {
  describe('plain fields', () => {
    it('travel untouched: the same object out, the parsed object back', () => {
      const fields = { id: 7, title: 'a', tags: ['x', null, true], deep: { a: [1.5, { b: '' }] } };
      expect(codec.encode(fields, 'Job')).toBe(fields);
      const parsed = JSON.parse(JSON.stringify(fields)) as object;
      const decoded = codec.decode(parsed);
      expect(decoded.fields).toBe(parsed);
      expect(decoded.pending).toBeUndefined();
    });

    it('are copied out of an object of a class, whose toJSON() is not asked', () => {
      class Fields {
        id = 7;
        toJSON(): unknown {
          return 'wrong';
        }
      }
      expect(JSON.stringify(codec.encode(new Fields() as never, 'Job'))).toBe('{"id":7}');
    });

    it('share what needs no tag with the original', () => {
      const plain = { a: [1, 2] };
      const { v } = codec.encode({ plain, at: new Date(0) }, 'Job') as { v: Record<string, unknown> };
      expect(v['plain']).toBe(plain);
      expect(v['at']).toEqual({ $t: 'Date', v: '1970-01-01T00:00:00.000Z' });
    });

    it('of any JSON kind come back exactly', () => {
      const json = fc.jsonValue({ noUnicodeString: false, maxDepth: 6 } as never);
      fc.assert(
        fc.property(
          fc.dictionary(
            fc.string().filter((key) => key !== '__proto__'),
            json,
          ),
          (fields) => {
            const sane = JSON.parse(JSON.stringify(fields).replaceAll('"__proto__"', '"proto"')) as Record<
              string,
              unknown
            >;
            expect(roundTrip(sane)).toEqual(sane);
          },
        ),
      );
    });
  });

  describe('everything else', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom(null, undefined, NaN, Infinity, -Infinity, -0),
      fc.bigInt(),
      fc.date({ noInvalidDate: false }),
      fc.webUrl().map((url) => new URL(url)),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.uint8Array(),
      fc.uint8ClampedArray(),
      fc.int8Array(),
      fc.int16Array(),
      fc.uint16Array(),
      fc.int32Array(),
      fc.uint32Array(),
      fc.float32Array(),
      fc.float64Array(),
      fc.bigInt64Array(),
      fc.bigUint64Array(),
      fc.uint8Array().map((bytes) => Uint8Array.from(bytes).buffer),
      // Looks like ours.
      fc.constantFrom({ $t: 'Date', v: 'x' }, { $t: 'nope' }, { $t: { $t: 'undefined' } }, { $t: 'Entity', v: {} }),
    );
    const key = fc.oneof(
      fc.string({ unit: 'binary' }).filter((one) => one !== '__proto__'),
      fc.constantFrom('$t', 'v', 'constructor', 'prototype', 'toString', 'toJSON', 'then', '\u0000', '\ud800', '0'),
    );
    const tree = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, leaf, tie('array'), tie('object'), tie('map'), tie('set')),
      array: fc.oneof(fc.array(tie('any'), { maxLength: 5 }), fc.sparseArray(tie('any'), { maxNumElements: 4 })),
      object: fc.dictionary(key, tie('any'), { maxKeys: 5 }),
      map: fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 4 }).map((entries) => new Map(entries)),
      set: fc.array(tie('any'), { maxLength: 4 }).map((members) => new Set(members)),
    }));

    it('round-trips, whatever holds it', () => {
      fc.assert(
        fc.property(fc.dictionary(key, tree.any, { maxKeys: 4 }), (fields) => {
          const returned = roundTrip(fields);
          expect(Object.keys(returned).toSorted()).toEqual(Object.keys(fields).toSorted());
          expect(same(returned, { ...fields })).toBe(true);
        }),
        { numRuns: 2_000 },
      );
    });

    it.each<[string, unknown]>([
      ['a date', new Date('2030-01-02T03:04:05.678Z')],
      ['the first and last date', [new Date(-8.64e15), new Date(8.64e15), new Date(-1), new Date('0000-01-01')]],
      ['an invalid date', new Date(NaN)],
      ['numbers that JSON lacks', [NaN, Infinity, -Infinity, -0, 0]],
      ['undefined in arrays and objects', { a: undefined, b: [undefined, 1, undefined] }],
      // oxlint-disable-next-line no-sparse-arrays
      ['holes, at the end too', [1, , 2, ,]],
      ['a long hole', Array.from({ length: 0 }).concat(Array(50))],
      ['big integers', [0n, -1n, 2n ** 4096n]],
      [
        'a map by anything',
        new Map<unknown, unknown>([
          [new Date(0), 1],
          ['a', new Map([[NaN, undefined]])],
          [{ x: 1 }, 2],
        ]),
      ],
      ['a set', new Set([1, '1', 1n, null, undefined])],
      ['a URL', new URL('https://user:pw@example.org:81/a?b=ü#c')],
      ['lone surrogates and NUL', { '\ud800': '\udfff', '\u0000': 'a\u0000b' }],
      ['an escaped escape', { $t: 'Object', v: { $t: 'Date', v: { $t: 1 } } }],
      ['a window of memory', new Uint16Array(new Uint16Array([1, 2, 3, 4]).buffer, 2, 2)],
      ['keys that mean something elsewhere', { constructor: 1, prototype: { toString: 2 }, hasOwnProperty: 3 }],
    ])('brings back %s', (_, value) => {
      expect(same(back(value), value)).toBe(true);
    });

    it('keeps the prototype of an object that has none', () => {
      const bare = Object.assign(Object.create(null) as object, { a: 1, $t: 'Date', constructor: 2 });
      const returned = back(bare) as object;
      expect(Object.getPrototypeOf(returned)).toBeNull();
      expect({ ...returned }).toEqual({ a: 1, $t: 'Date', constructor: 2 });
      expect(Object.getPrototypeOf(back({}))).toBe(Object.prototype);
    });

    it('gives typed arrays memory of their own', () => {
      expect((back(new Uint8Array([1])) as Uint8Array).buffer.byteLength).toBe(1);
      expect(Buffer.isBuffer(back(Buffer.from('ab')))).toBe(true);
      expect(Buffer.isBuffer(back(new Uint8Array(2)))).toBe(false);
    });

    it('tells what another realm made', () => {
      const foreign = runInNewContext(
        '({ a: [1, new Date(5), new Map([[1, new Set([2n])]])], e: new RangeError("far") })',
      ) as object;
      const returned = back(foreign) as { a: unknown[]; e: Error };
      expect(same(returned.a, [1, new Date(5), new Map([[1, new Set([2n])]])])).toBe(true);
      expect(returned.e).toMatchObject({ name: 'RangeError', message: 'far' });
    });

    it('copies an object that is there twice', () => {
      const shared = { at: new Date(1) };
      const { a, b } = roundTrip({ a: shared, b: [shared] }) as { a: object; b: object[] };
      expect(a).toEqual(shared);
      expect(b).toEqual([shared]);
      expect(b[0]).not.toBe(a);
    });

    it('brings errors back as data', () => {
      class PaymentError extends Error {
        override name = 'PaymentError';
        code = 'E_PAY';
        secret = 'stays here';
      }
      const cause = new TypeError('inner', { cause: { status: 502, at: new Date(0) } });
      const error = new PaymentError('outer', { cause });
      const returned = back(error) as Error & { code: string; cause: Error };
      expect(returned).toBeInstanceOf(Error);
      expect(returned).not.toBeInstanceOf(PaymentError);
      expect(returned.name).toBe('PaymentError');
      expect(returned.message).toBe('outer');
      expect(returned.stack).toBe(error.stack);
      expect(returned.code).toBe('E_PAY');
      expect(returned.cause.name).toBe('TypeError');
      expect(returned.cause.cause).toEqual({ status: 502, at: new Date(0) });
      expect('secret' in returned).toBe(false);
      expect('cause' in (back(new Error('none')) as Error)).toBe(false);
    });

    it('is readable in a store browser', () => {
      expect(JSON.stringify(codec.encode({ at: new Date(0), ids: new Set([1n]), n: 1 }, 'Job'))).toBe(
        '{"$t":"Fields","v":{"at":{"$t":"Date","v":"1970-01-01T00:00:00.000Z"},"ids":{"$t":"Set","v":[{"$t":"BigInt","v":"1"}]},"n":1}}',
      );
    });
  });

  describe('refuses at dispatch', () => {
    const circle: Record<string, unknown> = { a: 1 };
    circle['self'] = circle;
    const ring = { items: [new Map<string, unknown>()] };
    ring.items[0]!.set('up', ring);
    class Money {
      cents = 1;
    }
    class Collection extends Array {}
    class Dates extends Date {}
    class Table extends Map {}
    class Bytes extends Uint8Array {}
    const matched = /b(?<x>.)/.exec('abc')!;

    it.each<[string, Record<string, unknown>, string, RegExp]>([
      [
        'a socket',
        { user: { socket: new Socket() } },
        'user.socket',
        /^ProcessPodcast\.user\.socket is a Socket\. A job carries .*pass an id/,
      ],
      ['a file in a list', { items: [1, 2, 3, { file: Symbol('f') }] }, 'items[3].file', /is a symbol/],
      ['a value in a map', { lookup: new Map([['key', () => 1]]) }, 'lookup<key>', /lookup<key> is a function/],
      ['a key of a map', { lookup: new Map([[() => 1, 1]]) }, 'lookup<function>', /is a function/],
      ['a member of a set', { tags: new Set([1, Symbol('s')]) }, 'tags<1>', /is a symbol/],
      ['a key that is no name', { headers: { 'content-type': Symbol('s') } }, 'headers["content-type"]', /is a symbol/],
      ['a class', { type: Money }, 'type', /is the class Money/],
      ['an instance', { price: new Money() }, 'price', /is a Money\..*@Value\(\)/],
      ['a weak map', { a: new WeakMap() }, 'a', /is a WeakMap/],
      ['a promise', { a: Promise.resolve(1) }, 'a', /is a Promise\. Await it/],
      ['a regular expression', { a: /x/ }, 'a', /is a RegExp/],
      ['a boxed number', { a: Object(1) as unknown }, 'a', /is a Number/],
      ['an abort signal', { a: new AbortController().signal }, 'a', /is an AbortSignal/],
      ['shared memory', { a: new SharedArrayBuffer(1) }, 'a', /is a SharedArrayBuffer/],
      ['a data view', { a: new DataView(new ArrayBuffer(1)) }, 'a', /is a DataView/],
      [
        'a logger',
        { logger: new Logger('x') },
        'logger',
        /^ProcessPodcast\.logger is a Logger\. Make the field static/,
      ],
      ['a list of a class', { a: Collection.from([1]) }, 'a', /is a Collection/],
      ['a date of a class', { a: new Dates() }, 'a', /is a Dates/],
      ['a map of a class', { a: new Table() }, 'a', /is a Table/],
      ['bytes of a class', { a: new Bytes(1) }, 'a', /is a Bytes/],
      ['an object under an object', { a: Object.create({ b: 1 }) as unknown }, 'a', /is an Object/],
      ['a getter', { a: Object.defineProperty({}, 'b', { get: () => 1, enumerable: true }) }, 'a.b', /is a getter/],
      [
        'a getter that throws',
        {
          get bad(): unknown {
            throw new Error('no');
          },
        },
        'bad',
        /is a getter/,
      ],
      ['a symbol as key', { a: { [Symbol('id')]: 1 } }, 'a', /Symbol\(id\)/],
      ['a named property of an array', { a: matched }, 'a.index', /is a named property/],
      [
        'an own __proto__',
        { a: JSON.parse('{"__proto__":{"polluted":1}}') as unknown },
        'a.__proto__',
        /own __proto__/,
      ],
      ['an own __proto__ on top', JSON.parse('{"__proto__":1}') as never, '__proto__', /own __proto__/],
      ['a circle', { user: circle }, 'user.self', /user\.self is circular: it leads back to user\./],
      ['a circle through a map', { ring }, 'ring.items[0]<up>', /is circular: it leads back to ring\./],
      [
        'the cause of an error',
        { e: new Error('x', { cause: { socket: new Socket() } }) },
        'e.cause.socket',
        /is a Socket/,
      ],
      [
        'a hostile proxy',
        {
          a: {
            p: new Proxy(
              {},
              {
                ownKeys: () => {
                  throw new Error('trap');
                },
              },
            ),
          },
        },
        'a.p',
        /could not be read: trap/,
      ],
    ])('%s', (_, fields, path, message) => {
      const error = refused(fields);
      expect(error.path).toBe(path);
      expect(error.message).toMatch(message);
      expect(error.message).not.toContain('\n');
      expect(error.code).toBe('ERR_QUEUE_UNSERIALIZABLE');
    });

    it('tells a circle even where it is wide', () => {
      const wide: unknown[] = [];
      for (let index = 0; index < 1_000; index++) wide.push(wide);
      expect(refused({ wide }).message).toMatch(/circular/);
    });

    it('more than 100 levels, and takes 100', () => {
      expect(same(back(nested(100)), nested(100))).toBe(true);
      expect(refused({ a: nested(101) }).message).toMatch(/deeper than 100/);
      // Counted the same in both directions, whatever the container.
      for (const wrap of [
        (v: unknown) => ({ v }),
        (v: unknown) => new Map([[v, v === 1 ? 1 : 2]]),
        (v: unknown) => new Set([v]),
        (v: unknown) => new Error('e', { cause: v }),
      ]) {
        let value: unknown = new Date(0);
        for (let level = 0; level < 100; level++) value = wrap(value);
        expect(() => back(value)).not.toThrow();
        expect(refused({ value: [value] }).message).toMatch(/deeper/);
      }
    });

    it('more than 100,000 values, and takes them', () => {
      const full = Array.from({ length: 99_999 }, () => 0);
      expect(roundTrip({ full })).toEqual({ full });
      expect(refused({ full: [...full, 1] }).message).toMatch(/full brings the job to more than 100000 values/);
    });

    it.each<[string, () => Record<string, unknown>]>([
      ['10,000 levels', () => ({ a: nested(10_000) })],
      ['a million items', () => ({ a: Array(1_000_000).fill(0) })],
      ['an array that claims four billion', () => ({ a: Array(2 ** 32 - 1) })],
      [
        'a million keys in a thousand objects',
        () => ({
          a: Array.from({ length: 1_000 }, () =>
            Object.fromEntries(Array.from({ length: 1_000 }, (_, key) => [`k${key}`, key])),
          ),
        }),
      ],
      ['a million entries', () => ({ a: new Map(Array.from({ length: 1_000_000 }, (_, key) => [key, key])) })],
    ])('%s in less than 50 ms', (_, make) => {
      const fields = make();
      refused({ a: nested(101) });
      expect(fastest(() => refused(fields))).toBeLessThan(50);
    });

    it('with a message of one bearable line for a very long path', () => {
      const error = refused({ a: nested(200) });
      expect(error.path.length).toBeGreaterThan(300);
      expect(error.message.length).toBeLessThan(400);
    });
  });

  describe('refuses at reading', () => {
    const read = (json: string): unknown => codec.decode(JSON.parse(json)).fields;
    const tag = (inner: string): string => `{"$t":"Fields","v":{"a":${inner}}}`;

    it.each([
      'null',
      '[]',
      '"text"',
      '1',
      '{"$t":"Other"}',
      '{"$t":"Fields"}',
      '{"$t":"Fields","v":[]}',
      '{"$t":"Fields","v":{"$t":1},"entities":true}',
      tag('{"$t":"Nope"}'),
      tag('{"$t":"constructor"}'),
      tag('{"$t":"__proto__"}'),
      tag('{"$t":"toString","v":1}'),
      tag('{"$t":null}'),
      tag('{"$t":["Date"]}'),
      tag('{"$t":{}}'),
      tag('{"$t":"hole"}'),
      tag('{"$t":"Fields","v":{}}'),
      tag('{"$t":"Date","v":"soon"}'),
      tag('{"$t":"Date","v":1}'),
      tag('{"$t":"Date","v":"2030-13-01T00:00:00.000Z"}'),
      tag('{"$t":"Date"}'),
      tag('{"$t":"Number","v":"1"}'),
      tag('{"$t":"Number"}'),
      tag('{"$t":"BigInt","v":"0x1"}'),
      tag('{"$t":"BigInt","v":1}'),
      tag('{"$t":"BigInt","v":""}'),
      tag('{"$t":"URL","v":"nowhere"}'),
      tag('{"$t":"Buffer","v":"!"}'),
      tag('{"$t":"Buffer","v":"abc"}'),
      tag('{"$t":"Buffer","v":{"length":9e9}}'),
      tag('{"$t":"Uint32Array","v":"AAA="}'),
      tag('{"$t":"ArrayBuffer","v":5}'),
      tag('{"$t":"Map","v":{}}'),
      tag('{"$t":"Map","v":[1]}'),
      tag('{"$t":"Map","v":[[1]]}'),
      tag('{"$t":"Map","v":[[1,2,3]]}'),
      tag('{"$t":"Set","v":"ab"}'),
      tag('{"$t":"Object","v":1}'),
      tag('{"$t":"NullObject","v":[]}'),
      tag('{"$t":"Error","v":{}}'),
      tag('{"$t":"Error","v":{"name":1,"message":""}}'),
      tag('{"$t":"Value","name":"Array","v":[]}'),
      tag('{"$t":"Value","name":"constructor","v":1}'),
      tag('{"$t":"Value"}'),
      tag('{"$t":"Entity","v":{"entity":"User","id":{"id":1}}}'),
      tag('{"$t":"Entities","v":[{}]}'),
    ])('%s', (json) => {
      let caught: unknown;
      try {
        codec.decode(JSON.parse(json));
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(InvalidPayloadError);
      expect((caught as InvalidPayloadError).code).toBe('ERR_QUEUE_INVALID_PAYLOAD');
    });

    it('does not bring tags back where the outside does not say so', () => {
      expect(read('{"a":{"$t":"Date","v":"1970-01-01T00:00:00.000Z"}}')).toEqual({
        a: { $t: 'Date', v: '1970-01-01T00:00:00.000Z' },
      });
    });

    it('anything, in no other way than by InvalidPayloadError', () => {
      const names = fc.constantFrom(
        'Fields',
        'Date',
        'Map',
        'Set',
        'Error',
        'Value',
        'Entity',
        'Entities',
        'Object',
        'NullObject',
        'Buffer',
        'Number',
        'BigInt',
        'hole',
        'x',
      );
      const { node } = fc.letrec((tie) => ({
        node: fc.oneof(
          { depthSize: 'medium' },
          fc.jsonValue({ maxDepth: 1 }),
          fc.record({ $t: names, v: tie('node'), name: fc.string() }, { requiredKeys: ['$t'] }),
          fc.array(tie('node'), { maxLength: 3 }),
        ),
      }));
      fc.assert(
        fc.property(node, (a) => {
          let caught: unknown;
          try {
            codec.decode(JSON.parse(JSON.stringify({ $t: 'Fields', v: { a } })));
          } catch (error) {
            caught = error;
          }
          expect(caught === undefined || caught instanceof InvalidPayloadError).toBe(true);
        }),
        { numRuns: 2_000 },
      );
    });

    it.each([
      ['plain', (a: string) => `{"a":${a}}`],
      ['tagged', tag],
      ['in a map', (a: string) => tag(`{"$t":"Map","v":[[1,${a}]]}`)],
      ['escaped', (a: string) => tag(`{"$t":"Object","v":{"x":${a}}}`)],
    ])('too deep and too much, %s, without running out of stack', (_, wrap) => {
      const deep = JSON.parse(wrap('['.repeat(10_000) + ']'.repeat(10_000))) as unknown;
      const objects = JSON.parse(wrap('{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000))) as unknown;
      const wide = JSON.parse(wrap(`[${'0,'.repeat(1_000_000)}0]`)) as unknown;
      for (const data of [deep, objects, wide]) {
        expect(fastest(() => expect(() => codec.decode(data)).toThrow(InvalidPayloadError))).toBeLessThan(50);
      }
    });

    it.each([
      [
        'plain',
        '{"a":{"__proto__":{"polluted":1},"b":2},"list":[{"__proto__":{"polluted":1}}],"__proto__":{"polluted":1}}',
      ],
      [
        'tagged',
        '{"$t":"Fields","v":{"a":{"__proto__":{"polluted":1},"b":2},"list":[{"$t":"Object","v":{"__proto__":{"polluted":1}}}],"__proto__":{"polluted":1}}}',
      ],
      ['bare', '{"$t":"Fields","v":{"a":{"$t":"NullObject","v":{"__proto__":{"polluted":1},"b":2}},"list":[]}}'],
    ])('__proto__: it is dropped and nothing is polluted, %s', (_, json) => {
      const fields = codec.decode(JSON.parse(json)).fields as { a: { b: number }; list: object[] };
      expect(Object.keys(fields)).toEqual(['a', 'list']);
      expect(Object.keys(fields.a)).toEqual(['b']);
      for (const one of [
        {},
        fields,
        fields.a,
        ...fields.list,
        Object.assign({}, fields),
        Object.assign({}, fields.a),
      ]) {
        expect('polluted' in one).toBe(false);
      }
    });

    it('nothing of constructor, prototype and toString: they are data', () => {
      const hostile = '{"constructor":{"prototype":{"polluted":1}},"toString":1,"prototype":2}';
      for (const json of [hostile, `{"$t":"Fields","v":${hostile}}`]) {
        const fields = codec.decode(JSON.parse(json)).fields;
        expect(Object.hasOwn(fields, 'constructor')).toBe(true);
        expect(Object.hasOwn(fields, 'toString')).toBe(true);
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      }
    });
  });
});

/** Milliseconds of CPU of the best of ten runs: what the machine does besides is not what is measured. */
function fastest(run: () => void): number {
  const times = Array.from({ length: 10 }, () => {
    const began = process.cpuUsage();
    const start = performance.now();
    run();
    const { user, system } = process.cpuUsage(began);
    return Math.min(performance.now() - start, (user + system) / 1_000);
  });
  return Math.min(...times);
}

/** Equal in kind, prototype, holes, order and the sign of zero. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  const kind = (value: object): string => Object.prototype.toString.call(value);
  if (kind(a) !== kind(b) || (Object.getPrototypeOf(a) === null) !== (Object.getPrototypeOf(b) === null)) return false;
  if (types.isDate(a)) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof URL) return a.href === (b as URL).href;
  if (types.isAnyArrayBuffer(a)) return Buffer.from(a).equals(Buffer.from(b as ArrayBuffer));
  if (types.isTypedArray(a)) {
    if (Buffer.isBuffer(a) !== Buffer.isBuffer(b)) return false;
    const bytes = (one: typeof a): Buffer => Buffer.from(one.buffer, one.byteOffset, one.byteLength);
    return bytes(a).equals(bytes(b as typeof a));
  }
  if (types.isMap(a) || types.isSet(a)) return same([...a], [...(b as Set<unknown>)]);
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  const keys = Object.keys(a);
  const order = (all: string[]): string[] => all.toSorted();
  if (JSON.stringify(order(keys)) !== JSON.stringify(order(Object.keys(b)))) return false;
  return keys.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
