import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type LoggerService } from '@nestjs/common';
import {
  FailOnException,
  Job,
  JobFailed,
  JobProcessed,
  JobReleased,
  Limit,
  Middleware,
  MaxAttemptsExceededError,
  Queueable,
  RateLimited,
  RateLimitedWithRedis,
  RateLimiter,
  Skip,
  StoreUnreachableError,
  ThrottlesExceptions,
  Tries,
  UnserializableError,
  Value,
  WithoutOverlapping,
  type JobContext,
  type JobMiddleware,
} from 'nestjs-queue';
import { memoryBackend } from '../../lib/backends/memory/memory-backend.js';
import { MemoryStore } from '../../lib/backends/memory/memory-store.js';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import { systemClock } from '../../lib/support/clock.js';
import { closeApps, openApp, sleep, STORES, until, type Opened } from './open-app.js';

let lines: string[] = [];
let script: (job: Plain) => unknown = () => {};
let around: (job: Plain, next: () => Promise<void>, context: JobContext) => Promise<void> = (_job, next) => next();

const wrap = (name: string): JobMiddleware => ({
  handle: async (_job, next) => {
    lines.push(`${name} in`);
    await next();
    lines.push(`${name} out`);
  },
});

@Injectable()
class Counted implements JobMiddleware {
  constructor(@Inject(RateLimiter) private readonly limiter: RateLimiter) {}
  async handle(_job: object, next: () => Promise<void>) {
    lines.push(`counted by ${this.limiter.constructor.name}`);
    await next();
  }
}

@Value('flow:Tagged')
class Tagged implements JobMiddleware {
  constructor(readonly tag: string) {}
  toJSON() {
    return this.tag;
  }
  static fromJSON(tag: string) {
    return new Tagged(tag);
  }
  async handle(_job: object, next: () => Promise<void>) {
    lines.push(this.tag);
    await next();
  }
}

@Job()
class Plain extends Queueable {
  handle() {
    lines.push(`run ${this.attempts()}`);
    return script(this);
  }
}
@Job()
@Middleware(Counted, wrap('declared'))
class Wrapped extends Plain {
  middleware() {
    return [wrap('method')];
  }
}
@Job()
@Tries(3)
class Inside extends Plain {
  middleware(): JobMiddleware[] {
    return [{ handle: (job, next, context) => around(job as Plain, next, context) }];
  }
}
@Job()
@Tries(2)
@Middleware(new RateLimited('mail').releaseAfter('20ms'))
class Mail extends Plain {}
@Job()
@Tries(0)
@Middleware(new WithoutOverlapping('one').releaseAfter('20ms'))
class Alone extends Plain {}
@Job()
@Tries(0)
@Middleware(new ThrottlesExceptions(2, '300ms').backoff('10ms'))
class Fragile extends Plain {}
@Job()
@Middleware(new RateLimited('mail').dontRelease(), new WithoutOverlapping().dontRelease())
class Dropped extends Plain {}
@Job()
@Middleware(new RateLimited('mail'))
class ByField extends Plain {
  tries = 9;
}
const JOBS = [Plain, Wrapped, Inside, Mail, Alone, Fragile, Dropped, ByField, Counted];

/** What the log says, one line each. */
function logger(): LoggerService & { readonly said: string[] } {
  const said: string[] = [];
  const say = (line: unknown): void => void said.push(String(line));
  return { said, log() {}, debug() {}, verbose() {}, error: say, warn: say, fatal: say };
}

beforeEach(() => {
  lines = [];
  script = () => {};
  around = (_job, next) => next();
});
afterEach(closeApps);

