import { rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  InvalidOptionError,
  Job,
  QueueHealth,
  Timeout,
  UnknownConnectionError,
  type HealthCheckOptions,
  type HealthReport,
} from 'nestjs-queue';
import { StoreProbe } from '../../lib/operations/store-probe.js';
import { queueState } from '../../lib/operations/queue-state.js';
import { workerHealth } from '../../lib/operations/worker-health.js';
import type { WorkerVitals } from '../../lib/worker/tally.js';
import { closeApps, openApp, sleep, STORES, until, type Opened } from '../flows/open-app.js';

let hold: Promise<void> = Promise.resolve();
@Job()
class Hold {
  handle(): Promise<void> {
    return hold;
  }
}
@Job()
@Timeout('20ms')
class Deaf {
  handle(): Promise<void> {
    return hold;
  }
}

afterEach(closeApps);

/** Of the queue `default` of the default connection, if nothing else is asked. */
const check = (at: Opened, options?: HealthCheckOptions): Promise<HealthReport> =>
  at.app.get(QueueHealth).check({ queues: ['default'], ...options });

describe.each(STORES)('health on %s', (store) => {
  const open = (options = {}): Promise<Opened> => openApp(store, { providers: [Hold, Deaf], options });

  it('is up, and tells sizes, where all is well', async () => {
    const at = await open();
    const { bus } = at;
    await bus.dispatch(new Hold());
    await bus.dispatch(new Hold()).delay(60);
    const report = await check(at);
    expect(report).toMatchObject({ status: 'up', problems: [], workers: [] });
    expect(report.connections).toMatchObject({ [store]: { status: 'up', driver: store } });
    const queue = report.queues.find(({ connection }) => connection === store);
    expect(queue).toMatchObject({ queue: 'default', state: 'ok', pending: 1, delayed: 1, reserved: 0, paused: false });
    expect(queue!.oldestWait).toBeGreaterThanOrEqual(0);
    expect(queue!.oldestWait).toBeLessThan(10);
    await bus.dispatch(new Hold()).onQueue('empty');
    await at.drain({ queues: ['empty'] });
    expect((await check(at, { queues: ['empty'] })).queues).toMatchObject([{ pending: 0, oldestWait: 0, state: 'ok' }]);
  });

  it('tells a queue that nobody consumes from one that is worked, one that is behind, and one that is paused', async () => {
    const at = await open();
    await at.bus.dispatch(new Hold());
    await sleep(30);
    const late = { maxWait: '20ms' };
    const idle = await check(at, late);
    expect(idle.status).toBe('down');
    expect(idle.queues).toContainEqual(expect.objectContaining({ connection: store, state: 'not_consumed' }));
    expect(idle.problems).toEqual([
      expect.stringMatching(
        `^Queue ${store}:default is not consumed: its oldest job has waited 0 s, and none is taken. Start a worker for it: queue:work ${store} --queue=default$`,
      ),
    ]);
    expect((await check(at)).status).toBe('up');
    expect((await check(at, { maxWait: false })).status).toBe('up');

    await at.manager.pause(store, 'default');
    expect(await check(at, late)).toMatchObject({ status: 'up', queues: [{ state: 'paused', paused: true }] });
    await at.manager.resume(store, 'default');

    let release = (): void => {};
    hold = new Promise((resolve) => (release = resolve));
    const working = at.workers.work({ sleep: '20ms' });
    await until(async () => (await check(at)).queues[0]!.reserved === 1, 'the first job to run');
    await at.bus.dispatch(new Hold());
    await sleep(30);
    const behind = await check(at, late);
    expect(behind).toMatchObject({ status: 'up', queues: [{ state: 'behind', pending: 1, reserved: 1 }] });
    expect(behind.workers).toMatchObject([{ connection: store, queues: ['default'], state: 'running', running: 1 }]);
    release();
    await until(async () => (await check(at)).queues[0]!.pending === 0, 'the queue to be empty');
    expect(await check(at, late)).toMatchObject({ status: 'up', queues: [{ state: 'ok', oldestWait: 0 }] });
    await at.workers.stop();
    expect(await working).toBe('interrupted');
    expect((await check(at)).status).toBe('up');
  });

  it('counts what is due where a limit is given', async () => {
    const at = await open();
    await at.bus.bulk([new Hold(), new Hold(), new Hold()]);
    expect((await check(at, { maxPending: 3 })).status).toBe('up');
    const report = await check(at, { maxPending: 2 });
    expect(report).toMatchObject({ status: 'down', queues: [{ state: 'too_many' }] });
    expect(report.problems).toEqual([`Queue ${store}:default holds 3 jobs that are due, more than 2.`]);
  });

  it('points out a worker that takes nothing', async () => {
    const at = await open();
    at.manager.looping(() => false);
    const working = at.workers.work({ sleep: '20ms' });
    await until(() => at.workers.status()[0]?.state === 'paused', 'the worker to be kept from looking');
    await at.bus.dispatch(new Hold());
    await sleep(30);
    expect(await check(at, { maxWait: '10ms' })).toMatchObject({ status: 'up', queues: [{ state: 'paused' }] });
    await at.workers.stop();
    await working;
  });

  it('is down where the worker inside the application has ended, and where it is stuck', async () => {
    let release = (): void => {};
    hold = new Promise((resolve) => (release = resolve));
    const at = await open({ worker: { timeoutGrace: '20ms', sleep: '20ms', grace: 1, tries: 2, concurrency: 2 } });
    await until(() => at.workers.status()[0]?.state === 'running', 'the worker');
    expect(await check(at)).toMatchObject({ status: 'up', workers: [{ state: 'running' }] });
    await at.bus.dispatch(new Hold());
    await until(async () => at.workers.status()[0]?.running === 1, 'the job that goes on');
    await at.bus.dispatch(new Deaf());
    await until(async () => (await check(at)).status === 'down', 'the stuck worker');
    const stuck = await check(at);
    expect(stuck.workers).toMatchObject([{ fault: 'stuck' }]);
    expect(stuck.problems).toEqual([expect.stringMatching(/ is stuck: a job did not end by its signal/)]);
    expect(at.app.get(QueueHealth).live()).toMatchObject({ status: 'down', workers: [{ fault: 'stuck' }] });
    release();
    await until(() => at.workers.status().length === 0, 'the worker to end', 10_000);
    const ended = await check(at);
    expect(ended).toMatchObject({ status: 'down', workers: [{ state: 'stopped', fault: 'ended', end: 'timed_out' }] });
    expect(ended.problems).toContainEqual(
      expect.stringMatching(/ has ended \(timed_out\)\. Restart the process to work jobs again\.$/),
    );
    expect((await check(at, { worker: false })).status).toBe('up');
  });

  it('wants a worker where it is told to', async () => {
    const at = await open();
    expect(await check(at, { worker: true })).toMatchObject({
      status: 'down',
      problems: ['No worker runs in this process, though one is to.'],
    });
    await at.drain();
    expect((await check(at)).status).toBe('up');
    expect((await check(at, { worker: true })).status).toBe('down');
  });

  it('refuses what it cannot be asked', async () => {
    const at = await open();
    await expect(check(at, { queues: ['nowhere:default'] })).rejects.toThrow(UnknownConnectionError);
    await expect(check(at, { maxWait: -1 })).rejects.toThrow(InvalidOptionError);
    await expect(check(at, { maxpending: 1 } as object)).rejects.toThrow(/It is written maxPending here/);
  });
});

