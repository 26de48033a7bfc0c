import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Backoff,
  DebounceFor,
  FailedJobs,
  FailOnTimeout,
  Handle,
  InvalidOptionError,
  Job,
  JobQueued,
  Limit,
  MaxAttemptsExceededError,
  Middleware,
  Queueable,
  QueueBus,
  QueueManager,
  QueueModule,
  RateLimited,
  RateLimiter,
  TimeoutExceededError,
  Timeout,
  Tries,
  UniqueFor,
  WithoutOverlapping,
} from 'nestjs-queue';
import { drain, EndlessDrainError, FakeClock, fakeQueue, QueueFake, runJob, useClock } from 'nestjs-queue/testing';
import { closeModules, moduleOn, runtime, STORES } from './drain-module.js';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2030, 0, 1);

let clock: FakeClock;
let ran: string[] = [];
let script: (job: Named) => unknown = () => {};
const at = (): string => `+${(clock.now() - START) / 1_000}s`;

@Injectable()
class Notebook {
  write(line: string): void {
    ran.push(line);
  }
}

abstract class Named extends Queueable {
  constructor(readonly label = '') {
    super();
  }
  @Handle()
  async handle(notebook: Notebook): Promise<void> {
    notebook.write(`${this.label}#${this.attempts()} ${at()}`);
    await script(this);
  }
}
@Job()
class Plain extends Named {}
@Job()
@Tries(4)
@Backoff('1m', '2h', '1d')
class Stubborn extends Named {
  failed(error: Error): void {
    ran.push(`failed(${error.message})`);
  }
}
@Job()
@Tries(0)
class Forever extends Named {}
@Job()
@Tries(0)
@Middleware(new RateLimited('narrow'))
class Narrow extends Named {}
@Job()
@UniqueFor('1h')
class Single extends Named {
  uniqueId(): string {
    return this.label;
  }
}
@Job()
@Tries(2)
@Timeout('100ms')
class Slow extends Named {}
@Job()
@Tries(3)
@Timeout('100ms')
@FailOnTimeout()
class Brief extends Named {}
@Job()
@DebounceFor('10m')
class Settles extends Named {}
@Job()
@Tries(0)
class Alone extends Named {
  middleware(): unknown[] {
    return [new WithoutOverlapping('seat').releaseAfter(60).expireAfter('5m')];
  }
}
const JOBS = [Notebook, Plain, Stubborn, Forever, Narrow, Single, Slow, Brief, Settles, Alone];

const untilAborted = (job: Queueable): Promise<void> =>
  new Promise((_resolve, reject) => {
    job.signal.addEventListener('abort', () => reject(job.signal.reason as Error));
  });

beforeEach(() => {
  clock = new FakeClock(START);
  ran = [];
  script = () => {};
});
afterEach(closeModules);

