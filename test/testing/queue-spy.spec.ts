import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Backoff, Job, Queueable, QueueManager, Tries, WorkerService } from 'nestjs-queue';
import { queueSpy, QueueSpyError } from 'nestjs-queue/testing';
import { closeModules, moduleOn, runtime, STORES, type Made, type StoreName } from './drain-module.js';

let script: (job: Podcast) => unknown = () => {};

abstract class Podcast extends Queueable {
  constructor(
    readonly id: number,
    readonly since = new Date(0),
  ) {
    super();
  }
  async handle(): Promise<void> {
    await script(this);
  }
}
@Job({ name: 'podcasts.process' })
class ProcessPodcast extends Podcast {}
@Job()
@Tries(2)
@Backoff('10ms')
class Publish extends Podcast {}

/** A worker in the same process, as an application has it. */
async function working(store: StoreName): Promise<Made> {
  const made = await moduleOn(store, [ProcessPodcast, Publish], { worker: { sleep: '50ms', watchdog: false } });
  await made.moduleRef.init();
  return made;
}

beforeEach(() => {
  script = () => {};
});
afterEach(closeModules);

describe.each(STORES)('queueSpy with a worker on %s', (store) => {
  it('waits for what becomes of a job', async () => {
    const { moduleRef, bus } = await working(store);
    const spy = queueSpy(moduleRef);
    script = (job) => {
      if (job instanceof Publish) throw new Error(`no ${job.attempts()}`);
    };
    await bus.dispatch(new ProcessPodcast(1)).onQueue('default');
    await bus.dispatch(new Publish(2));
    expect(await spy.waitFor(ProcessPodcast, 'processed')).toEqual({
      state: 'processed',
      id: expect.any(String),
      name: 'podcasts.process',
      connection: store,
      queue: 'default',
      attempts: 1,
    });
    const released = await spy.waitFor(Publish, 'released');
    expect(released).toMatchObject({ attempts: 1, error: { message: 'no 1' } });
    expect(await spy.waitFor(Publish, 'failed')).toMatchObject({
      id: released.id,
      attempts: 2,
      error: { message: 'no 2' },
    });
  });

  it('knows what has happened since it was made', async () => {
    const { moduleRef, bus } = await working(store);
    await bus.dispatch(new ProcessPodcast(1));
    const spy = queueSpy(moduleRef);
    await bus.dispatch(new ProcessPodcast(2, new Date(7)));
    await spy.waitFor(ProcessPodcast, 'processed', { where: ({ id }) => id === 2 });
    for (const state of ['queued', 'processing', 'processed'] as const) {
      const seen = await spy.waitFor(ProcessPodcast, state, {
        where: (job) => job instanceof ProcessPodcast && job.since.getTime() === 7,
        timeout: '1s',
      });
      expect(seen.state).toBe(state);
    }
    await expect(
      spy.waitFor(ProcessPodcast, 'queued', { where: ({ id }) => id === 1, timeout: '10ms' }),
    ).rejects.toThrow(QueueSpyError);
    expect(spy.history.map(({ state }) => state).filter((state) => state === 'queued')).toHaveLength(1);
    expect(Object.keys(spy.history[0]!)).not.toContain('job');
  });

  it('says what did happen when the time is over', async () => {
    const { moduleRef, bus } = await working(store);
    const spy = queueSpy(moduleRef);
    await expect(spy.waitFor(Publish, 'processed', { timeout: '5ms' })).rejects.toThrow(
      "waitFor(Publish, 'processed'): it has not happened within 0.005 s. Nothing has happened to any job since the spy was made.",
    );
    script = () => Promise.reject(new Error('mute'));
    await bus.dispatch(new ProcessPodcast(1)).onQueue('default');
    await spy.waitFor(ProcessPodcast, 'failed');
    const told = await spy.waitFor(ProcessPodcast, 'processed', { timeout: '5ms', where: () => true }).catch(String);
    expect(told).toBe(
      [
        "QueueSpyError: waitFor(ProcessPodcast, 'processed', where …): it has not happened within 0.005 s. What has happened since the spy was made:",
        `  podcasts.process queued on [${store}] default`,
        `  podcasts.process processing on [${store}] default, attempt 1`,
        `  podcasts.process failed on [${store}] default, attempt 1: Error: mute`,
      ].join('\n'),
    );
  });

  it('does not take a job for processed that only went back', async () => {
    const { moduleRef, bus } = await working(store);
    const spy = queueSpy(moduleRef);
    script = (job) => job.release(60);
    await bus.dispatch(new Publish(1));
    await spy.waitFor(Publish, 'released');
    await expect(spy.waitFor(Publish, 'processed', { timeout: '20ms' })).rejects.toThrow('released');
  });
});

