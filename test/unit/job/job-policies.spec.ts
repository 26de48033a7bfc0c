import { describe, expect, it } from '@jest/globals';
import { Inject } from '@nestjs/common';
import { definitionOf, definitionOfJob, NotAJobError, refusePrivateFields } from '../../../lib/job/job-definition.js';
import { freezePolicies } from '../../../lib/job/job-policies.js';
import {
  Backoff,
  DebounceFor,
  DeleteWhenMissingEntities,
  FailOnTimeout,
  Handle,
  Job,
  MaxExceptions,
  Middleware,
  Timeout,
  Tries,
  Unique,
  UniqueFor,
  UniqueUntilProcessing,
} from '../../../lib/job/job.decorators.js';
import { Queueable } from '../../../lib/job/queueable.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const NOW = 1_000_000;
const freeze = (job: object) => freezePolicies(job, definitionOfJob(job), NOW);

describe('policies', () => {
  it('by decorator', () => {
    @Job()
    @Tries(5)
    @Backoff(1, '5s', 10)
    @Timeout('2m')
    @MaxExceptions(3)
    @FailOnTimeout()
    @DeleteWhenMissingEntities()
    class All extends Queueable {
      handle() {}
    }
    expect(freeze(new All())).toEqual({
      displayName: 'All',
      maxTries: 5,
      backoff: [1_000, 5_000, 10_000],
      timeout: 120_000,
      maxExceptions: 3,
      failOnTimeout: true,
      deleteWhenMissingEntities: true,
    });
  });

  it('none: nothing travels but the name', () => {
    @Job({ name: 'send.it' })
    class Plain extends Queueable {
      handle() {}
    }
    expect(freeze(new Plain())).toEqual({ displayName: 'send.it' });
  });

  it('a list of delays may be one argument; zero says something', () => {
    @Job()
    @Tries(0)
    @Backoff([0, 2])
    @Timeout(0)
    class Zeros extends Queueable {
      handle() {}
    }
    expect(freeze(new Zeros())).toMatchObject({ maxTries: 0, backoff: [0, 2_000], timeout: 0 });
  });

  it('a field beats a decorator, a method too, and null is not set', () => {
    @Job()
    @Tries(5)
    @Timeout(9)
    @Backoff(9)
    @FailOnTimeout()
    class Said extends Queueable {
      tries: number | null = 2;
      failOnTimeout = false;
      retryUntil = new Date(NOW + 5_000);
      timeout() {
        return '1s';
      }
      backoff() {
        return [1, new Date(NOW + 3_000)];
      }
      displayName() {
        return 'Said so';
      }
      handle() {}
    }
    expect(freeze(new Said())).toEqual({
      displayName: 'Said so',
      maxTries: 2,
      timeout: 1_000,
      backoff: [1_000, 3_000],
      retryUntil: NOW + 5_000,
    });
    expect(freeze(Object.assign(new Said(), { tries: null }))).toMatchObject({ maxTries: 5 });
  });

  it('a subclass inherits what it does not say again; a parent’s field beats its decorator', () => {
    @Job({ queue: 'parent', aliases: ['Old'] })
    @Tries(5)
    @Timeout(10)
    class Parent extends Queueable {
      maxExceptions = 2;
      handle() {}
    }
    @Job()
    @Tries(7)
    @MaxExceptions(9)
    class Child extends Parent {}
    expect(definitionOf(Child)).toMatchObject({ name: 'Child', queue: 'parent', tries: 7, timeout: 10_000 });
    expect(definitionOf(Child).aliases).toBeUndefined();
    expect(freeze(new Child())).toMatchObject({ maxTries: 7, maxExceptions: 2, timeout: 10_000 });
    expect(freeze(new Parent())).toMatchObject({ maxTries: 5 });
  });

  it('middleware adds up from the parent down, in the order in which it is written', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ name, handle: async () => {} }));
    @Job()
    @Middleware(a!)
    class Parent extends Queueable {
      handle() {}
    }
    @Job()
    @Middleware(b!)
    @Middleware(c!, d!)
    class Child extends Parent {}
    expect(definitionOf(Child).middleware).toEqual([a, b, c, d]);
    expect(definitionOf(Parent).middleware).toEqual([a]);
  });

  it('reads the rest of the decorators', () => {
    @Job()
    @UniqueFor('1h')
    class One extends Queueable {
      handle() {}
    }
    @Job()
    @UniqueUntilProcessing(5)
    @DebounceFor(30, { maxWait: '2m' })
    class Two extends Queueable {
      handle() {}
    }
    @Job()
    @Unique()
    class Three extends Queueable {
      handle() {}
    }
    expect(definitionOf(One).unique).toEqual({ until: 'end', ttlMs: 3_600_000 });
    expect(definitionOf(Two)).toMatchObject({
      unique: { until: 'start', ttlMs: 5_000 },
      debounce: { delayMs: 30_000, maxWaitMs: 120_000 },
    });
    expect(definitionOf(Three).unique).toEqual({ until: 'end' });
  });

  it.each([
    ['@Tries', () => Tries(Number.NaN)],
    ['@Tries', () => Tries(-1)],
    ['@Tries', () => Tries(1.5)],
    ['@Tries', () => Tries('3' as never)],
    ['@MaxExceptions', () => MaxExceptions(0)],
    ['@Backoff', () => Backoff()],
    ['@Backoff', () => Backoff([])],
    ['@Backoff', () => Backoff(1, Number.NaN)],
    ['@Backoff', () => Backoff(-1)],
    ['@Timeout', () => Timeout(-1)],
    ['@Timeout', () => Timeout('5')],
    ['@UniqueFor', () => UniqueFor(Infinity)],
    ['@DebounceFor', () => DebounceFor('soon')],
    ['@Job on Bad: name', () => Job({ name: '' })],
    ['@Job on Bad: queue', () => Job({ queue: 5 as never })],
    ['@Job on Bad: delay', () => Job({ delay: Number.NaN })],
    ['@Job on Bad: one of aliases', () => Job({ aliases: [''] })],
    ['@Middleware on Bad', () => Middleware({} as never)],
    ['@Middleware on Bad', () => Middleware(class {} as never)],
  ])('what cannot be is refused when the class is made: %s', (says, make) => {
    class Bad {}
    expect(() => make()(Bad)).toThrow(InvalidOptionError);
    expect(() => make()(Bad)).toThrow(says);
    expect(() => make()(Bad)).toThrow('Bad');
  });

  it('a negative delay in @Job means now', () => {
    expect(() => Job({ delay: -5 })(class Fine {})).not.toThrow();
  });
});

