import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Backoff,
  FailOnTimeout,
  Job,
  JobAttempted,
  JobFailed,
  JobReleased,
  JobReleasedAfterException,
  JobTimedOut,
  LeaseLostError,
  ManuallyFailedError,
  MaxAttemptsExceededError,
  Middleware,
  Queueable,
  TimeoutExceededError,
  Timeout,
  Tries,
  type JobContext,
  type JobMiddleware,
} from 'nestjs-queue';
import { closeApps, openApp, sleep, STORES, until, type Opened } from './open-app.js';

type Body = (job: Scripted) => unknown;
let script: Body = () => {};
let failedWith: unknown[] = [];
let order: string[] = [];

@Job()
class Scripted extends Queueable {
  async handle() {
    order.push('handle');
    return script(this);
  }
  failed(error: Error | null) {
    order.push('failed()');
    failedWith.push(error);
  }
}
@Job()
@Tries(3)
@Backoff('20ms')
class Retried extends Scripted {}
@Job()
@Timeout('60ms')
class Timed extends Scripted {}
@Job()
@Timeout('60ms')
@Tries(3)
class TimedRetried extends Scripted {}
@Job()
@Timeout('60ms')
@Tries(3)
@FailOnTimeout()
class TimedFailing extends Scripted {}

class Wrap implements JobMiddleware {
  async handle(_job: object, next: () => Promise<void>, context: JobContext) {
    await wrap(next, context);
  }
}
let wrap: (next: () => Promise<void>, context: JobContext) => Promise<void> = (next) => next();
@Job()
@Middleware(new Wrap())
class Wrapped extends Scripted {}

const JOBS = [Scripted, Retried, Timed, TimedRetried, TimedFailing, Wrapped];
const WHOLE = ['JobPopped', 'JobProcessing'];

beforeEach(() => {
  script = () => {};
  wrap = (next) => next();
  failedWith = [];
  order = [];
});
afterEach(closeApps);