describe('queueSpy', () => {
  it('serves a worker that the test runs itself', async () => {
    const { moduleRef, bus } = await moduleOn('memory', [ProcessPodcast]);
    await moduleRef.init();
    const spy = queueSpy(moduleRef);
    const waiting = spy.waitFor(ProcessPodcast, 'processed');
    await bus.dispatch(new ProcessPodcast(1));
    await moduleRef.get(WorkerService).runNextJob({ sleep: 0 });
    expect(await waiting).toMatchObject({ state: 'processed' });
  });

  it('sees all of several that wait at once, each once', async () => {
    const { moduleRef, bus } = await working('memory');
    const spy = queueSpy(moduleRef);
    const waiting = [3, 1, 2].map((id) =>
      spy.waitFor(ProcessPodcast, 'processed', { where: (job) => job.id === id }).then(() => id),
    );
    await bus.bulk([1, 2, 3].map((id) => new ProcessPodcast(id)));
    expect(await Promise.all(waiting)).toEqual([3, 1, 2]);
  });

  it('tells who still waits when it is closed, and leaves no listener behind', async () => {
    const { moduleRef, bus } = await moduleOn('memory', [ProcessPodcast]);
    await moduleRef.init();
    const { hub } = runtime(moduleRef);
    const { JobAttempted, JobQueued } = await import('nestjs-queue');
    const before = [JobAttempted, JobQueued].map((type) => hub.heard(type));
    const spy = queueSpy(moduleRef);
    await bus.dispatch(new ProcessPodcast(1));
    expect(hub.heard(JobAttempted)).toBe(true);
    const waiting = spy.waitFor(ProcessPodcast, 'processed');
    spy.close();
    spy.close();
    await expect(waiting).rejects.toThrow(
      "waitFor(ProcessPodcast, 'processed'): the spy was closed. What has happened",
    );
    expect([JobAttempted, JobQueued].map((type) => hub.heard(type))).toEqual(before);
    await expect(spy.waitFor(ProcessPodcast, 'processed')).rejects.toThrow('the spy was closed');
    expect(await spy.waitFor(ProcessPodcast, 'queued')).toMatchObject({ state: 'queued' });
  });

  it('ends with the application', async () => {
    const { moduleRef } = await working('memory');
    const waiting = queueSpy(moduleRef).waitFor(ProcessPodcast, 'processed');
    const told = waiting.catch(String);
    await moduleRef.close();
    expect(await told).toMatch('the application was closed');
  });

  it('refuses what is no job, no state and no time', async () => {
    const { moduleRef } = await moduleOn('memory', [ProcessPodcast]);
    const spy = queueSpy(moduleRef);
    await expect(spy.waitFor(QueueManager, 'queued')).rejects.toThrow('is not a job');
    await expect(spy.waitFor(ProcessPodcast, 'done' as never)).rejects.toThrow('is no state');
    await expect(spy.waitFor(ProcessPodcast, 'queued', { timeout: 'soon' })).rejects.toThrow('waitFor: timeout');
    expect(() => queueSpy({} as never)).toThrow('queueSpy() was given');
    spy.close();
  });
});