describe('a store that cannot be used', () => {
  let dir: string;
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is named, while the others are told of', async () => {
    dir = mkdtempSync(join(tmpdir(), 'queue-health-'));
    const file = join(dir, 'not-a-database.sqlite');
    writeFileSync(file, 'text, and a lot of it '.repeat(100));
    const at = await openApp('memory', {
      options: {
        connections: {
          broken: { driver: 'database', dataSource: { type: 'better-sqlite3', database: file } } as never,
          unreachable: { driver: 'redis', url: 'redis://user:swordfish@127.0.0.1:1' } as never,
        },
      },
    });
    const report = await check(at, { queues: ['default', 'broken:default', 'unreachable:default'], timeout: 1 });
    expect(report.status).toBe('down');
    expect(report.connections).toMatchObject({
      memory: { status: 'up' },
      broken: { status: 'down', fault: 'unusable' },
      unreachable: { status: 'down', fault: 'unreachable' },
    });
    expect(report.queues.map(({ state }) => state)).toEqual(['ok', 'unknown', 'unknown']);
    expect(report.problems).toHaveLength(2);
    expect(JSON.stringify(report)).not.toContain('swordfish');
  });
});

describe('a store that does not answer', () => {
  it('is asked once, however often somebody looks, and each look ends in time', async () => {
    const at = await openApp('memory');
    const connection = at.manager.connection('memory');
    let asked = 0;
    let answer = (): void => {};
    connection.check = () => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    };
    const looks = await Promise.all(Array.from({ length: 20 }, () => check(at, { timeout: '50ms' })));
    expect(asked).toBe(1);
    for (const { status, problems, connections } of looks) {
      expect(status).toBe('down');
      expect(connections['memory']).toMatchObject({ status: 'down', fault: 'unreachable' });
      expect(problems[0]).toMatch(/gave no answer within 0\.05 s/);
    }
    expect((await check(at, { timeout: '10ms' })).status).toBe('down');
    expect(asked).toBe(1);
    answer();
    await until(async () => (await check(at, { timeout: '50ms' })).status === 'up', 'it to be up again');
  });

  it('is asked once more when the first question is lost for good', async () => {
    let now = 0;
    const connection = {
      name: 'main',
      check: async () => {},
      sizes: () => ((asked += 1), new Promise<never>(() => {})),
      queueName: (name: string) => name,
    };
    let asked = 0;
    const probe = new StoreProbe({
      clock: {
        now: () => now,
        elapsed: () => now,
        after: (ms: number, fn: () => void) => (setTimeout(fn, ms), () => {}),
      },
      get: () => connection,
      checkStores: async () => {},
      control: async () => ({ read: async () => ({ allPaused: false, paused: [] }) }),
    } as never);
    for (const [at, expected] of [
      [0, 1],
      [29_000, 1],
      [31_000, 2],
      [60_000, 2],
    ] as const) {
      now = at;
      expect(await probe.read('main', ['default'], 1)).toMatchObject({ fault: 'unreachable' });
      expect(asked).toBe(expected);
    }
  });
});

