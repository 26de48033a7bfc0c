import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ContextNotRestoredError,
  FailedHookErrored,
  InvalidOptionError,
  Job,
  JobAttempted,
  JobExceptionOccurred,
  JobFailed,
  JobProcessed,
  JobProcessing,
  JobReleased,
  JobReleasedAfterException,
  JobTimedOut,
  Middleware,
  PayloadTooLargeError,
  Queueable,
  QueueBus,
  type JobMiddleware,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { Inject } from '@nestjs/common';
import { closeApps, openApp, sleep, STORES, until, type Opened } from './open-app.js';

const tenant = new AsyncLocalStorage<string>();
/** Where the tenant was looked at, and which it was. */
let seen: string[] = [];
const see = (where: string): void => void seen.push(`${where}: ${tenant.getStore() ?? 'nobody'}`);

let carries = 0;
let restores: object[] = [];
const byTenant: NonNullable<QueueModuleOptions['context']> = {
  carry: () => {
    carries += 1;
    const now = tenant.getStore();
    return now === undefined ? ({} as Record<string, string>) : { tenant: now };
  },
  restore: (values, run) => {
    restores.push(values);
    return tenant.run(values['tenant']!, run);
  },
};

class Looking implements JobMiddleware {
  async handle(_job: unknown, next: () => Promise<void>) {
    see('middleware before');
    await next();
    see('middleware after');
  }
}

type Deed = 'done' | 'throw' | 'fail' | 'release' | 'hang' | 'dispatch' | 'wait';

@Job()
@Middleware(new Looking())
class Look extends Queueable {
  @Inject(QueueBus) private readonly bus!: QueueBus;
  constructor(
    readonly deed: Deed = 'done',
    readonly failedThrows = false,
  ) {
    super();
  }
  async handle() {
    see('handler');
    await sleep(1);
    see('handler later');
    if (this.deed === 'throw') throw new Error('thrown');
    if (this.deed === 'fail') this.fail('by hand');
    if (this.deed === 'release' && this.attempts() === 1) this.release();
    // For ever: one that ended later would be seen by a later test.
    if (this.deed === 'hang') await new Promise(() => {});
    if (this.deed === 'wait') await sleep(30);
    if (this.deed === 'dispatch') await tenant.run('inner', () => this.bus.dispatch(new Look()).onQueue('inner'));
    return tenant.getStore();
  }
  async failed() {
    await sleep(1);
    see('failed()');
    if (this.failedThrows) throw new Error('in failed()');
  }
}

@Job()
class TooLate extends Look {
  retryUntil = new Date(1);
}

const JOBS = [Look, TooLate];
const EVENTS = [
  JobProcessing,
  JobProcessed,
  JobReleased,
  JobReleasedAfterException,
  JobExceptionOccurred,
  JobFailed,
  JobTimedOut,
  JobAttempted,
  FailedHookErrored,
];

beforeEach(() => {
  seen = [];
  carries = 0;
  restores = [];
});
afterEach(closeApps);

