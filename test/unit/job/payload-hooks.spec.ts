import { describe, expect, it } from '@jest/globals';
import { PayloadHookError, runPayloadHooks, type PayloadHook } from '../../../lib/job/payload-hooks.js';

const to = { connection: 'redis', queue: 'mails' };
const run = (...hooks: unknown[]): unknown => runPayloadHooks(hooks as PayloadHook[], { name: 'Send' }, to);
const thrown = (...hooks: unknown[]): PayloadHookError => {
  try {
    run(...hooks);
  } catch (error) {
    if (error instanceof PayloadHookError) return error;
    throw error;
  }
  throw new Error('It was taken.');
};

describe('payload hooks', () => {
  it('add up: each sees the payload with what those before it added, and later ones win', () => {
    const seen: unknown[] = [];
    const hook =
      (added: object): PayloadHook =>
      (connection, queue, payload) => {
        seen.push([connection, queue, payload]);
        return added;
      };
    expect(run(hook({ a: 1, b: 1 }), hook({ b: 2 }), hook({}))).toEqual({ a: 1, b: 2 });
    expect(seen).toEqual([
      ['redis', 'mails', { name: 'Send' }],
      ['redis', 'mails', { name: 'Send', a: 1, b: 1 }],
      ['redis', 'mails', { name: 'Send', a: 1, b: 2 }],
    ]);
  });

  it('may add nothing', () => {
    expect(run()).toBeUndefined();
    expect(run(() => ({}))).toBeUndefined();
  });

  it('may add whatever JSON can carry', () => {
    const added = { s: '', n: -1.5, b: false, z: null, list: [1, [{}]], deep: { a: { b: [null] } }, gone: undefined };
    expect(run(() => added)).toEqual(added);
    const twice = { x: 1 };
    expect(run(() => ({ a: twice, b: [twice, twice] }))).toEqual({ a: twice, b: [twice, twice] });
    expect(run(() => Object.assign(Object.create(null) as object, { a: 1 }))).toEqual({ a: 1 });
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = [circle];
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', 'x', '"x"'],
    ['a list', [1], 'Array'],
    ['a promise', Promise.resolve({}), 'Promise'],
    ['a map', new Map(), 'Map'],
    ['an object of a class', new (class Trace {})(), 'Trace'],
    ['a date inside', { at: new Date(0) }, 'at: Date'],
    ['NaN inside', { deep: [{ n: Number.NaN }] }, 'deep[0].n: NaN'],
    ['a bigint inside', { n: 1n }, 'n: 1'],
    ['a function inside', { deep: { f: () => 1 } }, 'deep.f: the function f'],
    ['undefined in a list', { list: [undefined] }, 'list[0]: undefined'],
    ['a circle', circle, 'self[0], which leads back to itself'],
    ['a __proto__ key', JSON.parse('{"__proto__":{"a":1}}'), 'an own __proto__ key'],
  ])('may not return %s', (_, given, what) => {
    const error = thrown(function addTrace() {
      return given;
    });
    expect(error.message).toBe(`The payload hook addTrace returned ${what}. Return an object of JSON values.`);
    expect(error.code).toBe('ERR_QUEUE_PAYLOAD_HOOK');
  });

  it('are named when they throw, by their place where they have no name', () => {
    const cause = new Error('no tenant');
    const error = thrown(
      () => ({}),
      (() => () => {
        throw cause;
      })(),
    );
    expect(error.message).toBe('The payload hook number 2 failed, and the job was not sent: no tenant');
    expect(error.cause).toBe(cause);
    const named = thrown(function addTenant() {
      // oxlint-disable-next-line no-throw-literal, only-throw-error
      throw 'a text';
    });
    expect(named.message).toBe('The payload hook addTenant failed, and the job was not sent: a text');
  });
});
