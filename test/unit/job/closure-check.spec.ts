import { describe, expect, it } from '@jest/globals';
import { checkedSource, ClosureSourceError } from '../../../lib/job/closure-check.js';

/** The function that a source makes, as an application would have written it. */
function fn(source: string): Function {
  // oxlint-disable-next-line no-eval -- the sources stand in the tables below
  return (0, eval)(`(${source})`) as Function;
}

function refusalOf(given: Function): ClosureSourceError {
  try {
    checkedSource(given, 'Report');
  } catch (error) {
    if (error instanceof ClosureSourceError) return error;
    throw error;
  }
  throw new Error('It was taken.');
}

describe('the source of a closure', () => {
  it.each([
    ['its parameters', 'async ({ id }, podcasts) => podcasts.publish(id)'],
    ['a parameter without braces', 'values => values.id'],
    ['a function that is no arrow', 'async function send(values, mailer) { await mailer.send(values); return send; }'],
    [
      'patterns with defaults and rests',
      '({ id = 1, ...rest }, [first, , { deep }] = [], ...more) => [id, rest, first, deep, more]',
    ],
    ['a default that uses an earlier parameter', '(values, at = values.at) => at'],
    ['its own variables', '(v) => { const a = 1; let b = a; var c = b; b++; return a + b + c; }'],
    ['variables declared further down', '(v) => { x = v; { var x; } return f(x); function f(y) { return y; } }'],
    [
      'loops',
      '(v) => { for (let i = 0; i < 3; i++) v.n += i; for (const k of v.list) v.n += k; for (const k in v) delete v[k]; for (var j in v) j; return j; }',
    ],
    ['labels', '(v) => { outer: for (;;) { for (;;) { if (v) continue outer; break outer; } } }'],
    [
      'errors caught, with and without a name',
      '(v) => { try { v.f(); } catch ({ message }) { return message; } try { v.g(); } catch {} }',
    ],
    [
      'switches',
      '(v) => { switch (v.kind) { case 1: { let one = 1; return one; } case 2: let two = 2; return two; default: } }',
    ],
    [
      'functions inside',
      '(v) => v.list.map((one, index) => one * index).filter(function (x) { return arguments.length > 0 && this === undefined && x; })',
    ],
    [
      'classes inside',
      '(v) => { class A { #x = 1; static y = this.name; static { this.z = A; } get x() { return this.#x; } } return class B extends A { constructor() { super(); this.w = super.x; } }; }',
    ],
    [
      'objects with methods',
      '(v) => ({ v, id: v.id, run() { return this.id; }, get size() { return this.v; }, [v.key]: 1 })',
    ],
    [
      'property names that are names elsewhere',
      '(v) => ({ process: v.process, require: 1, eval: v?.eval, this: v.this })',
    ],
    ['templates', '(v) => `${v.a} and ${v.b}` + String.raw`${v.c}`'],
    [
      'the standard globals',
      `async (v) => [undefined, NaN, Math.max(1), JSON.stringify(v), new Map(), new URL('http://x'), Buffer.from('x'),
      console, setTimeout, await fetch, structuredClone(v), new TextEncoder(), new AbortController(), Promise.all([]), crypto.randomUUID(),
      performance.now(), BigInt(1), Symbol('x'), new Error('x'), Intl, parseInt('1'), queueMicrotask, new Date(), /x/.test('x')]`,
    ],
    ['generators inside', '(v) => [...(function* () { yield v; })()]'],
    [
      'comments and strings that name things',
      '(v) => { /* process.exit() */ return "require(this)" + v.id; // eval\n }',
    ],
    ['await for', 'async (v) => { for await (const one of v.stream) v.take(one); }'],
  ])('is taken with %s', (_, source) => {
    const given = fn(source);
    expect(checkedSource(given, 'Report')).toBe(given.toString());
  });

  it.each([
    ['a name from around it', '({ id }) => mailer.send(id)', 'mailer', 1, 13],
    ['a name further down', '({ id }) => {\n  const a = id;\n  return a + rate;\n}', 'rate', 3, 14],
    ['a name in a nested function', '(v) => v.list.map((one) => one * factor)', 'factor', 1, 34],
    ['a name in a default', '(v, at = now) => at', 'now', 1, 10],
    [
      "a default that would need the body's variable",
      '(v, at = later) => { var later = 1; return at; }',
      'later',
      1,
      10,
    ],
    ['a name in a shorthand property', '(v) => ({ v, tenant })', 'tenant', 1, 14],
    ['a name as a computed key', '(v) => ({ [field]: v })', 'field', 1, 12],
    ['a name in a template', '(v) => `${prefix}${v}`', 'prefix', 1, 11],
    ['a name as a tag', '(v) => sql`x`', 'sql', 1, 8],
    ['a name as a superclass', '(v) => class extends Base {}', 'Base', 1, 22],
    ['a name in a field of a class', '(v) => class { x = limit; }', 'limit', 1, 20],
    ['a variable out of its block', '(v) => { { let x = 1; } return x; }', 'x', 1, 32],
    ['a variable of a loop behind it', '(v) => { for (const i of v) {} return i; }', 'i', 1, 39],
    ['a caught error behind it', '(v) => { try {} catch (e) {} return e; }', 'e', 1, 37],
    ["a nested function's own variable", '(v) => { (() => { var x = 1; })(); return x; }', 'x', 1, 43],
    ['a function out of its block', '(v) => { { function f() {} } return f(); }', 'f', 1, 37],
    ['an assignment to nothing', '(v) => { count = v; }', 'count', 1, 10],
    ['typeof of a name', '(v) => typeof window', 'window', 1, 15],
    ['this', '(v) => this.id', 'this', 1, 8],
    ['its own this', 'function (v) { return this.id; }', 'this', 1, 23],
    ['this in an arrow inside', '(v) => v.map(() => this)', 'this', 1, 20],
    ['arguments', '(v) => arguments[0]', 'arguments', 1, 8],
    ['its own arguments', 'function (v) { return arguments[0]; }', 'arguments', 1, 23],
    ['import()', "async (v) => import('node:fs')", 'import()', 1, 14],
    ['require', "(v) => require('node:fs')", 'require', 1, 8],
    ['eval', "(v) => eval('1')", 'eval', 1, 8],
    ['Function', "(v) => new Function('return 1')", 'Function', 1, 12],
    ['process', '(v) => process.env.KEY', 'process', 1, 8],
    ['globalThis', '(v) => globalThis.process', 'globalThis', 1, 8],
    ['module', '(v) => module.exports', 'module', 1, 8],
    ['WebAssembly', '(v) => WebAssembly', 'WebAssembly', 1, 8],
    ['what a script takes for a comment', '(v) => { return v <!--hidden;\n }', 'hidden', 1, 23],
    ['a name in the computed key of a parameter', '({ [field]: v }) => v', 'field', 1, 5],
    ['a name in the default of a caught error', '(v) => { try {} catch ({ at = clock }) {} }', 'clock', 1, 31],
    ['a name in a pattern that is assigned to', '(v) => { let a; ({ a = rate, b: sum } = v); }', 'rate', 1, 24],
    ['a name under a label of that name', '(v) => { rate: for (;;) break rate; return rate; }', 'rate', 1, 44],
    ['this in the computed key of a class', '(v) => class { [this.x] = 1; }', 'this', 1, 17],
    ['a name written in escapes', '(v) => \\u0072ate', 'rate', 1, 8],
  ])('is refused with %s', (_, source, name, line, column) => {
    const refused = refusalOf(fn(source));
    expect(refused.names[0]).toEqual({ name, line, column });
    expect(refused.message).toContain(`Report uses ${name} (line ${line}, column ${column})`);
    expect(refused.code).toBe('ERR_QUEUE_CLOSURE_SOURCE');
  });

  it('names what else it uses, and says how many more there are', () => {
    const { message, names } = refusalOf(fn('(v) => [a, b, c, d, e]'));
    expect(names.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(message).toMatch(/uses a \(.*\), b \(.*\), c \(.*\) and 2 more, which would not be there/);
    expect(message).toMatch(/call\(Service, 'method', …\)/);
  });

  it('is refused with import.meta, which only modules have', () => {
    expect(refusalOf(() => import.meta.url).message).toMatch(/import\.meta/);
  });

  it.each<[string, () => Function, RegExp]>([
    ['a bound function', () => fn('(v) => v').bind(null), /bound or a native function/],
    ['a native function', () => Math.max, /bound or a native function/],
    ['a method', () => (fn('() => ({ send(v) { return v; } })')() as { send: Function }).send, /is a method/],
    [
      'an async method',
      () => (fn('() => ({ async send(v) { return v; } })')() as { send: Function }).send,
      /is a method/,
    ],
    [
      'a getter',
      // oxlint-disable-next-line typescript/unbound-method -- it is never called
      () => Object.getOwnPropertyDescriptor(fn('() => ({ get x() { return 1; } })')() as object, 'x')!.get!,
      /is a method/,
    ],
    ['a generator', () => fn('function* (v) { yield v; }'), /generator/],
    ['an async generator', () => fn('async function* (v) { yield v; }'), /generator/],
    ['a class', () => fn('class Report {}'), /not a plain function/],
    ['super', () => (fn('() => ({ send(v) { return super.send(v); } })')() as { send: Function }).send, /is a method/],
    ['what strict mode forbids', () => fn('function (v) { with (v) { return id; } }'), /cannot be read/],
  ])('is refused of %s', (_, make, why) => {
    expect(refusalOf(make()).message).toMatch(why);
  });
});
