import { describe, expect, it } from '@jest/globals';
import {
  DebounceFor,
  InvalidOptionError,
  Job,
  Queueable,
  Unique,
  UniqueFor,
  UniqueUntilProcessing,
  type Duration,
} from 'nestjs-queue';
import { definitionOfJob } from '../../../lib/job/job-definition.js';
import { lockKey } from '../../../lib/job/lock-key.js';
import { lockMarks, lockPolicies, refuseBothPolicies } from '../../../lib/job/lock-policies.js';

const policies = (job: object) => lockPolicies(job, definitionOfJob(job));

abstract class Base extends Queueable {
  handle() {}
}
@Job()
class Plain extends Base {}
@Job()
@Unique()
class Whole extends Base {}
@Job()
@UniqueFor('1h')
class Each extends Base {
  constructor(public uniqueId: unknown) {
    super();
  }
}

describe('lockKey', () => {
  const hostile = [
    '',
    ':',
    '1:a',
    '0:',
    'a',
    'a:',
    'ä',
    'a\u0308',
    '\u0000',
    '\ud800',
    '\ud801',
    '\ufffd',
    '💥',
    'null',
    'undefined',
    ' ',
    '*',
    '%',
    "'; DROP TABLE jobs; --",
    '\r\n',
    'k'.repeat(1_000_000),
    `${'k'.repeat(1_000_000)}!`,
  ];

  it('has no two kinds under one key', () => {
    const keys = new Set<string>();
    for (const name of hostile) {
      keys.add(lockKey('unique', name, undefined));
      for (const id of hostile) {
        keys.add(lockKey('unique', name, id));
        keys.add(lockKey('debounce', name, id));
      }
    }
    expect(keys.size).toBe(hostile.length * (1 + 2 * hostile.length));
  });

  it('is short, plain, and begins with what it is about', () => {
    expect(lockKey('unique', 'ProcessPodcast', '1')).toMatch(/^unique:ProcessPodcast:[0-9a-f]{64}$/);
    for (const name of hostile) expect(lockKey('debounce', name, name)).toMatch(/^debounce:[\w.-]{0,40}:[0-9a-f]{64}$/);
  });

  it('stays the same from one release to the next', () => {
    expect(lockKey('unique', 'ProcessPodcast', '7')).toBe(
      'unique:ProcessPodcast:e1e4d86510228f1eba10c0824c8c59aedfc76ee1f9bad063fa90eb4c1db966c7',
    );
  });
});

describe('lockPolicies', () => {
  it('says nothing of a job that says nothing', () => {
    expect(policies(new Plain())).toBeUndefined();
  });

  it('takes the whole class where it does not speak of an id', () => {
    expect(policies(new Whole())).toEqual({
      unique: { key: lockKey('unique', 'Whole', undefined), until: 'end', ttlMs: Infinity },
    });
  });

  it.each([
    ['a', 'a'],
    ['', ''],
    [7, '7'],
    [-0.5, '-0.5'],
    [() => 'from a method', 'from a method'],
  ])('takes %p as an id', (given, id) => {
    expect(policies(new Each(given))?.unique).toEqual({
      key: lockKey('unique', 'Each', id),
      until: 'end',
      ttlMs: 3_600_000,
    });
  });

  it.each([undefined, null, NaN, Infinity, {}, [], true, 1n, Symbol('s'), () => undefined, () => Promise.resolve('a')])(
    'refuses %p as an id rather than to lock the class',
    (given) => {
      expect(() => policies(new Each(given))).toThrow(InvalidOptionError);
      expect(() => policies(new Each(given))).toThrow('would stand for every job of the class');
    },
  );

  it('is about what the job is called, where it says that', () => {
    @Job({ name: 'travels' })
    @UniqueUntilProcessing()
    class Named extends Base {
      displayName?: string;
    }
    expect(policies(new Named())?.unique?.key).toBe(lockKey('unique', 'travels', undefined));
    const named = Object.assign(new Named(), { displayName: 'shown' });
    expect(policies(named)?.unique?.key).toBe(lockKey('unique', 'shown', undefined));
  });

  it.each<[Duration | undefined, number]>([
    [undefined, 60_000],
    [0, Infinity],
    [5, 5_000],
    ['2m', 120_000],
  ])('a field uniqueFor of %p makes it %p ms', (uniqueFor, ttlMs) => {
    @Job()
    @UniqueFor(60)
    class Timed extends Base {
      uniqueFor: Duration | undefined = uniqueFor;
    }
    expect(policies(new Timed())?.unique?.ttlMs).toBe(ttlMs);
  });

  it('reads a debounce from fields as well as from the decorator', () => {
    @Job()
    class Late extends Base {
      debounceFor = '30s';
      debounceId = 3;
      debounceVia = 'redis';
    }
    const late = new Late();
    const key = lockKey('debounce', 'Late', '3');
    expect(policies(late)).toEqual({ debounce: { key, delayMs: 30_000, via: 'redis' } });
    expect(lockMarks(policies(late)!, 'the-id')).toEqual({ debounce: { key, owner: 'the-id', via: 'redis' } });
    @Job()
    @DebounceFor(5, { maxWait: '1m' })
    class Decorated extends Base {
      debounceId() {
        return 'x';
      }
    }
    const own = { key: lockKey('debounce', 'Decorated', 'x'), delayMs: 5_000, maxWaitMs: 60_000 };
    expect(policies(new Decorated())).toEqual({ debounce: own });
  });

  it('refuses both at once, in a class and in a job', () => {
    @Job()
    @Unique()
    @DebounceFor(1)
    class Both extends Base {}
    @Job()
    @Unique()
    class ByMethod extends Base {
      debounceFor() {
        return 1;
      }
    }
    for (const job of [new Both(), new ByMethod(), Object.assign(new Whole(), { debounceFor: 1 })]) {
      expect(() => policies(job)).toThrow('is both unique and debounced');
    }
    expect(() => refuseBothPolicies(definitionOfJob(new Both()))).toThrow('is both unique and debounced');
    expect(() => refuseBothPolicies(definitionOfJob(new ByMethod()))).toThrow('is both unique and debounced');
    expect(() => refuseBothPolicies(definitionOfJob(new Whole()))).not.toThrow();
  });

  it('puts into the envelope what the worker needs', () => {
    const unique = { key: 'k', until: 'end' as const, ttlMs: Infinity };
    expect(lockMarks({ unique }, 'id')).toEqual({ unique: { key: 'k', until: 'end' } });
    expect(lockMarks({ unique: { ...unique, ttlMs: 5, via: 'b' } }, 'id')).toEqual({
      unique: { key: 'k', until: 'end', ttlMs: 5, via: 'b' },
    });
  });
});