describe.each(STORES)('middleware on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: JOBS, retryAfter: '1s' });
  });
  const whole = (more = {}) => at.workers.work({ stopWhenEmptyFor: '150ms', sleep: '10ms', ...more });
  const failures = (): JobFailed[] => at.seen.filter((one): one is JobFailed => one instanceof JobFailed);
  const releases = (): number[] =>
    at.seen.filter((one): one is JobReleased => one instanceof JobReleased).map(({ delay }) => delay);

  it('comes from the class, then middleware(), then through()', async () => {
    const job = new Wrapped().through([new Tagged('through'), Skip.when(false), new RateLimited('nobody')]);
    const order = [
      'counted by RateLimiter',
      'declared in',
      'method in',
      'through',
      'run 1',
      'method out',
      'declared out',
    ];
    await at.bus.dispatch(job);
    await whole();
    expect(lines).toEqual(order);
    lines = [];
    await at.bus.dispatchSync(job);
    expect(lines).toEqual(order);
  });

  it('through() of one job alone, the last call of which holds, and an empty one takes it back', async () => {
    await at.bus.dispatch(new Plain().through([Skip.when(true)]).through([new Tagged('second')]));
    await at.bus.dispatch(new Plain().through([Skip.when(true)]).through([]));
    await at.bus.dispatch(new Plain().through([Skip.when(true)]));
    await whole();
    expect(lines).toEqual(['second', 'run 1', 'run 1']);
    expect(at.seen.filter((one) => one instanceof JobProcessed)).toHaveLength(3);
  });

  it('what cannot travel is refused at dispatch, and nothing is stored', async () => {
    const refused = (one: JobMiddleware) => at.bus.dispatch(new Plain().through([one]));
    await expect(refused(wrap('x'))).rejects.toThrow(/^Plain\.through\(\) was given Object/);
    await expect(refused(Skip.when(() => true))).rejects.toThrow(/cannot travel with a job/);
    await expect(refused(new FailOnException([TypeError]))).rejects.toThrow(/cannot travel with a job/);
    await expect(refused(new Tagged((() => 1) as never))).rejects.toBeInstanceOf(UnserializableError);
    expect(() => new Plain().through([5 as never])).toThrow(/^Plain\.through\(\) was given 5/);
    expect(() => new Plain().through(wrap('x') as never)).toThrow(/^Plain\.through\(\) was given Object/);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('one that this version does not know fails the job once, with its bytes kept', async () => {
    await at.bus.dispatch(new Plain().through([Skip.when(false)]));
    const [stored] = await at.manager.connection().pendingJobs();
    const body = JSON.stringify(stored!.payload).replace('"Skip"', '"SkipTomorrow"');
    await at.manager.connection().clear();
    await at.manager.connection().pushRaw(body);
    await whole({ tries: 5 });
    expect(lines).toEqual([]);
    expect(failures().map(({ error }) => error.message)).toEqual([expect.stringContaining('named SkipTomorrow')]);
    expect((await at.failed.all())[0]!.payload).toBe(body);
  });

  it('RateLimited: a refusal is a release that counts as an attempt', async () => {
    at.app.get(RateLimiter).for('mail', () => Limit.perMinute(1));
    await at.bus.bulk([new Mail(), new Mail()]);
    await whole();
    expect(lines).toEqual(['run 1']);
    expect(releases()).toEqual([0.02, 0.02]);
    expect(failures().map(({ error }) => error.constructor)).toEqual([MaxAttemptsExceededError]);
  });

  it('RateLimited.dontRelease: a refused job ends as done, unrun', async () => {
    at.app.get(RateLimiter).for('mail', (job: object) => (job instanceof Dropped ? Limit.perMinute(1) : Limit.none()));
    await at.bus.bulk([new Dropped(), new Dropped()]);
    await whole();
    expect(lines).toEqual(['run 1']);
    expect(at.seen.filter((one) => one instanceof JobProcessed)).toHaveLength(2);
  });

  it('WithoutOverlapping: one at a time, whatever the concurrency', async () => {
    let running = 0;
    script = async () => {
      running += 1;
      lines.push(`at once ${running}`);
      await sleep(30);
      running -= 1;
    };
    await at.bus.bulk([new Alone(), new Alone(), new Alone()]);
    await whole({ concurrency: 3 });
    expect(lines.filter((line) => line.startsWith('at once'))).toEqual(['at once 1', 'at once 1', 'at once 1']);
    expect(failures()).toEqual([]);
  });

  it('WithoutOverlapping: a lock that is taken away ends the job by its signal, and the attempt does not count', async () => {
    script = async (job) => {
      if (lines.length > 1) return;
      const locks = await at.manager.connection().backend();
      await locks.locks!.replace('queue-overlap:Alone:one', 'somebody', 400);
      await new Promise((_resolve, reject) => {
        job.signal.addEventListener('abort', () => reject(job.signal.reason as Error));
      });
    };
    await at.bus.dispatch(new Alone());
    await whole({ stopWhenEmptyFor: '600ms' });
    expect(lines[0]).toBe('run 1');
    expect(lines).toHaveLength(2);
    expect(failures()).toEqual([]);
    expect(at.seen.some(({ constructor }) => constructor.name === 'JobExceptionOccurred')).toBe(false);
  });

  it('ThrottlesExceptions: the circuit opens after so many, and closes by itself', async () => {
    script = () => {
      if (lines.length < 3) throw new Error('boom');
    };
    await at.bus.dispatch(new Fragile());
    const work = at.workers.work({ sleep: '10ms' });
    await until(() => lines.length >= 3, 'the third run', 9_000);
    await at.workers.stop();
    await work;
    expect(lines).toHaveLength(3);
    expect(releases().slice(0, 2)).toEqual([0.01, 0.01]);
    expect(releases()[2]).toBeGreaterThan(3);
    expect(failures()).toEqual([]);
    expect(at.seen.filter((one) => one instanceof JobProcessed).length).toBeGreaterThan(0);
  }, 15_000);

  type Ending = 'done' | 'failed' | `released ${number}` | 'retried';
  const boom = new Error('boom');
  const thrown = (): never => {
    throw boom;
  };
  const outer =
    (act: (context: JobContext) => unknown) => async (_job: Plain, next: () => Promise<void>, context: JobContext) => {
      act(context);
      await next();
    };
  const after =
    (act: (context: JobContext) => unknown) => async (_job: Plain, next: () => Promise<void>, context: JobContext) => {
      await next();
      act(context);
    };
  it.each<[string, typeof around, typeof script, Ending, number?]>([
    ['nothing said', (_job, next) => next(), () => 1, 'done'],
    ['next not called', async () => {}, () => 1, 'done'],
    ['middleware releases, no next', async (_job, _next, context) => context.release(7), () => 1, 'released 7'],
    ['middleware releases, handler returns', outer((context) => context.release(7)), () => 1, 'released 7'],
    [
      'middleware releases, handler fails',
      outer((context) => context.release(7)),
      (job) => job.fail('x'),
      'released 7',
    ],
    [
      'middleware releases, handler deletes',
      outer((context) => context.release(7)),
      (job) => job.delete(),
      'released 7',
    ],
    ['middleware deletes, handler throws', outer((context) => context.delete()), thrown, 'done'],
    ['middleware fails, handler returns', outer((context) => context.fail('x')), () => 1, 'failed'],
    ['middleware fails, handler releases', outer((context) => context.fail('x')), (job) => job.release(9), 'failed'],
    [
      'handler releases, middleware fails',
      after((context) => context.fail('x')),
      (job) => job.release(9),
      'released 9',
    ],
    ['handler deletes, middleware throws', after(thrown), (job) => job.delete(), 'done'],
    ['handler fails, middleware throws', after(thrown), (job) => job.fail('x'), 'failed'],
    ['handler releases, then throws', (_job, next) => next(), (job) => (job.release(9), thrown()), 'released 9'],
    ['the same on the last try', (_job, next) => next(), (job) => (job.release(9), thrown()), 'failed', 1],
    [
      'middleware releases, handler throws on the last try',
      outer((context) => context.release(7)),
      thrown,
      'failed',
      1,
    ],
    ['handler throws', (_job, next) => next(), thrown, 'retried'],
    ['handler throws on the last try', (_job, next) => next(), thrown, 'failed', 1],
    [
      'middleware swallows',
      async (_job, next) => {
        await next().catch(() => undefined);
      },
      thrown,
      'done',
    ],
  ])('%s', async (_name, middleware, handler, ending, tries = 3) => {
    around = middleware;
    script = handler;
    await at.bus.dispatch(Object.assign(new Inside(), { tries }));
    await at.workers.runNextJob({ sleep: 1, backoff: 5 });
    const names = at.names();
    const came: Ending = names.includes('JobFailed')
      ? 'failed'
      : names.includes('JobReleased')
        ? `released ${releases()[0]!}`
        : names.includes('JobReleasedAfterException')
          ? 'retried'
          : 'done';
    expect(came).toBe(ending);
    const size = await at.manager.connection().size();
    expect(size.total).toBe(ending === 'done' || ending === 'failed' ? 0 : 1);
    expect(await at.failed.count()).toBe(ending === 'failed' ? 1 : 0);
  });

  it('a limiter in a handler: throttle and funnel', async () => {
    const limiter = at.app.get(RateLimiter);
    script = (job) =>
      limiter
        .throttle('api')
        .allow(1)
        .every(60)
        .block(0)
        .then(
          () =>
            limiter
              .funnel('slots')
              .limit(1)
              .then(() => void lines.push('worked')),
          () => job.release('10ms'),
        );
    await at.bus.bulk([new Inside(), new Inside()]);
    await whole();
    expect(lines.filter((line) => line === 'worked')).toEqual(['worked']);
    expect(failures()).toHaveLength(1);
  });
});

