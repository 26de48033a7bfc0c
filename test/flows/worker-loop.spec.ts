import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  InvalidOptionError,
  InvalidQueueNameError,
  Job,
  JobAttempted,
  JobPopped,
  JobPopping,
  Looping,
  Queueable,
  UnknownConnectionError,
  WorkerIdle,
  WorkerPausing,
  WorkerQueuePaused,
  WorkerQueueResumed,
  WorkerResuming,
  WorkerStarting,
  WorkerStopping,
} from 'nestjs-queue';
import { closeApps, openApp, sleep, STORES, until, type Opened } from './open-app.js';

let ran: string[] = [];
let running = 0;
let most = 0;

@Job()
class Step extends Queueable {
  constructor(
    readonly label: string,
    readonly ms = 0,
  ) {
    super();
  }
  async handle() {
    running += 1;
    most = Math.max(most, running);
    if (this.ms > 0) await sleep(this.ms);
    running -= 1;
    ran.push(this.label);
  }
}

beforeEach(() => {
  ran = [];
  running = 0;
  most = 0;
});
afterEach(closeApps);

describe.each(STORES)('a worker on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Step] });
  });
  const steps = (count: number, ms = 0): Step[] =>
    Array.from({ length: count }, (_, index) => new Step(`${index}`, ms));
  const stopping = (): WorkerStopping[] => events.filter((one): one is WorkerStopping => one instanceof WorkerStopping);
  const events: object[] = [];
  beforeEach(() => {
    events.length = 0;
    for (const type of [WorkerStarting, WorkerStopping, WorkerIdle, Looping, JobPopped])
      at.manager.on(type as typeof Looping, (event) => void events.push(event));
  });

  it('takes the jobs of a queue in the order of their pushes, at one at a time', async () => {
    await at.bus.bulk(steps(25));
    expect(await at.drain()).toBe('empty');
    expect(ran).toEqual(steps(25).map((one) => one.label));
    expect(most).toBe(1);
  });

  it('takes earlier queues first, and looks at them again after every job', async () => {
    await at.bus.bulk([new Step('low 1'), new Step('low 2'), new Step('low 3')].map((one) => one.onQueue('low')));
    await at.bus.dispatch(new Step('high 1')).onQueue('high');
    at.manager.after(async ({ job }) => {
      if ((job.payload as { data: Step }).data.label === 'low 1')
        await at.bus.dispatch(new Step('high 2')).onQueue('high');
    });
    await at.drain({ queues: [' high', '', 'low ', 'high'] });
    expect(ran[0]).toBe('high 1');
    expect(ran.indexOf('high 2')).toBeLessThan(ran.indexOf('low 3'));
    expect(ran).toHaveLength(5);
  });

  it('works exactly n at a time, and all n where there is enough to do', async () => {
    await at.bus.bulk(steps(12, 25));
    const before = Date.now();
    await at.drain({ concurrency: 4 });
    expect(most).toBe(4);
    expect(ran).toHaveLength(12);
    expect(Date.now() - before).toBeLessThan(12 * 25);
  });

  it('holds prefetched jobs beyond its slots, without running more', async () => {
    await at.bus.bulk(steps(6, 30));
    const work = at.drain({ concurrency: 2, prefetch: 2 });
    await until(() => running >= 2);
    const { reserved } = await at.manager.connection().size();
    expect(reserved).toBe(4);
    await work;
    expect(most).toBe(2);
    expect(ran).toHaveLength(6);
  });

  it.each([
    [1, 0, 3],
    [4, 0, 6],
    [4, 5, 7],
    [1, 5, 4],
  ])('ends after maxJobs to the job, with concurrency %p and prefetch %p', async (concurrency, prefetch, maxJobs) => {
    await at.bus.bulk(steps(10, 2));
    expect(await at.workers.work({ concurrency, prefetch, maxJobs, sleep: '20ms' })).toBe('max_jobs');
    expect(ran).toHaveLength(maxJobs);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 10 - maxJobs, reserved: 0 });
    expect(stopping()).toEqual([expect.objectContaining({ status: 0, reason: 'max_jobs', jobsProcessed: maxJobs })]);
  });

  it('ends when the queue is empty, and only when nothing runs any more', async () => {
    await at.bus.bulk(steps(3, 30));
    expect(await at.drain({ concurrency: 5 })).toBe('empty');
    expect(ran).toHaveLength(3);
    expect(stopping()[0]).toMatchObject({ status: 0, jobsProcessed: 3, lastJobProcessedAt: expect.any(Date) });
  });

  it('does not take a delayed job for an empty queue’s end', async () => {
    await at.bus.dispatch(new Step('later')).delay('1h');
    expect(await at.drain()).toBe('empty');
    expect(ran).toEqual([]);
    expect(stopping()[0]).toMatchObject({ lastJobProcessedAt: null });
  });

  it('ends when there was nothing to do for stopWhenEmptyFor, counted from the last job', async () => {
    await at.bus.dispatch(new Step('long', 120));
    await at.bus.dispatch(new Step('late')).delay('160ms');
    const before = Date.now();
    expect(await at.workers.work({ stopWhenEmptyFor: '90ms', sleep: '20ms', concurrency: 2 })).toBe('empty_for');
    expect(ran).toEqual(['long', 'late']);
    expect(Date.now() - before).toBeGreaterThanOrEqual(240);
  });

  it('does not ask the store without pause while stopWhenEmptyFor has passed but a job runs', async () => {
    await at.bus.dispatch(new Step('long', 200));
    await at.workers.work({ stopWhenEmptyFor: '10ms', sleep: '50ms', concurrency: 2 });
    expect(events.filter((one) => one instanceof Looping).length).toBeLessThan(15);
  });

  it('ends after maxTime', async () => {
    expect(await at.workers.work({ maxTime: '60ms', sleep: 3 })).toBe('max_time');
  });

  it('ends between jobs when the process is too large', async () => {
    await at.bus.bulk(steps(2));
    expect(await at.workers.work({ memory: 1 })).toBe('memory');
    expect(stopping()[0]).toMatchObject({ status: 12, reason: 'memory' });
  });

  it('ends on the restart mark, after its job', async () => {
    await at.bus.dispatch(new Step('first', 60));
    const work = at.workers.work({ sleep: '30ms' });
    await until(() => running >= 1);
    await at.manager.restartWorkers();
    expect(await work).toBe('restart_signal');
    expect(ran).toEqual(['first']);
    // The mark that was there before is no reason to end.
    expect(await at.drain()).toBe('empty');
  }, 10_000);

  it('runNextJob runs one and tells whether there was one', async () => {
    await at.bus.bulk(steps(2));
    expect(await at.workers.runNextJob({ sleep: 0 })).toBe(true);
    expect(ran).toHaveLength(1);
    expect(await at.workers.runNextJob({ sleep: '0s' })).toBe(true);
    expect(await at.workers.runNextJob({ sleep: 0 })).toBe(false);
    expect(await at.workers.runNextJob({ sleep: '40ms' })).toBe(false);
  });

  it('serves a job that comes while it waits, long before its sleep is over', async () => {
    const work = at.workers.work({ sleep: 3 });
    await until(() => at.workers.status()[0]?.state === 'running');
    await sleep(40);
    const before = Date.now();
    await at.bus.dispatch(new Step('now'));
    await until(() => ran.length >= 1);
    expect(Date.now() - before).toBeLessThan(1_500);
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(2_500);
  });

  it('rests after each job, and need not rest to end', async () => {
    await at.bus.bulk(steps(3));
    const before = Date.now();
    await at.drain({ rest: '50ms' });
    expect(Date.now() - before).toBeGreaterThanOrEqual(100);
    await at.bus.dispatch(new Step('last'));
    const work = at.workers.work({ rest: '30s', sleep: '20ms' });
    await until(() => ran.includes('last'));
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(3_000);
  });

  it('does not look for jobs while a listener of Looping says no', async () => {
    let open = false;
    const off = at.manager.looping(() => open);
    await at.bus.dispatch(new Step('vetoed'));
    const work = at.workers.work({ sleep: '20ms', maxJobs: 1 });
    await sleep(100);
    expect(ran).toEqual([]);
    open = true;
    expect(await work).toBe('max_jobs');
    off();
    at.manager.looping(() => Promise.resolve(false));
    // A veto is no work: a worker that ends when there is nothing to do ends.
    expect(await at.drain()).toBe('empty');
  });

  it('calls the hooks by name', async () => {
    const calls: string[] = [];
    at.manager.starting(() => calls.push('starting'));
    at.manager.looping(() => void calls.push('looping'));
    at.manager.before(() => calls.push('before'));
    at.manager.after(() => calls.push('after'));
    at.manager.stopping(() => calls.push('stopping'));
    await at.bus.dispatch(new Step('hooked'));
    await at.drain();
    expect(calls.filter((one, index) => one !== calls[index - 1])).toEqual([
      'starting',
      'looping',
      'before',
      // The next look takes the ack along, so it begins before the job is known to be done.
      'looping',
      'after',
      'looping',
      'stopping',
    ]);
  });

  describe('pauses', () => {
    it('one queue by the manager; the others go on', async () => {
      await at.manager.pause(store, 'high');
      await at.bus.dispatch(new Step('high')).onQueue('high');
      await at.bus.dispatch(new Step('low')).onQueue('low');
      const work = at.workers.work({ queues: ['high', 'low'], sleep: '20ms' });
      await until(() => ran.length >= 1);
      await sleep(60);
      expect(ran).toEqual(['low']);
      expect(at.seen.filter((one) => one instanceof WorkerQueuePaused)).toMatchObject([{ queue: 'high' }]);
      await at.manager.resume(store, 'high');
      await until(() => ran.length >= 2);
      expect(at.seen.filter((one) => one instanceof WorkerQueueResumed)).toMatchObject([{ queue: 'high' }]);
      await at.workers.stop();
      await work;
    });

    it('for a while', async () => {
      await at.manager.pauseFor(store, 'default', '150ms');
      await at.bus.dispatch(new Step('one'));
      expect(await at.manager.isPaused(store, 'default')).toBe(true);
      const work = at.workers.work({ sleep: '50ms', maxJobs: 1 });
      await sleep(80);
      expect(ran).toEqual([]);
      expect(await work).toBe('max_jobs');
    });

    it('all queues; force works through it', async () => {
      await at.manager.pauseAll();
      await at.bus.dispatch(new Step('one'));
      expect(await at.drain()).toBe('empty');
      expect(ran).toEqual([]);
      expect(await at.drain({ force: true })).toBe('empty');
      expect(ran).toEqual(['one']);
      await at.manager.resumeAll();
      await at.bus.dispatch(new Step('two'));
      await at.drain();
      expect(ran).toEqual(['one', 'two']);
    });

    it('by the service; what runs goes on', async () => {
      await at.bus.bulk(steps(2, 40));
      const work = at.workers.work({ sleep: '20ms' });
      await until(() => running >= 1);
      at.workers.pause();
      at.workers.pause();
      await until(() => at.workers.status()[0]!.state === 'paused');
      await sleep(60);
      expect(ran).toEqual(['0']);
      at.workers.resume();
      await until(() => ran.length >= 2);
      await at.workers.stop();
      expect(await work).toBe('interrupted');
      expect(at.seen.filter((one) => one instanceof WorkerPausing)).toHaveLength(1);
      expect(at.seen.filter((one) => one instanceof WorkerResuming)).toHaveLength(1);
    });

    it('of the service hold for workers that start later, and do not keep one from stopping', async () => {
      at.workers.pause();
      await at.bus.dispatch(new Step('one'));
      const work = at.workers.work({ sleep: 3 });
      await sleep(30);
      const before = Date.now();
      await at.workers.stop();
      expect(await work).toBe('interrupted');
      expect(Date.now() - before).toBeLessThan(1_500);
      expect(ran).toEqual([]);
    });
  });

  it('tells its status', async () => {
    await at.bus.bulk(steps(3, 40));
    const work = at.workers.work({ concurrency: 2, sleep: '20ms', maxJobs: 3 });
    await until(() => running >= 2);
    expect(at.workers.status()).toEqual([
      { state: 'running', running: 2, processed: 0, failed: 0, since: expect.any(Date), lastJobAt: null },
    ]);
    await work;
    expect(at.workers.status()).toEqual([]);
    expect(at.seen.filter((one) => one instanceof JobAttempted)).toHaveLength(3);
  });

  it('raises WorkerIdle once for each look that found nothing', async () => {
    let looks = 0;
    at.manager.on(JobPopping, () => void (looks += 1));
    await at.workers.work({ stopWhenEmptyFor: '110ms', sleep: '30ms' });
    expect(looks).toBeGreaterThan(0);
    expect(events.filter((one) => one instanceof WorkerIdle)).toHaveLength(looks);
    expect(events.filter((one) => one instanceof Looping)).toHaveLength(looks);
  });
});