describe('definitionOf', () => {
  it('knows the handler, and what the container fills', () => {
    @Job()
    class Marked extends Queueable {
      @Inject('x') readonly injected!: string;
      @Handle()
      perform() {}
      handle() {}
    }
    @Job()
    class Below extends Marked {
      @Inject('y') readonly more!: string;
    }
    expect(definitionOf(Marked)).toMatchObject({ handler: 'perform', injected: new Set(['injected']) });
    expect(definitionOf(Below).handler).toBe('perform');
    expect(definitionOf(Below).injected).toEqual(new Set(['more', 'injected']));
  });

  it('refuses a class without a handler', () => {
    @Job()
    class Empty {}
    expect(() => definitionOf(Empty)).toThrow(NotAJobError);
    expect(() => definitionOf(Empty)).toThrow('Empty has no handle() method');
  });

  it.each([
    ['null', null, 'null'],
    ['a number', 7, '7'],
    ['a plain object', {}, 'a plain object'],
    ['no prototype', Object.create(null), 'a plain object'],
    ['a list', [], 'a plain object'],
    ['a function', () => {}, 'a function'],
    ['an instance of something else', new Map(), 'Map is not a job'],
  ])('refuses %s', (_, value, says) => {
    expect(() => definitionOfJob(value)).toThrow(NotAJobError);
    expect(() => definitionOfJob(value)).toThrow(says);
  });
});

describe('#private fields', () => {
  it.each([
    [
      'a field',
      class {
        #a = 1;
        handle() {
          return this.#a;
        }
      },
    ],
    [
      'a method',
      class {
        #a() {}
        handle() {
          this.#a();
        }
      },
    ],
    [
      'inside a template',
      class {
        #a = 1;
        handle() {
          return `# ${this.#a}`;
        }
      },
    ],
  ])('are refused: %s', (_, type) => {
    expect(() => refusePrivateFields(type)).toThrow(InvalidOptionError);
    expect(() => refusePrivateFields(type)).toThrow('write "private a" instead');
    expect(() => refusePrivateFields(class extends type {})).toThrow(InvalidOptionError);
  });

  it('what only looks like one is none', () => {
    class Fine {
      handle() {
        // this.#comment
        return ['a.#text', 'b.#text', `c.#text`, '#hash'];
      }
    }
    expect(() => refusePrivateFields(Fine)).not.toThrow();
  });
});