describe('at boot', () => {
  it('jobs that releases may use up are pointed out in one line', async () => {
    const log = logger();
    await openApp('memory', { providers: JOBS, logger: log });
    const hints = log.said.filter((line) => line.includes('each release counts as an attempt'));
    expect(hints).toHaveLength(1);
    expect(hints[0]).toMatch(/^Mail: RateLimited and WithoutOverlapping release jobs/);
  });

  it('a middleware …WithRedis without a redis connection says what to do', async () => {
    @Job()
    class Cached extends Plain {
      middleware() {
        return [new RateLimitedWithRedis('mail')];
      }
    }
    const at = await openApp('memory', { providers: [Cached, Plain] });
    at.app.get(RateLimiter).for('mail', () => Limit.perMinute(100));
    await expect(at.bus.dispatchSync(new Cached())).rejects.toThrow(/found no connection with the driver redis/);
    await expect(
      at.bus.dispatchSync(new Plain().through([new RateLimitedWithRedis('mail', 'nope')])),
    ).rejects.toMatchObject({ code: 'ERR_QUEUE_UNKNOWN_CONNECTION' });
  });
});

describe('a store of locks and limits that goes away', () => {
  let down = false;
  /** Locks and limits in memory, behind a door. */
  function brittle(): Backend {
    const context = { clock: systemClock, connection: 'brittle' } as BackendContext;
    const inner = memoryBackend({ store: new MemoryStore(systemClock) }, context);
    const guarded = <T extends object>(store: T): T =>
      new Proxy(store, {
        get: (target, verb) => {
          const method = (target as Record<string | symbol, unknown>)[verb];
          if (typeof method !== 'function') return method;
          return (...args: unknown[]) =>
            down
              ? Promise.reject(new StoreUnreachableError('brittle', 'memory', new Error('away')))
              : (method.apply(target, args) as unknown);
        },
      });
    return { ...inner, locks: guarded(inner.locks!), limits: guarded(inner.limits!) };
  }

  it('jobs are put off for 5 s, uncounted, and run when it is back', async () => {
    down = true;
    const log = logger();
    const at = await openApp('memory', {
      providers: JOBS,
      logger: log,
      options: {
        locks: { connection: 'brittle' },
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle },
      },
    });
    at.app.get(RateLimiter).for('mail', () => Limit.perMinute(9));
    const types = [Mail, Alone, Fragile];
    await at.bus.bulk(types.map((type) => Object.assign(new type(), { tries: 1 })));
    const work = at.workers.work({ sleep: '20ms' });
    const releases = (): JobReleased[] => at.seen.filter((one): one is JobReleased => one instanceof JobReleased);
    await until(() => releases().length === 3, 'the releases');
    expect(releases().map(({ delay }) => delay)).toEqual([5, 5, 5]);
    for (const { name } of types) {
      expect(log.said).toContainEqual(expect.stringMatching(new RegExp(`^${name}: its .* cannot be asked for.*away`)));
    }
    const waiting = await at.manager.connection().delayedJobs();
    expect(waiting.map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    expect(lines).toEqual([]);
    down = false;
    await until(() => lines.length === 3, 'the runs', 9_000);
    await at.workers.stop();
    await work;
    expect(lines).toEqual(['run 1', 'run 1', 'run 1']);
    expect(at.seen.some((one) => one instanceof JobFailed)).toBe(false);
  }, 15_000);

  it('where there is no queue to go back to, the caller is told', async () => {
    down = true;
    const at = await openApp('memory', {
      providers: JOBS,
      options: {
        locks: { connection: 'brittle' },
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle },
      },
    });
    await expect(at.bus.dispatchSync(new Alone())).rejects.toMatchObject({ code: 'ERR_QUEUE_STORE_UNREACHABLE' });
    expect(lines).toEqual([]);
  });
});