describe('options of a worker that cannot be', () => {
  it.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ tries: -1 }, 'tries'],
    [{ tries: 1.5 }, 'tries'],
    [{ timeout: -1 }, 'timeout'],
    [{ sleep: 'soon' }, 'sleep'],
    [{ backoff: [Number.NaN] }, 'backoff'],
    [{ memory: Infinity }, 'memory'],
    [{ unknownJobTries: 0 }, 'unknownJobTries'],
    [{ maxTries: 3 } as object, 'maxTries'],
    [{ queues: 'high' as never }, 'queues'],
  ])('%p', async (options, names) => {
    const at = await openApp('memory');
    await expect(at.workers.work(options)).rejects.toThrow(InvalidOptionError);
    await expect(at.workers.work(options)).rejects.toThrow(names);
  });

  it('a queue name, a connection', async () => {
    const at = await openApp('memory');
    await expect(at.workers.work({ queues: ['high low'] })).rejects.toThrow(InvalidQueueNameError);
    await expect(at.workers.work({ connection: 'nowhere' })).rejects.toThrow(UnknownConnectionError);
  });

  it('of the worker inside an app end the boot', async () => {
    await expect(openApp('memory', { options: { worker: { concurrency: 0 } } })).rejects.toThrow(InvalidOptionError);
    await expect(openApp('memory', { options: { worker: { connection: 'nowhere' } } })).rejects.toThrow(
      UnknownConnectionError,
    );
  });
});
