import { describe, expect, it } from '@jest/globals';
import { errorLine, errorText, LONGEST_EXCEPTION, toError } from '../../../lib/support/error-text.js';

class PodcastError extends Error {
  override name = 'PodcastError';
}

const circular: { self?: unknown } = {};
circular.self = circular;

const hostileProxy = new Proxy(
  {},
  {
    get: () => {
      throw new Error('trap');
    },
    getPrototypeOf: () => {
      throw new Error('trap');
    },
    ownKeys: () => {
      throw new Error('trap');
    },
  },
);

/** Everything that can be thrown. */
const thrown: readonly (readonly [string, unknown, RegExp])[] = [
  ['undefined', undefined, /threw undefined/],
  ['null', null, /threw null/],
  ['a string', 'no such file', /threw no such file/],
  ['an empty string', '', /threw/],
  ['a number', 42, /threw 42/],
  ['a bigint', 42n, /threw 42/],
  ['a symbol', Symbol('s'), /threw Symbol\(s\)/],
  ['a function', () => 1, /threw/],
  ['an object', { code: 'E_AUDIO' }, /threw \{"code":"E_AUDIO"\}/],
  ['a frozen object', Object.freeze({ code: 1 }), /threw \{"code":1\}/],
  ['an object without prototype', Object.create(null), /threw/],
  ['a circular object', circular, /threw/],
  ['a proxy whose traps throw', hostileProxy, /threw/],
  [
    'an object whose getter throws',
    {
      get message(): string {
        throw new Error('getter');
      },
    },
    /threw/,
  ],
  [
    'an object whose toJSON and toString throw',
    {
      toJSON: () => {
        throw new Error('json');
      },
      toString: () => {
        throw new Error('string');
      },
    },
    /threw/,
  ],
];

describe('toError', () => {
  it.each(thrown)('makes an Error of %s', (_, value, message) => {
    const error = toError(value);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toMatch(message);
    expect(typeof errorText(error)).toBe('string');
  });

  it('hands an Error back as it is, frozen or not', () => {
    const error = Object.freeze(new PodcastError('broken'));
    expect(toError(error)).toBe(error);
  });

  it('keeps what was thrown as the cause', () => {
    const value = { code: 1 };
    expect(toError(value).cause).toBe(value);
  });
});

describe('errorText', () => {
  it.each(thrown)('never throws, here for %s', (_, value) => {
    expect(typeof errorText(value)).toBe('string');
    expect(typeof errorLine(value)).toBe('string');
  });

  it('has name, message, stack and causes', () => {
    const text = errorText(new PodcastError('cannot encode', { cause: new Error('disk full', { cause: 'quota' }) }));
    expect(text).toMatch(/cannot encode\n\s+at /);
    expect(text).toMatch(/Caused by: Error: disk full\n\s+at /);
    expect(text).toMatch(/Caused by: quota$/);
  });

  it('has a message that was set after the stack was made', () => {
    const error = new Error('before');
    error.message = 'after';
    expect(errorText(error)).toContain('after');
  });

  it('ends with causes that go in a circle or on and on', () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    expect(errorText(a).match(/Caused by/g)).toHaveLength(1);
    let deep = new Error('0');
    for (let level = 1; level < 1_000; level++) deep = new Error(String(level), { cause: deep });
    expect(errorText(deep).match(/Caused by/g)!.length).toBeLessThan(20);
  });

  it('is cut to its limit, fast, also for a message of 50 MB', () => {
    const error = new Error('x'.repeat(50_000_000));
    const start = performance.now();
    const text = errorText(error);
    expect(text.length).toBeLessThanOrEqual(LONGEST_EXCEPTION);
    expect(text.startsWith('Error: xxx')).toBe(true);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('leaves out the passwords of URLs, and is not held up by a text made for that', () => {
    const cause = new Error('connect postgres://app:pa55@db:5432/x');
    const text = errorText(new Error('no redis://:s3cret@cache/0', { cause }));
    expect(text).toContain('no redis://:***@cache/0');
    expect(text).toContain('postgres://app:***@db:5432/x');
    expect(text).not.toMatch(/pa55|s3cret/);
    for (const part of ['a.', 'a://', 'a://b:', 'a://b:c@', ':', 'a-']) {
      const start = performance.now();
      errorText(part.repeat(100_000));
      expect(performance.now() - start).toBeLessThan(1_000);
    }
  });

  it('survives an error whose own fields throw', () => {
    const get = (): never => {
      throw new Error('getter');
    };
    const fields = ['message', 'name', 'stack', 'cause'].map((field) => [field, { get }]);
    const error: unknown = Object.create(Error.prototype, Object.fromEntries(fields));
    expect(toError(error)).toBe(error);
    expect(errorText(error)).toBe('an error that cannot be printed');
  });
});

describe('toError', () => {
  it('shows nothing of an object that an encrypted job threw', () => {
    const thrown = { card: 'canary' };
    expect(toError(thrown).message).toContain('canary');
    const error = toError(thrown, true);
    expect(errorText(error)).not.toContain('canary');
    expect(error.cause).toBeUndefined();
    expect(toError('said so', true).message).toBe('The job threw said so');
    expect(toError(null, true)).toBeInstanceOf(Error);
    const own = new Error('own');
    expect(toError(own, true)).toBe(own);
  });
});

describe('errorLine', () => {
  it('is one line of at most 500 characters', () => {
    expect(errorLine(new Error('first\nsecond'))).toBe('Error: first');
    expect(errorLine(new Error('x'.repeat(9_000)))).toHaveLength(500);
  });
});
