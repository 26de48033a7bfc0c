import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import {
  Backoff,
  DebounceFor,
  FailedJobs,
  Handle,
  InvalidOptionError,
  Job,
  JOB_REF,
  Limit,
  MaxAttemptsExceededError,
  Middleware,
  Queueable,
  QueueManager,
  RateLimited,
  RateLimiter,
  Timeout,
  TimeoutExceededError,
  Tries,
  Unique,
  UniqueUntilProcessing,
  UnserializableError,
  type JobContext,
  type JobMiddleware,
} from 'nestjs-queue';
import * as queue from 'nestjs-queue';
import { drain, FakeClock, runJob, useClock } from 'nestjs-queue/testing';
import { closeModules, moduleOn, runtime, STORES } from './drain-module.js';

let ran: string[] = [];
let script: (job: Order) => unknown = () => {};

@Injectable()
class Stock {
  take(what: string): void {
    ran.push(what);
  }
}

@Injectable()
class Shouting implements JobMiddleware {
  constructor(private readonly stock: Stock) {}
  async handle(_job: object, next: () => Promise<void>, context: JobContext): Promise<void> {
    this.stock.take(`before ${context.attempts}`);
    await next();
    this.stock.take('after');
  }
}

abstract class Order extends Queueable {
  constructor(
    readonly what: string = 'a chair',
    readonly since = new Date(0),
  ) {
    super();
  }
  @Handle()
  async handle(stock: Stock): Promise<void> {
    stock.take(this.what);
    await script(this);
  }
}
@Job({ queue: 'orders' })
class ShipOrder extends Order {
  @Inject(JOB_REF) private readonly running!: JobContext;
  where(): string {
    return `${this.running.connection}:${this.running.queue}`;
  }
}
@Job()
@Tries(3)
@Backoff(10, '5m')
@Middleware(Shouting)
class Retried extends Order {
  failed(error: Error, @Inject(Stock) stock: Stock): void {
    stock.take(`failed ${this.what}: ${error.message}`);
  }
}
@Job()
@Tries(2)
@Timeout('50ms')
class Slow extends Order {}
@Job()
@Middleware(new RateLimited('narrow'))
@Tries(0)
class Narrow extends Order {}
@Job()
@Unique()
class Single extends Order {}
@Job()
@UniqueUntilProcessing()
class Early extends Order {}
@Job()
@DebounceFor('10m')
class Settles extends Order {}
@Job()
class Carries extends Queueable {
  constructor(readonly socket: unknown) {
    super();
  }
  handle(): void {}
}
const JOBS = [Stock, Shouting, ShipOrder, Retried, Slow, Narrow, Single, Early, Settles, Carries];

beforeEach(() => {
  ran = [];
  script = () => {};
});
afterEach(closeModules);