describe.each(STORES)('the context of a dispatch, on %s', (store) => {
  let at: Opened;
  const open = async (context: QueueModuleOptions['context'] = byTenant, more: object = {}): Promise<void> => {
    at = await openApp(store, { providers: JOBS, options: { context, ...more } });
    for (const type of EVENTS) at.manager.on(type as typeof JobFailed, () => see(type.name));
  };
  const dispatched = (job: Look, as = 'ada'): Promise<{ id: string } | null> =>
    tenant.run(as, async () => at.bus.dispatch(job));
  const payload = async (): Promise<Record<string, unknown>> =>
    (await at.manager.connection().pendingJobs())[0]!.payload as Record<string, unknown>;
  const places = (as: string): string[] =>
    seen.filter((one) => one.endsWith(`: ${as}`)).map((one) => one.slice(0, one.lastIndexOf(':')));

  it('travels with the job, and is there in middleware, handler and listeners', async () => {
    await open();
    await dispatched(new Look());
    expect((await payload())['context']).toEqual({ tenant: 'ada' });
    await at.drain();
    expect(seen).toEqual([
      'JobProcessing: ada',
      'middleware before: ada',
      'handler: ada',
      'handler later: ada',
      'middleware after: ada',
      'JobProcessed: ada',
      'JobAttempted: ada',
    ]);
    expect(restores).toEqual([{ tenant: 'ada' }]);
    expect(tenant.getStore()).toBeUndefined();
  });

  it.each<[Deed, string[]]>([
    ['throw', ['failed()', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']],
    ['fail', ['middleware after', 'failed()', 'JobFailed', 'JobProcessed', 'JobAttempted']],
  ])('is there in failed() and the events of a failure: %s', async (deed, behind) => {
    await open();
    await dispatched(new Look(deed));
    await at.drain({ tries: 1 });
    expect(places('ada')).toEqual(['JobProcessing', 'middleware before', 'handler', 'handler later', ...behind]);
    expect(places('nobody')).toEqual([]);
  });

  it('is there in the events of a release, of a retry, and of a failed() that fails', async () => {
    await open();
    await dispatched(new Look('release'));
    await at.drain();
    expect(places('ada')).toContain('JobReleased');
    await dispatched(new Look('throw', true));
    await at.drain({ tries: 2 });
    expect(places('ada')).toEqual(expect.arrayContaining(['JobReleasedAfterException', 'FailedHookErrored']));
    expect(places('nobody')).toEqual([]);
    // Once for each attempt.
    expect(restores).toHaveLength(4);
  });

  it('is there for a job that is refused unrun', async () => {
    await open();
    await dispatched(new TooLate());
    await at.drain();
    expect(places('ada')).toEqual(['JobProcessing', 'failed()', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(places('nobody')).toEqual([]);
  });

  it('is there in the events of a job that was left behind at its timeout', async () => {
    await open();
    await dispatched(new Look('hang'));
    await at.workers.work({ stopWhenEmpty: true, timeout: '50ms', timeoutGrace: '50ms', tries: 1, watchdog: false });
    expect(places('ada')).toEqual(expect.arrayContaining(['JobTimedOut', 'failed()', 'JobFailed']));
    expect(places('nobody')).toEqual([]);
  });

  it('is the one of its own dispatch, however many jobs run beside it', async () => {
    await open();
    for (const name of ['ada', 'bob', 'cleo']) await dispatched(new Look('wait'), name);
    await at.bus.dispatch(new Look('wait'));
    await at.drain({ concurrency: 4 });
    for (const name of ['ada', 'bob', 'cleo', 'nobody']) expect(places(name)).toHaveLength(7);
  });

  it('is asked for once a dispatch and once a bulk, and not carried where it is empty', async () => {
    await open();
    await tenant.run('ada', async () => {
      await at.bus.dispatch(new Look());
      expect(carries).toBe(1);
      await at.bus.bulk([new Look(), new Look(), new Look()]);
      expect(carries).toBe(2);
    });
    const jobs = await at.manager.connection().pendingJobs();
    expect(jobs.map((job) => (job.payload as { context?: object }).context)).toEqual(Array(4).fill({ tenant: 'ada' }));
    await at.manager.connection().clear();
    await at.bus.bulk([new Look(), new Look()]);
    expect(carries).toBe(3);
    expect(await payload()).not.toHaveProperty('context');
    await at.drain();
    expect(restores).toEqual([]);
  });

  it('of a job that a job dispatches is what holds in there', async () => {
    await open();
    await dispatched(new Look('dispatch'));
    await at.drain();
    seen = [];
    await at.drain({ queues: ['inner'] });
    expect(places('inner')).toHaveLength(7);
    expect(seen).toHaveLength(7);
  });

  it('stays with the job when it is retried by hand', async () => {
    await open();
    const receipt = await dispatched(new TooLate('throw'));
    await at.drain({ tries: 1 });
    seen = [];
    await at.failed.retry(receipt!.id);
    expect((await payload())['context']).toEqual({ tenant: 'ada' });
    await at.drain({ tries: 1 });
    expect(places('ada')).toContain('failed()');
    expect(places('nobody')).toEqual([]);
  });

  it('is that of its dispatch for every step of a chain, and for what catches its failure', async () => {
    await open();
    await tenant.run('ada', async () =>
      at.bus
        .dispatch(new Look())
        .chain([new Look(), new Look('throw')])
        .catch(new Look()),
    );
    expect(carries).toBe(1);
    carries = 0;
    await tenant.run('bob', () => at.drain({ tries: 1 }));
    expect(seen.filter((one) => one.startsWith('handler:'))).toEqual(Array(4).fill('handler: ada'));
    expect(places('bob')).toEqual([]);
    expect(carries).toBe(0);
  });

  it('of a job whose signature is wrong is not restored', async () => {
    await open(byTenant, { signing: 'require', key: 'k'.repeat(32) });
    await dispatched(new Look());
    const tampered = { ...(await payload()), context: { tenant: 'mallory' } };
    await at.manager.connection().clear();
    await at.manager.connection().pushRaw(JSON.stringify(tampered));
    await at.drain();
    expect(restores).toEqual([]);
    expect(places('mallory')).toEqual([]);
    expect((await at.failed.all())[0]!.exception).toContain('SignatureError');
    await dispatched(new Look());
    await at.drain();
    expect(places('ada')).toContain('handler');
  });

  it('is there in jobs that run in this process: sync, deferred, dispatchSync, after the response', async () => {
    await open();
    const everywhere = ['JobProcessing', 'handler', 'JobProcessed', 'JobAttempted'];
    await tenant.run('ada', async () => at.bus.dispatch(new Look()).onConnection('sync'));
    expect(places('ada')).toEqual(expect.arrayContaining(everywhere));
    await tenant.run('bob', async () => at.bus.dispatch(new Look()).onConnection('deferred'));
    await until(() => places('bob').includes('JobAttempted'));
    expect(places('bob')).toEqual(expect.arrayContaining(everywhere));
    expect(await tenant.run('cleo', () => at.bus.dispatchSync(new Look()))).toBe('cleo');
    expect(places('cleo')).toEqual(expect.arrayContaining(everywhere));
    tenant.run('dora', () => at.bus.dispatchAfterResponse(new Look()));
    await until(() => places('dora').includes('JobAttempted'));
    expect(places('dora')).toEqual(expect.arrayContaining(everywhere));
    await expect(tenant.run('eve', () => at.bus.dispatchSync(new Look('throw')))).rejects.toThrow('thrown');
    expect(places('eve')).toEqual(expect.arrayContaining(['failed()', 'JobFailed']));
    expect(places('nobody')).toEqual([]);
    expect(restores).toHaveLength(5);
  });

  it.each<[string, unknown, RegExp]>([
    ['a number', { tenant: 7 }, /carry\(\) returned 7 as tenant\. Give a text/],
    ['nothing under a name', { tenant: undefined }, /returned undefined as tenant/],
    ['an object under a name', { tenant: { id: 1 } }, /returned Object as tenant/],
    ['nothing', undefined, /returned undefined\. Return an object of texts/],
    ['a promise', Promise.resolve({ tenant: 'x' }), /returned Promise\. Return an object of texts/],
    ['a map', new Map([['tenant', 'x']]), /returned Map/],
    ['a __proto__ key', JSON.parse('{"__proto__":"x"}'), /__proto__/],
  ])('that is %s keeps the job from being sent, and says so', async (_, given, message) => {
    await open({ ...byTenant, carry: () => given as Record<string, string> });
    for (const send of [
      () => at.bus.dispatch(new Look()),
      () => at.bus.bulk([new Look()]),
      () => at.bus.dispatchSync(new Look()),
    ]) {
      const sent = Promise.resolve(send());
      await expect(sent).rejects.toThrow(InvalidOptionError);
      await expect(sent).rejects.toThrow(message);
    }
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('counts into the size of the payload, and may fail to be there', async () => {
    let carry = (): Record<string, string> => ({ tenant: 'x'.repeat(5_000) });
    await open({ ...byTenant, carry: () => carry() }, { maxPayload: 2_000 });
    await expect(at.bus.dispatch(new Look())).rejects.toThrow(PayloadTooLargeError);
    carry = () => {
      throw new Error('no request');
    };
    await expect(at.bus.dispatch(new Look())).rejects.toThrow('no request');
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('from a store that was tampered with is refused', async () => {
    await open();
    await dispatched(new Look());
    const tampered = { ...(await payload()), context: { tenant: { id: 1 } } };
    await at.manager.connection().clear();
    await at.manager.connection().pushRaw(JSON.stringify(tampered));
    await at.drain();
    expect(restores).toEqual([]);
    expect((await at.failed.all())[0]!.exception).toContain('context that is not an object of texts');
  });

  describe('where restore()', () => {
    const restoring = async (restore: (values: object, run: () => Promise<void>) => unknown): Promise<void> => {
      await open({ ...byTenant, restore: restore as NonNullable<QueueModuleOptions['context']>['restore'] });
    };
    const exception = async (): Promise<string> => (await at.failed.all())[0]!.exception;

    it('does not call run, the attempt fails and says what to do', async () => {
      let late: (() => Promise<void>) | undefined;
      await restoring(async (_, run) => void (late = run));
      const failed: unknown[] = [];
      at.manager.on(JobFailed, ({ error }) => void failed.push(error));
      await dispatched(new Look());
      at.names();
      await at.drain({ tries: 2 });
      expect(failed[0]).toBeInstanceOf(ContextNotRestoredError);
      expect((failed[0] as Error).message).toMatch(
        /^Look was not run: context\.restore\(\) ended without calling run\./,
      );
      expect(at.names()).toEqual(
        [
          'JobPopped JobProcessing JobExceptionOccurred JobReleasedAfterException JobAttempted',
          'JobPopped JobProcessing JobFailed JobExceptionOccurred JobAttempted',
        ].flatMap((attempt) => attempt.split(' ')),
      );
      await expect(late!()).rejects.toThrow(ContextNotRestoredError);
      expect(seen.filter((one) => one.startsWith('handler'))).toEqual([]);
    });

    it('calls it twice, the job runs once', async () => {
      await restoring(async (_, run) => {
        await Promise.all([run(), run()]);
        await run();
      });
      await dispatched(new Look());
      await at.drain();
      expect(seen.filter((one) => one.startsWith('handler:'))).toHaveLength(1);
      expect(await at.failed.count()).toBe(0);
    });

    it('throws before it, the attempt fails with that and is tried again', async () => {
      let calls = 0;
      await restoring((_, run) => {
        calls += 1;
        if (calls === 1) throw new Error('no such tenant');
        return tenant.run('second', run);
      });
      await dispatched(new Look());
      await at.drain({ tries: 2 });
      expect(places('nobody')).toEqual([
        'JobProcessing',
        'JobExceptionOccurred',
        'JobReleasedAfterException',
        'JobAttempted',
      ]);
      expect(places('second')).toHaveLength(7);
    });

    it('throws behind it, the attempt fails with that', async () => {
      await restoring(async (_, run) => {
        await run();
        throw new Error('could not clean up');
      });
      await dispatched(new Look());
      await at.drain({ tries: 1 });
      expect(await exception()).toContain('could not clean up');
    });

    it('swallows what the job threw, the attempt fails all the same', async () => {
      await restoring(async (_, run) => {
        await run().catch(() => undefined);
      });
      await dispatched(new Look('throw'));
      await at.drain({ tries: 1 });
      expect(await exception()).toContain('thrown');
    });

    it.each<[string, (values: object, run: () => Promise<void>) => unknown]>([
      ['does not wait for it', (_, run) => void tenant.run('loose', run)],
      [
        'has to wait first',
        async (_, run) => {
          await sleep(5);
          await tenant.run('loose', run);
        },
      ],
    ])('%s, all is as it should be', async (_, restore) => {
      await restoring(restore);
      await dispatched(new Look());
      await dispatched(new Look('throw'));
      await at.drain({ tries: 1 });
      expect(places('loose')).toContain('failed()');
      expect(places('nobody')).toEqual([]);
      expect(await at.failed.count()).toBe(1);
    });

    it('fails for a job that is refused anyway, that outcome stays', async () => {
      await restoring(() => Promise.reject(new Error('no such tenant')));
      await dispatched(new TooLate());
      await at.drain();
      expect(await exception()).not.toContain('no such tenant');
      expect(places('nobody')).toEqual([
        'JobProcessing',
        'failed()',
        'JobFailed',
        'JobExceptionOccurred',
        'JobAttempted',
      ]);
    });

    it('never ends, the attempt times out', async () => {
      await restoring(() => new Promise(() => {}));
      await dispatched(new Look());
      await at.workers.work({ stopWhenEmpty: true, timeout: '50ms', timeoutGrace: '50ms', tries: 1, watchdog: false });
      expect(await exception()).toContain('TimeoutExceededError');
      expect(seen.filter((one) => one.startsWith('handler'))).toEqual([]);
    });
  });

  it.each([[{}], [{ carry: () => ({}) }], [{ carry: 1, restore: 2 }], [null], ['x']])(
    'given as %p ends the boot',
    async (context) => {
      await expect(open(context as never)).rejects.toThrow(/context needs two functions/);
    },
  );
});