describe('what is made of the figures', () => {
  const worker = (more: Partial<WorkerVitals> = {}): WorkerVitals => ({
    connection: 'main',
    queues: ['high', 'low'],
    state: 'running',
    running: 0,
    processed: 0,
    failed: 0,
    since: new Date(),
    lastJobAt: null,
    stuck: false,
    overdueMs: 0,
    ...more,
  });
  const low = { connection: 'main', queue: 'low', pending: 5, reserved: 0, oldestWait: 100, paused: false };
  const limits = { maxWaitMs: 60_000, maxPending: Infinity };

  it('takes a queue whose worker is busy elsewhere for one that is behind', () => {
    expect(queueState(low, limits, [worker({ running: 1 })])).toBe('behind');
    expect(queueState(low, limits, [worker()])).toBe('not_consumed');
    expect(queueState(low, limits, [])).toBe('not_consumed');
    expect(queueState({ ...low, reserved: 1 }, limits, [])).toBe('behind');
  });

  it('goes by its workers where the store cannot count', () => {
    expect(queueState({ ...low, reserved: null }, limits, [])).toBe('not_consumed');
    expect(queueState({ ...low, reserved: null }, limits, [worker()])).toBe('behind');
    expect(queueState({ ...low, oldestWait: null }, limits, [])).toBe('ok');
  });

  it('sees a worker whose loop has not come round', () => {
    expect(workerHealth([worker({ overdueMs: 29_000 })], false).problems).toEqual([]);
    const { workers, problems } = workerHealth([worker({ overdueMs: 45_000 })], false);
    expect(workers).toMatchObject([{ fault: 'blocked' }]);
    expect(problems).toEqual([
      expect.stringMatching(/^The worker on main, queue high,low is blocked: its loop is 45 s late/),
    ]);
  });

  it.each([
    ['interrupted', false, true],
    ['empty', false, true],
    ['max_jobs', true, false],
    ['lost_connection', false, false],
    ['error', false, false],
  ] as const)('ended by %s, and expected: %s: fine is %s', (end, expected, fine) => {
    expect(workerHealth([worker({ state: 'stopped', end })], expected).problems.length === 0).toBe(fine);
  });
});