describe.each(STORES)('drain on %s', (store) => {
  it('works what is due, in order, and calls init() where nobody has', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    await bus.dispatch(new Plain('a'));
    void bus.dispatch(new Plain('b'));
    await bus.dispatch(new Plain('later')).delay('1h');
    expect(await drain(moduleRef)).toEqual([
      { name: 'Plain', attempts: 1, outcome: 'done' },
      { name: 'Plain', attempts: 1, outcome: 'done' },
    ]);
    expect(ran.map((line) => line.slice(0, 3))).toEqual(['a#1', 'b#1']);
    expect(await drain(moduleRef)).toEqual([]);
  });

  it('drains a backoff of days within seconds, with every attempt in order', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    useClock(moduleRef, clock);
    script = () => Promise.reject(new Error('no'));
    await bus.dispatch(new Stubborn('s'));
    const began = Date.now();
    const attempts = await drain(moduleRef, { clock });
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(attempts.map(({ name, attempts: n, outcome }) => [name, n, outcome])).toEqual([
      ['Stubborn', 1, 'retry'],
      ['Stubborn', 2, 'retry'],
      ['Stubborn', 3, 'retry'],
      ['Stubborn', 4, 'failed'],
    ]);
    for (const { error } of attempts) expect(error).toMatchObject({ message: 'no' });
    expect(ran).toEqual(['s#1 +0s', 's#2 +60s', 's#3 +7260s', 's#4 +93660s', 'failed(no)']);
    expect(await moduleRef.get(FailedJobs).count()).toBe(1);
    const [record] = await moduleRef.get(FailedJobs).all();
    expect(record!.failedAt.getTime()).toBe(START + 93_660_000);
  });

  it('takes over the clock of a module that has been in use', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    const late = new FakeClock(Date.now() + HOUR_MS);
    await bus.dispatch(new Plain('before')).delay('2h');
    expect(await drain(moduleRef)).toEqual([]);
    expect(await drain(moduleRef, { clock: late })).toHaveLength(1);
    expect(late.now()).toBeGreaterThan(Date.now() + 1.9 * HOUR_MS);
    const stood = late.now();
    await bus.dispatch(new Plain('after')).delay(90);
    expect(await drain(moduleRef)).toEqual([]);
    await late.advance(90);
    expect(await drain(moduleRef)).toHaveLength(1);
    expect(late.now()).toBe(stood + 90_000);
    const other = new FakeClock(START);
    await bus.dispatch(new Plain('third')).delay(10);
    expect(await drain(moduleRef, { clock: other })).toHaveLength(1);
  });

  it('keeps to rate limits by the clock', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    moduleRef.get(RateLimiter).for('narrow', () => Limit.perMinute(2));
    useClock(moduleRef, clock);
    await bus.bulk(['a', 'b', 'c', 'd', 'e'].map((label) => new Narrow(label)));
    const attempts = await drain(moduleRef, { clock });
    expect(ran.map((line) => line.replace(/#\d+/, ''))).toEqual(['a +0s', 'b +0s', 'c +63s', 'd +63s', 'e +126s']);
    expect(attempts.filter(({ outcome }) => outcome === 'retry')).toHaveLength(4);
    expect(attempts.filter(({ outcome }) => outcome === 'done')).toHaveLength(5);
  });

  it('lets unique and overlap locks run out by the clock', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    useClock(moduleRef, clock);
    expect(await bus.dispatch(new Single('x')).delay('2h')).not.toBeNull();
    expect(await bus.dispatch(new Single('x'))).toBeNull();
    await clock.advance('61m');
    expect(await bus.dispatch(new Single('x'))).not.toBeNull();
    expect(await drain(moduleRef, { clock })).toHaveLength(2);

    ran = [];
    script = async () => {
      if (ran.length === 1) await bus.dispatchSync(new Alone('inner')).catch(() => {});
    };
    await bus.dispatch(new Alone('outer'));
    expect(await drain(moduleRef, { clock })).toEqual([{ name: 'Alone', attempts: 1, outcome: 'done' }]);
  });

  it('shows chains and batches, with their callbacks, in order', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    useClock(moduleRef, clock);
    await bus.chain([new Plain('1'), new Plain('2').delay('1h'), new Stubborn('3')]).dispatch();
    await bus
      .batch([new Plain('m1'), [new Plain('m2'), new Plain('m3')]])
      .then(new Plain('then'))
      .finally(new Plain('finally'))
      .dispatch();
    const attempts = await drain(moduleRef, { clock });
    expect(ran).toEqual([
      '1#1 +0s',
      'm1#1 +0s',
      'm2#1 +0s',
      'm3#1 +0s',
      'then#1 +0s',
      'finally#1 +0s',
      '2#1 +3600s',
      '3#1 +3600s',
    ]);
    expect(attempts).toHaveLength(8);
    expect(new Set(attempts.map(({ outcome }) => outcome))).toEqual(new Set(['done']));
  });

  it('includes what is dispatched meanwhile, in whatever queue', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    script = async ({ label }) => {
      if (label === 'a') await bus.dispatch(new Plain('b')).onQueue('mails');
      if (label === 'b') void bus.dispatch(new Stubborn('c')).onQueue('zoo');
    };
    await bus.dispatch(new Plain('a'));
    await bus.dispatch(new Plain('x')).onQueue('kept');
    expect((await drain(moduleRef, { queues: ['default', 'mails', 'zoo'] })).map(({ name }) => name)).toEqual([
      'Plain',
      'Plain',
      'Stubborn',
    ]);
    expect(await drain(moduleRef)).toHaveLength(1);
  });

  it('works the own queue of the connection first, the others by name, and given ones as they were given', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    const fill = async (): Promise<void> => {
      ran = [];
      for (const queue of ['zoo', 'default', 'ants']) await bus.dispatch(new Plain(queue)).onQueue(queue);
    };
    const order = (): string[] => ran.map((line) => line.split('#')[0]!);
    await fill();
    await drain(moduleRef);
    expect(order()).toEqual(['default', 'ants', 'zoo']);
    await fill();
    await drain(moduleRef, { queues: ['zoo', 'ants', 'zoo'] });
    expect(order()).toEqual(['zoo', 'ants']);
  });

  it('ends what waits for its timeout, though nobody moves the clock', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    script = untilAborted;
    await bus.dispatch(new Slow('s'));
    await bus.dispatch(new Brief('b'));
    const attempts = await drain(moduleRef, { clock });
    expect(attempts.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['Slow', 'retry'],
      ['Brief', 'failed'],
      ['Slow', 'failed'],
    ]);
    for (const { error } of attempts) expect(error).toBeInstanceOf(TimeoutExceededError);
  });

  it('says which job goes on for ever', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    script = (job) => job instanceof Forever && job.release(60);
    await bus.dispatch(new Plain('p'));
    await bus.dispatch(new Forever('f'));
    await expect(drain(moduleRef, { clock, maxAttempts: 50 })).rejects.toThrow(
      `drain() has made more than 50 attempts on the [${store}] connection and there is still work; 50 of them were of Forever`,
    );
    await expect(drain(moduleRef, { clock, maxAttempts: 2 })).rejects.toBeInstanceOf(EndlessDrainError);
  });

  it('runs the last of a burst of debounced jobs', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    useClock(moduleRef, clock);
    for (const label of ['a', 'b', 'c']) {
      await bus.dispatch(new Settles(label));
      await clock.advance(1);
    }
    expect((await drain(moduleRef, { clock })).map(({ outcome }) => outcome)).toEqual([
      'debounced',
      'debounced',
      'done',
    ]);
    expect(ran.map((line) => line[0])).toEqual(['c']);
  });

  it('leaves paused queues alone', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    const manager = moduleRef.get(QueueManager);
    await manager.pause(store, 'mails');
    await bus.dispatch(new Plain('a')).onQueue('mails');
    await bus.dispatch(new Plain('b')).onQueue('mails').delay('1h');
    await bus.dispatch(new Plain('c'));
    expect(await drain(moduleRef, { clock: new FakeClock() })).toHaveLength(1);
    await manager.resume(store, 'mails');
    expect(await drain(moduleRef, { clock: new FakeClock() })).toHaveLength(2);
  });

  it('goes by what the module says of jobs that do not say it', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS, { worker: { tries: 2, backoff: '1h' } });
    useClock(moduleRef, clock);
    script = () => Promise.reject(new Error('no'));
    await bus.dispatch(new Plain('p'));
    expect((await drain(moduleRef, { clock })).map(({ outcome }) => outcome)).toEqual(['retry', 'failed']);
    expect(ran).toEqual(['p#1 +0s', 'p#2 +3600s']);
  });

  it('waits for jobs that a worker of the application has', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS, { worker: { sleep: '50ms', watchdog: false } });
    await moduleRef.init();
    script = () => new Promise((resolve) => setTimeout(resolve, 50));
    const queued: string[] = [];
    moduleRef.get(QueueManager).on(JobQueued, ({ id }) => void queued.push(id));
    await bus.bulk([new Plain('a'), new Plain('b'), new Plain('c')]);
    await drain(moduleRef);
    expect(ran.map((line) => line[0]).toSorted()).toEqual(['a', 'b', 'c']);
    const { pending, reserved } = await moduleRef.get(QueueManager).connection().size();
    expect([pending, reserved]).toEqual([0, 0]);
  });

  it('moves the clock for a worker of the application too', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS, { worker: { watchdog: false } });
    useClock(moduleRef, clock);
    await moduleRef.init();
    script = (job) => (job as Forever).attempts() < 150 && job.release('1m');
    await bus.dispatch(new Forever('f'));
    expect(await drain(moduleRef, { clock })).toHaveLength(150);
    expect(ran.at(-1)).toBe(`f#150 +${149 * 60}s`);
  });

  it('picks up what a worker left behind, when its lease has run out', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    useClock(moduleRef, clock);
    await bus.dispatch(new Forever('f'));
    const { connections } = runtime(moduleRef);
    const driver = await connections.get().queue();
    const request = { queues: ['default'], limit: 1, leaseMs: 30_000, waitMs: 0, signal: new AbortController().signal };
    expect(await driver.reserve(request)).toHaveLength(1);
    expect(await drain(moduleRef, { clock })).toEqual([{ name: 'Forever', attempts: 2, outcome: 'done' }]);
    expect(clock.now()).toBe(START + 30_000);
  });

  it('tells what failed and why', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    const why = new Error('broken');
    script = (job) => {
      if (job.label === 'thrown') throw why;
      if (job.label === 'by hand') job.fail('not like this');
      if (job.label === 'deleted') {
        job.delete();
        throw why;
      }
    };
    for (const label of ['thrown', 'by hand', 'deleted']) await bus.dispatch(new Plain(label));
    const [thrown, byHand, deleted] = await drain(moduleRef);
    expect(thrown).toEqual({ name: 'Plain', attempts: 1, outcome: 'failed', error: why });
    expect(thrown!.error).toBe(why);
    expect(byHand).toMatchObject({ outcome: 'failed', error: { message: 'not like this' } });
    expect(deleted).toEqual({ name: 'Plain', attempts: 1, outcome: 'done', error: why });
  });

  it('fails a job unrun whose tries are used up', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    script = (job) => job.release(10);
    await bus.dispatch(new Plain('p'));
    const [released, failed] = await drain(moduleRef, { clock });
    expect(released!.outcome).toBe('retry');
    expect(failed).toMatchObject({ attempts: 2, outcome: 'failed' });
    expect(failed!.error).toBeInstanceOf(MaxAttemptsExceededError);
    expect(ran).toHaveLength(1);
  });
});