describe.each(STORES)('the order of events on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: JOBS });
    for (const type of [JobFailed]) at.manager.on(type, () => void order.push(type.name));
  });
  const last = <E>(type: new (...args: any[]) => E): E =>
    at.seen.filter((one): one is E & object => one instanceof type).at(-1)!;
  const run = async (job: Scripted, worker = {}): Promise<string[]> => {
    await at.bus.dispatch(job);
    at.names();
    await at.workers.runNextJob({ sleep: 0, ...worker });
    return at.names();
  };
  const size = async (): Promise<number> => (await at.manager.connection().size()).total;

  it('success', async () => {
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobProcessed', 'JobAttempted']);
    expect(last(JobAttempted)).toMatchObject({ error: null });
    expect(last(JobAttempted).successful()).toBe(true);
    expect(await size()).toBe(0);
  });

  it('release by hand', async () => {
    script = (job) => job.release('80ms');
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobProcessed', 'JobReleased', 'JobAttempted']);
    expect(last(JobReleased).delay).toBe(0.08);
    expect(last(JobAttempted).successful()).toBe(true);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 0, delayed: 1 });
  });

  it('delete by hand', async () => {
    script = (job) => job.delete();
    expect(await run(new Retried())).toEqual([...WHOLE, 'JobProcessed', 'JobAttempted']);
    expect(await size()).toBe(0);
  });

  it.each([
    ['a text', (job: Scripted) => job.fail('why'), 'why', 'why'],
    ['an error', (job: Scripted) => job.fail(new RangeError('far')), 'far', 'far'],
    ['nothing', (job: Scripted) => job.fail(), 'Retried was failed by hand.', null],
  ] as const)('fail by hand with %s', async (_, body, message, given) => {
    script = body;
    expect(await run(new Retried())).toEqual([...WHOLE, 'JobFailed', 'JobProcessed', 'JobAttempted']);
    expect(order).toEqual(['handle', 'failed()', 'JobFailed']);
    expect(last(JobFailed).error.message).toBe(message);
    expect(last(JobFailed).job.error).toBe(last(JobFailed).error);
    expect(last(JobAttempted)).toMatchObject({ error: null });
    expect(last(JobAttempted).successful()).toBe(false);
    expect(failedWith.map((one) => (one as Error | null)?.message ?? null)).toEqual([given]);
    const [record] = await at.failed.all();
    expect(record!.exception).toContain(message);
    expect(await size()).toBe(0);
  });

  it('fail() given something else is an exception', async () => {
    script = (job) => job.fail({ not: 'an error' } as never);
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(last(JobFailed).error.message).toContain('a string or an Error');
  });

  it('code after fail() goes on, and a later throw changes nothing of the failure', async () => {
    script = (job) => {
      job.fail('first');
      order.push('went on');
      throw new Error('second');
    };
    expect(await run(new Retried())).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(order).toEqual(['handle', 'went on', 'failed()', 'JobFailed']);
    expect(last(JobFailed).error).toBeInstanceOf(ManuallyFailedError);
  });

  it('exception with tries left', async () => {
    const error = new Error('again');
    script = () => Promise.reject(error);
    expect(await run(new Retried())).toEqual([
      ...WHOLE,
      'JobExceptionOccurred',
      'JobReleasedAfterException',
      'JobAttempted',
    ]);
    expect(last(JobReleasedAfterException)).toMatchObject({ backoff: 0.02, error });
    expect(last(JobAttempted).error).toBe(error);
    expect(order).toEqual(['handle']);
  });

  it.each([[undefined], [null], ['a text'], [Object.freeze({})], [42]])(
    'something thrown that is no error: %p',
    async (thrown) => {
      script = () => {
        throw thrown;
      };
      expect(await run(new Retried())).toEqual([
        ...WHOLE,
        'JobExceptionOccurred',
        'JobReleasedAfterException',
        'JobAttempted',
      ]);
      expect(last(JobReleasedAfterException).error).toBeInstanceOf(Error);
      expect(last(JobAttempted).successful()).toBe(false);
    },
  );

  it('an error whose every property throws', async () => {
    script = () => {
      throw new Proxy(new Error('hidden'), {
        get() {
          throw new Error('no look');
        },
        getPrototypeOf() {
          throw new Error('no look');
        },
      });
    };
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(await at.failed.count()).toBe(1);
  });

  it('exception on the last attempt', async () => {
    const error = new Error('over');
    script = () => Promise.reject(error);
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(order).toEqual(['handle', 'failed()', 'JobFailed']);
    expect(last(JobFailed).error).toBe(error);
    expect(failedWith).toEqual([error]);
    expect(await at.failed.count()).toBe(1);
    expect(await size()).toBe(0);
  });

  it('already exceeded on pick-up', async () => {
    script = (job) => job.release();
    await run(new Scripted());
    order = [];
    await at.workers.runNextJob({ sleep: 0 });
    expect(at.names()).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(order).toEqual(['failed()', 'JobFailed']);
    expect(last(JobFailed).error).toBeInstanceOf(MaxAttemptsExceededError);
    expect(last(JobFailed).error.message).toBe('Scripted has been attempted too many times.');
  });

  it('timeout with tries left', async () => {
    let reason: unknown;
    script = (job) =>
      new Promise((_, reject) => {
        job.signal.addEventListener('abort', () => reject((reason = job.signal.reason)));
      });
    expect(await run(new TimedRetried())).toEqual([
      ...WHOLE,
      'JobTimedOut',
      'JobExceptionOccurred',
      'JobReleasedAfterException',
      'JobAttempted',
    ]);
    expect(reason).toBeInstanceOf(TimeoutExceededError);
    expect(last(JobTimedOut).timeout).toBe(0.06);
    expect(last(JobAttempted).error).toBeInstanceOf(TimeoutExceededError);
  });

  it.each([
    ['the last attempt', Timed],
    ['failOnTimeout', TimedFailing],
  ])('timeout: %s', async (_, type) => {
    script = (job) =>
      new Promise((_resolve, reject) => {
        job.signal.addEventListener('abort', () => reject(new Error('stopped halfway')));
      });
    expect(await run(new type())).toEqual([
      ...WHOLE,
      'JobTimedOut',
      'JobFailed',
      'JobExceptionOccurred',
      'JobAttempted',
    ]);
    expect(last(JobFailed).error).toBeInstanceOf(TimeoutExceededError);
    expect((last(JobFailed).error.cause as Error).message).toBe('stopped halfway');
    expect(failedWith[0]).toBeInstanceOf(TimeoutExceededError);
  });

  it('a handler that settles within the grace is done', async () => {
    script = async () => {
      await sleep(110);
    };
    expect(await run(new Timed())).toEqual([...WHOLE, 'JobProcessed', 'JobAttempted']);
  });

  it('a handler that does not end is left behind: its worker drains its others and ends with timed_out', async () => {
    const ends: (() => void)[] = [];
    script = () => new Promise<void>((resolve) => ends.push(resolve));
    await at.bus.dispatch(new TimedRetried());
    script = (job) =>
      job instanceof TimedRetried ? new Promise(() => {}) : sleep(200).then(() => order.push('other done'));
    await at.bus.dispatch(new Scripted());
    await at.bus.dispatch(new Scripted());
    const reason = await at.workers.work({ timeoutGrace: '40ms', concurrency: 2, prefetch: 2, sleep: '20ms' });
    expect(reason).toBe('timed_out');
    expect(order.filter((one) => one === 'other done')).toHaveLength(1);
    expect(at.names().filter((name) => name === 'JobTimedOut')).toHaveLength(1);
    // Both the timed out one and the one behind it are to be had at once.
    expect(await at.manager.connection().size()).toMatchObject({ pending: 2, reserved: 0 });
    for (const end of ends) end();
  });

  it('middleware releases', async () => {
    wrap = async (_next, context) => context.release('1s');
    expect(await run(new Wrapped())).toEqual([...WHOLE, 'JobProcessed', 'JobReleased', 'JobAttempted']);
    expect(order).toEqual([]);
  });

  it('middleware skips', async () => {
    wrap = async () => {};
    expect(await run(new Wrapped())).toEqual([...WHOLE, 'JobProcessed', 'JobAttempted']);
    expect(order).toEqual([]);
    expect(await size()).toBe(0);
  });

  it('middleware throws', async () => {
    wrap = () => Promise.reject(new Error('not today'));
    expect(await run(new Wrapped())).toEqual([...WHOLE, 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(order).toEqual(['failed()', 'JobFailed']);
  });

  it('a stolen lease: JobLeaseLost in the place of everything that follows the store', async () => {
    const short = await openApp(store, { providers: JOBS, retryAfter: '1s' });
    const driver = await short.manager.connection().queue();
    script = async () => {
      // The lease is let run out and taken by somebody else, as if this worker had slept.
      const [held] = await short.manager.connection().reservedJobs();
      const inspection = await short.manager.connection().inspection();
      await inspection.remove(held!.id);
      await driver.push([{ id: held!.id, queue: 'default', body: '{}', delayMs: 60_000 }]);
    };
    await short.bus.dispatch(new Scripted());
    short.names();
    await short.workers.runNextJob({ sleep: 0 });
    expect(short.names()).toEqual([...WHOLE, 'JobLeaseLost', 'JobAttempted']);
    const attempted = short.seen.at(-1) as JobAttempted;
    expect(attempted.error).toBeInstanceOf(LeaseLostError);
    expect(attempted.successful()).toBe(false);
    expect(await short.manager.connection().size()).toMatchObject({ delayed: 1 });
  });

  it('a failed attempt whose lease is gone leaves no record and does not run failed()', async () => {
    script = async (job) => {
      await (await at.manager.connection().inspection()).remove(job.context!.id);
      throw new Error('too late');
    };
    expect(await run(new Scripted())).toEqual([...WHOLE, 'JobLeaseLost', 'JobAttempted']);
    expect(failedWith).toEqual([]);
    expect(await at.failed.count()).toBe(0);
  });

  it('removed while running: the signal aborts with the reason cancelled', async () => {
    const short = await openApp(store, { providers: JOBS, retryAfter: '1s' });
    let reason: unknown;
    script = (job) =>
      new Promise<void>((resolve) => {
        job.signal.addEventListener('abort', () => {
          reason = job.signal.reason;
          resolve();
        });
      });
    const receipt = await short.bus.dispatch(new Scripted());
    const running = short.workers.runNextJob({ sleep: 0 });
    await until(() => order.length > 0, 'the handler');
    expect(await (await short.manager.connection().inspection()).remove(receipt!.id)).toBe(true);
    await running;
    expect(reason).toBeInstanceOf(LeaseLostError);
    expect(reason).toMatchObject({ reason: 'cancelled' });
    expect(short.names()).toEqual([...WHOLE, 'JobLeaseLost', 'JobAttempted']);
  });
});

