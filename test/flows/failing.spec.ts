import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import {
  FailedHookErrored,
  Job,
  JobFailed,
  JobProcessing,
  Queueable,
  type FailedJob,
  type JobContext,
} from 'nestjs-queue';
import { BrittleStore } from './brittle-store.js';
import { closeApps, openApp, sleep, STORES, until, type Opened } from './open-app.js';

let ran: string[] = [];
let hook: (job: Breaks, error: Error | null, ledger: Ledger) => unknown = () => {};

@Injectable()
class Ledger {
  readonly name = 'the ledger';
}

@Job()
class Breaks extends Queueable {
  count = 0;
  constructor(readonly items: string[] = ['a']) {
    super();
  }
  handle() {
    ran.push('handle');
    this.count += 1;
    this.items.push('changed by the handler');
    if (this.items[0] === 'unsaid') return this.fail();
    throw new Error(`broken ${this.items[0]}`);
  }
  async failed(error: Error | null, @Inject(Ledger) ledger: Ledger) {
    ran.push('failed()');
    await hook(this, error, ledger);
  }
}

beforeEach(() => {
  ran = [];
  hook = () => {};
});
afterEach(closeApps);

describe.each(STORES)('failed() on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Breaks, Ledger] });
  });

  it('runs on a fresh instance, with the error, its dependencies and the context', async () => {
    let seen: unknown;
    hook = (job, error, ledger) => {
      seen = { count: job.count, items: job.items, message: error?.message, ledger: ledger.name, id: job.context?.id };
    };
    const receipt = await at.bus.dispatch(new Breaks());
    await at.drain();
    expect(seen).toEqual({ count: 0, items: ['a'], message: 'broken a', ledger: 'the ledger', id: receipt!.id });
  });

  it('receives null where fail() was called without an error', async () => {
    let given: unknown = 'nothing';
    hook = (_job, error) => (given = error);
    await at.bus.dispatch(new Breaks(['unsaid']));
    await at.drain();
    expect(given).toBeNull();
  });

  it('finds the failure recorded when it runs, with the bytes of the payload as they travelled', async () => {
    let record: FailedJob | null = null;
    hook = async (job) => {
      record = await at.failed.find(job.context!.id);
    };
    await at.bus.dispatch(new Breaks());
    const [pending] = await at.manager.connection().pendingJobs();
    await at.drain();
    expect(record).toMatchObject({ name: 'Breaks', displayName: 'Breaks', connection: store, queue: 'default' });
    expect(JSON.parse(record!.payload)).toEqual(pending!.payload);
    expect(record!.exception).toMatch(/^Error: broken a\n\s+at /);
    expect(record!.failedAt).toBeInstanceOf(Date);
  });

  it('throwing changes nothing: the job is recorded and gone, the others go on', async () => {
    hook = () => {
      throw new Error('the hook is broken too');
    };
    await at.bus.bulk([new Breaks(), new Breaks(['b'])]);
    await at.drain();
    expect(ran).toEqual(['handle', 'failed()', 'handle', 'failed()']);
    expect(await at.failed.count()).toBe(2);
    expect((await at.manager.connection().size()).total).toBe(0);
    const errored = at.seen.filter((one) => one instanceof FailedHookErrored);
    expect(errored.map((one) => (one.error as Error).message)).toEqual(Array(2).fill('the hook is broken too'));
    expect(at.seen.filter((one) => one instanceof JobFailed)).toHaveLength(2);
  });

  it('does not lose its signal while it runs longer than a lease', async () => {
    const short = await openApp(store, { providers: [Breaks, Ledger], retryAfter: '1s' });
    let aborted: boolean | undefined;
    hook = async (job) => {
      await sleep(450);
      aborted = job.signal.aborted;
    };
    await short.bus.dispatch(new Breaks());
    await short.drain();
    expect(aborted).toBe(false);
  });

  it('hanging does not keep a worker that must end', async () => {
    hook = () => new Promise(() => {});
    await at.bus.dispatch(new Breaks());
    const running = at.workers.work({ grace: '50ms', sleep: '20ms' });
    await until(() => ran.includes('failed()'));
    expect(await at.failed.count()).toBe(1);
    const before = Date.now();
    void at.workers.force();
    expect(await running).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(3_000);
  });
});