describe('drain', () => {
  it('works what a fake lets through, and leaves alone what it recorded', async () => {
    const imports = [QueueModule.forRoot({ default: 'memory' })];
    const builder = Test.createTestingModule({ imports, providers: JOBS });
    const moduleRef = await fakeQueue(builder, { except: [Plain] }).compile();
    useClock(moduleRef, clock);
    const bus = moduleRef.get(QueueBus);
    await bus.dispatch(new Plain('through')).delay('1h');
    await bus.dispatch(new Stubborn('recorded'));
    expect(await runJob(moduleRef, new Stubborn('by hand').chain([new Stubborn('next')]))).toEqual({ outcome: 'done' });
    expect(await drain(moduleRef, { clock })).toEqual([{ name: 'Plain', attempts: 1, outcome: 'done' }]);
    expect(ran).toEqual(['by hand#1 +0s', 'through#1 +3600s']);
    moduleRef.get(QueueFake).assertPushedTimes(Stubborn, 2);
    await moduleRef.close();
  });

  it('has nothing to do where nothing is stored', async () => {
    const { moduleRef, bus } = await moduleOn('memory', JOBS, { default: 'sync' });
    await moduleRef.init();
    await bus.dispatch(new Plain('a'));
    expect(await drain(moduleRef)).toEqual([]);
    expect(ran).toHaveLength(1);
  });

  it('works the connection it is told', async () => {
    const { moduleRef, bus } = await moduleOn('memory', JOBS);
    await bus.dispatch(new Plain('a'));
    await bus.dispatch(new Plain('b')).onConnection('sqlite');
    expect(await drain(moduleRef, { connection: 'sqlite' })).toHaveLength(1);
    expect(ran.map((line) => line[0])).toEqual(['b']);
    await expect(drain(moduleRef, { connection: 'gone' })).rejects.toThrow('gone');
  });

  it('refuses what is no module and no option', async () => {
    const { moduleRef } = await moduleOn('memory', JOBS);
    await expect(drain({} as never)).rejects.toThrow(InvalidOptionError);
    await expect(drain(moduleRef, { clocks: clock } as never)).rejects.toThrow('drain has no option "clocks"');
    await expect(drain(moduleRef, { clock: {} as never })).rejects.toThrow('Give it a FakeClock');
    await expect(drain(moduleRef, { queues: 'a' as never })).rejects.toThrow('Give a list of names');
    await expect(drain(moduleRef, { maxAttempts: 0 })).rejects.toThrow('maxAttempts');
  });

  it('leaves no listener and no timer behind', async () => {
    const { moduleRef, bus } = await moduleOn('memory', JOBS);
    const { hub } = runtime(moduleRef);
    await drain(moduleRef);
    const heard = hub.heard({ event: '' } as never);
    const strays = process.listenerCount('unhandledRejection');
    await bus.dispatch(new Plain('a'));
    await drain(moduleRef, { clock });
    expect(process.listenerCount('unhandledRejection')).toBe(strays);
    expect(hub.heard({ event: '' } as never)).toBe(heard);
  });
});