describe('in this process', () => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp('memory', { providers: JOBS });
  });

  it('sync connection: a failure reaches the caller after failed() and the events, and is not recorded', async () => {
    script = () => Promise.reject(new RangeError('far'));
    await expect(at.bus.dispatch(new Retried()).onConnection('sync')).rejects.toThrow(new RangeError('far'));
    expect(at.names()).toEqual(['JobProcessing', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(order).toEqual(['handle', 'failed()']);
    expect(await at.failed.count()).toBe(0);
  });

  it('dispatchSync gives what the handler returned', async () => {
    script = (job) => ({ attempts: job.attempts(), queue: job.context!.queue, connection: job.context!.connection });
    expect(await at.bus.dispatchSync(new Scripted())).toEqual({ attempts: 1, queue: 'sync', connection: 'sync' });
    expect(at.names()).toEqual(['JobProcessing', 'JobProcessed', 'JobAttempted']);
  });

  it.each([[new Error('e')], [undefined], ['text'], [{ code: 1 }]])(
    'dispatchSync throws what the handler threw: %p',
    async (thrown) => {
      script = () => {
        throw thrown;
      };
      const caught = await at.bus.dispatchSync(new Scripted()).then(
        () => 'it returned',
        (error: unknown) => ({ error }),
      );
      expect(caught).toEqual({ error: thrown });
      expect(failedWith).toHaveLength(1);
    },
  );

  it('dispatchSync fails a job for good whatever its retryUntil says', async () => {
    script = () => Promise.reject(new Error('once'));
    const job = Object.assign(new Scripted(), { retryUntil: new Date(Date.now() + 60_000) });
    await expect(at.bus.dispatchSync(job)).rejects.toThrow('once');
    expect(at.names()).toContain('JobFailed');
    expect(failedWith).toHaveLength(1);
  });

  it('the sync connection calls its queue sync, and does nothing with a ready body', async () => {
    let queue: string | undefined;
    script = (job) => void (queue = job.context!.queue);
    await at.bus.dispatch(new Scripted()).onConnection('sync').onQueue('emails');
    expect(queue).toBe('sync');
    at.seen.length = 0;
    await at.manager.connection('sync').pushRaw('not a job');
    expect(at.names()).toEqual([]);
  });

  it('a release in this process loses the work, as there is no queue to go back to', async () => {
    script = (job) => job.release(10);
    await at.bus.dispatch(new Scripted()).onConnection('sync');
    expect(at.names()).toEqual(['JobProcessing', 'JobProcessed', 'JobReleased', 'JobAttempted']);
    expect(order).toEqual(['handle']);
  });

  it('timeouts and delays do not apply', async () => {
    script = () => sleep(120);
    const before = Date.now();
    await at.bus.dispatch(new Timed()).onConnection('sync').delay('1h');
    expect(Date.now() - before).toBeLessThan(2_000);
    expect(at.names()).toEqual(['JobProcessing', 'JobProcessed', 'JobAttempted']);
  });

  it('deferred: errors run failed() and the events and stay in', async () => {
    script = () => Promise.reject(new Error('behind'));
    const receipt = await at.bus.dispatch(new Scripted()).onConnection('deferred');
    expect(receipt).toMatchObject({ connection: 'deferred' });
    await until(() => failedWith.length > 0, 'failed()');
    await until(() => at.seen.length >= 4, 'the events');
    expect(at.names()).toEqual(['JobProcessing', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(await at.failed.count()).toBe(0);
  });

  it('dispatchAfterResponse outside a request runs at once; errors stay in', async () => {
    script = () => Promise.reject(new Error('behind'));
    at.bus.dispatchAfterResponse(new Scripted());
    await until(() => failedWith.length > 0, 'failed()');
    let ran = false;
    at.bus.dispatchAfterResponse(async () => {
      ran = true;
      throw new Error('inline');
    });
    await at.bus.flush();
    expect(ran).toBe(true);
  });

  it('dispatchAfterResponse refuses at once what cannot travel', () => {
    const job = Object.assign(new Scripted(), { socket: new WeakMap() });
    expect(() => at.bus.dispatchAfterResponse(job)).toThrow('Scripted.socket');
  });

  it('null: nothing happens, and there is a receipt', async () => {
    expect(await at.bus.dispatch(new Scripted()).onConnection('null')).toMatchObject({ connection: 'null' });
    expect(at.names()).toEqual([]);
  });
});