// One store is enough: what is looked at lies above the driver, and the job's five seconds have to be waited for.
describe.each(['database'] as const)('a store of failed jobs that is down, with queues on %s', (store) => {
  it('keeps the job, does not run its handler again, and records it when it can', async () => {
    const records = new BrittleStore();
    const at = await openApp(store, {
      providers: [Breaks, Ledger],
      options: {
        connections: { records: { driver: 'redis' } as never },
        drivers: { redis: () => records.backend },
        failed: { driver: 'redis', connection: 'records' },
      },
    });
    let given: unknown = 'nothing';
    hook = (_job, error) => (given = error);
    records.down.add('record');
    const receipt = await at.bus.dispatch(new Breaks(['unsaid']));
    await at.workers.runNextJob({ sleep: 0 });
    expect(ran).toEqual(['handle']);
    expect(at.seen.some((one) => one instanceof JobFailed)).toBe(false);
    const [kept] = await at.manager.connection().delayedJobs();
    expect(kept).toMatchObject({ id: receipt!.id, attempts: 0 });

    records.down.clear();
    // Its time comes: as if five seconds had passed.
    const driver = await at.manager.connection().queue();
    const memo = await memoOf(receipt!.id, driver);
    expect(memo).toContain('failing');
    await at.workers.work({ stopWhenEmptyFor: '50ms', sleep: '20ms' });
    expect(ran).toEqual(['handle', 'failed()']);
    expect(given).toBeNull();
    expect(await at.failed.find(receipt!.id)).toMatchObject({ id: receipt!.id, name: 'Breaks' });
    expect(at.seen.filter((one) => one instanceof JobFailed)).toHaveLength(1);
    expect((await at.manager.connection().size()).total).toBe(0);
  }, 15_000);

  /** Takes the delayed job when it is due, and puts it back as it was, due at once. */
  async function memoOf(id: string, driver: Awaited<ReturnType<ReturnType<Opened['manager']['connection']>['queue']>>) {
    const { neverAborted } = await import('../../lib/support/abort.js');
    const [held] = await driver.reserve({
      queues: ['default'],
      limit: 1,
      leaseMs: 5_000,
      waitMs: 7_000,
      signal: neverAborted,
    });
    expect(held!.id).toBe(id);
    await driver.settle([{ kind: 'release', job: held!, delayMs: 0, countAttempt: false }]);
    return held!.memo;
  }
});

describe.each(STORES)('listeners on %s', (store) => {
  it('that throw, reject or hang change nothing', async () => {
    const at = await openApp(store, { providers: [Breaks, Ledger] });
    const { Looping, ...events } = await import('nestjs-queue');
    let asked = 0;
    for (const type of Object.values(events)) {
      if (typeof type !== 'function' || !('event' in type)) continue;
      at.manager.on(type as typeof JobProcessing, () => {
        throw new Error('thrown');
      });
      at.manager.on(type as typeof JobProcessing, () => Promise.reject(new Error('rejected')));
      at.manager.on(type as typeof JobProcessing, () => new Promise(() => {}));
    }
    at.manager.on(Looping, () => {
      asked += 1;
      throw new Error('thrown');
    });
    await at.bus.dispatch(new Breaks());
    expect(await at.drain()).toBe('empty');
    expect(asked).toBeGreaterThan(0);
    expect(ran).toEqual(['handle', 'failed()']);
    expect(at.names()).toEqual(['JobPopped', 'JobProcessing', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(await at.failed.count()).toBe(1);
  });
});

describe('the context of a failed job', () => {
  it('tells the error to listeners', async () => {
    const at = await openApp('memory', { providers: [Breaks, Ledger] });
    let context: JobContext | undefined;
    at.manager.failing(({ job }) => (context = job));
    await at.bus.dispatch(new Breaks());
    await at.drain();
    expect((context!.error as Error).message).toBe('broken a');
  });
});