describe.each(STORES)('runJob on %s', (store) => {
  it('runs the job through its middleware, with its dependencies, on an instance of its own', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    const given = new Retried('a table', new Date(5));
    script = (job) => {
      expect(job).not.toBe(given);
      expect(job).toBeInstanceOf(Retried);
      expect(job.since).toEqual(new Date(5));
    };
    expect(await runJob(moduleRef, given)).toEqual({ outcome: 'done' });
    expect(ran).toEqual(['before 1', 'a table', 'after']);
  });

  it('runs where the job would have gone', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    script = (job) => ran.push((job as ShipOrder).where());
    await runJob(moduleRef, new ShipOrder());
    await runJob(moduleRef, new ShipOrder().onQueue('slow').onConnection('memory'));
    expect(ran).toEqual(['a chair', `${store}:orders`, 'a chair', 'memory:slow']);
  });

  it('decides on the next try by tries, backoff and the number of the attempt', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    const error = new Error('no wood');
    script = () => Promise.reject(error);
    const first = await runJob(moduleRef, new Retried());
    expect(first).toEqual({ outcome: 'retry', delay: 10, error });
    expect(first.error).toBe(error);
    expect(await runJob(moduleRef, new Retried(), { attempts: 2 })).toEqual({ outcome: 'retry', delay: 300, error });
    expect(await moduleRef.get(FailedJobs).count()).toBe(0);
    ran = [];
    expect(await runJob(moduleRef, new Retried(), { attempts: 3 })).toEqual({ outcome: 'failed', error });
    expect(ran).toEqual(['before 3', 'a chair', 'failed a chair: no wood']);
    const fourth = await runJob(moduleRef, new Retried(), { attempts: 4 });
    expect(fourth.outcome).toBe('failed');
    expect(fourth.error).toBeInstanceOf(MaxAttemptsExceededError);
    const records = await moduleRef.get(FailedJobs).all();
    expect(records.map(({ name, connection }) => [name, connection])).toEqual([
      ['Retried', store],
      ['Retried', store],
    ]);
  });

  it('tells of what a job decided by itself', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    script = (job) => job.release('2m');
    expect(await runJob(moduleRef, new ShipOrder())).toEqual({ outcome: 'retry', delay: 120 });
    script = (job) => job.fail('sold out');
    expect(await runJob(moduleRef, new ShipOrder())).toMatchObject({
      outcome: 'failed',
      error: { message: 'sold out' },
    });
    script = (job) => job.delete();
    expect(await runJob(moduleRef, new ShipOrder())).toEqual({ outcome: 'done' });
  });

  it('keeps to limits', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    const clock = new FakeClock();
    useClock(moduleRef, clock);
    moduleRef.get(RateLimiter).for('narrow', () => Limit.perMinute(1));
    expect(await runJob(moduleRef, new Narrow())).toEqual({ outcome: 'done' });
    expect(await runJob(moduleRef, new Narrow())).toEqual({ outcome: 'retry', delay: 63 });
    await clock.advance(60);
    expect(await runJob(moduleRef, new Narrow(), { attempts: 70 })).toEqual({ outcome: 'done' });
  });

  it('keeps to the timeout', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    script = ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const { outcome, delay, error } = await runJob(moduleRef, new Slow());
    expect([outcome, delay]).toEqual(['retry', 0]);
    expect(error).toBeInstanceOf(TimeoutExceededError);
    useClock(moduleRef, new FakeClock());
    expect((await runJob(moduleRef, new Slow(), { attempts: 2 })).outcome).toBe('failed');
  });

  it('raises the events of an attempt', async () => {
    const { moduleRef } = await moduleOn(store, JOBS);
    const seen: string[] = [];
    for (const type of Object.values(queue)) {
      if (typeof type === 'function' && 'event' in type)
        moduleRef
          .get(QueueManager)
          .on(type as typeof queue.JobFailed, (event) => void seen.push(event.constructor.name));
    }
    await runJob(moduleRef, new ShipOrder());
    script = () => Promise.reject(new Error('no'));
    await runJob(moduleRef, new ShipOrder());
    expect(seen).toEqual([
      'JobProcessing',
      'JobProcessed',
      'JobAttempted',
      'JobProcessing',
      'JobFailed',
      'JobExceptionOccurred',
      'JobAttempted',
    ]);
  });

  it('sends what follows the job, and nothing else', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    await runJob(moduleRef, new ShipOrder('1').chain([new ShipOrder('2')]));
    expect(ran).toEqual(['1']);
    const mails = moduleRef.get(QueueManager).connection();
    expect((await mails.size('orders')).pending).toBe(1);
    await drain(moduleRef);
    expect(ran).toEqual(['1', '2']);
    script = () => Promise.reject(new Error('no'));
    await runJob(moduleRef, new ShipOrder('3').chain([new ShipOrder('4')]));
    expect((await mails.size('orders')).pending).toBe(0);
    void bus;
  });

  it('takes no lock and gives none back', async () => {
    const { moduleRef, bus } = await moduleOn(store, JOBS);
    expect(await bus.dispatch(new Single())).not.toBeNull();
    expect(await runJob(moduleRef, new Single())).toEqual({ outcome: 'done' });
    expect(await bus.dispatch(new Single())).toBeNull();
  });
});

describe('runJob', () => {
  it('opens no store for a job that needs none', async () => {
    const { moduleRef } = await moduleOn('sqlite', JOBS);
    for (const job of [new Single(), new Early(), new Settles(), new Retried()])
      expect(await runJob(moduleRef, job)).toEqual({ outcome: 'done' });
    expect(runtime(moduleRef).connections.get().used).toBe(false);
  });

  it('finds what would not survive the queue', async () => {
    const { moduleRef } = await moduleOn('memory', JOBS);
    await expect(runJob(moduleRef, new Carries(() => 1))).rejects.toThrow(UnserializableError);
    await expect(runJob(moduleRef, new ShipOrder().onConnection('gone'))).rejects.toThrow('gone');
    const small = await moduleOn('memory', JOBS, { maxPayload: 300 });
    await expect(runJob(small.moduleRef, new ShipOrder('x'.repeat(500)))).rejects.toThrow('bytes large');
  });

  it('goes by what the module says of jobs that do not say it', async () => {
    const { moduleRef } = await moduleOn('memory', JOBS, { worker: { tries: 2, backoff: [7] } });
    script = () => Promise.reject(new Error('no'));
    expect(await runJob(moduleRef, new ShipOrder())).toMatchObject({ outcome: 'retry', delay: 7 });
    expect(await runJob(moduleRef, new ShipOrder(), { attempts: 2 })).toMatchObject({ outcome: 'failed' });
    expect(runtime(moduleRef).workers.status()).toEqual([]);
  });

  // What it does with them is tested in processes of their own: Jest takes stray rejections for itself.
  it('listens for promises that the job leaves behind, and no longer than it runs', async () => {
    const { moduleRef } = await moduleOn('memory', JOBS);
    const before = process.listenerCount('unhandledRejection');
    let meanwhile = 0;
    script = () => (meanwhile = process.listenerCount('unhandledRejection'));
    await runJob(moduleRef, new ShipOrder());
    expect([meanwhile, process.listenerCount('unhandledRejection')]).toEqual([before + 1, before]);
  });

  it('refuses what is no number of an attempt', async () => {
    const { moduleRef } = await moduleOn('memory', JOBS);
    for (const attempts of [0, 1.5, Number.NaN])
      await expect(runJob(moduleRef, new ShipOrder(), { attempts })).rejects.toThrow(InvalidOptionError);
    await expect(runJob(moduleRef, new ShipOrder(), { attempt: 2 } as object)).rejects.toThrow(
      'runJob has no option "attempt". There is: attempts.',
    );
  });
});
