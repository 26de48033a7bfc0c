import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Job, JobProcessed, JobReleased, Queueable, QueueBus, WorkerStopping } from 'nestjs-queue';
import { closeApps, openApp, sleep, sqliteOptions, STORES, until, type Opened } from './open-app.js';

let ran: string[] = [];
let reasons: unknown[] = [];
let interrupted: string[] = [];

@Job()
class Long extends Queueable {
  constructor(
    readonly label: string,
    readonly ms: number,
    readonly heeds = true,
  ) {
    super();
  }
  async handle() {
    // A handler that is left behind must not write into the next test.
    const lines = ran;
    lines.push(`${this.label} began`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.ms).unref();
      this.signal.addEventListener('abort', () => {
        reasons.push(this.signal.reason);
        if (!this.heeds) return;
        clearTimeout(timer);
        resolve();
      });
    });
    if (this.signal.aborted && this.heeds) return this.release();
    lines.push(`${this.label} done`);
  }
  interrupted(signal: string): Promise<void> {
    interrupted.push(signal);
    const error = new Error('must not matter');
    if (this.label === 'b') return Promise.reject(error);
    throw error;
  }
}

/** A client of the application that closes last, as a database pool does. */
@Injectable()
class Client implements OnApplicationShutdown {
  open = true;
  onApplicationShutdown() {
    this.open = false;
  }
}
@Job()
class UsesClient extends Queueable {
  async handle(@Inject() client: Client, @Inject() bus: QueueBus) {
    ran.push('began');
    await sleep(120);
    ran.push(client.open ? 'client open' : 'client closed');
    // Not awaited: the module sends it before it closes.
    void bus.dispatch(new Long('follow-up', 0)).onQueue('later').then();
  }
}

beforeEach(() => {
  ran = [];
  reasons = [];
  interrupted = [];
});
afterEach(closeApps);

describe.each(STORES)('the end of a worker on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Long] });
  });

  it('waits for what runs and takes nothing more', async () => {
    await at.bus.bulk([new Long('a', 250), new Long('b', 250), new Long('c', 250)]);
    const work = at.workers.work({ concurrency: 2, sleep: 3 });
    await until(() => ran.length >= 2);
    at.workers.signal('SIGTERM');
    expect(await work).toBe('interrupted');
    expect(ran).toEqual(['a began', 'b began', 'a done', 'b done']);
    expect(reasons).toEqual([]);
    expect(interrupted).toEqual(['SIGTERM', 'SIGTERM']);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 1, reserved: 0 });
  });

  it('reports interrupted() that throws or rejects, and goes on', async () => {
    const errors: string[] = [];
    const quiet = (): void => {};
    const logger = {
      log: quiet,
      warn: quiet,
      debug: quiet,
      verbose: quiet,
      error: (line: string) => void errors.push(line),
    };
    const told = await openApp(store, { providers: [Long], logger });
    await told.bus.bulk([new Long('a', 50), new Long('b', 50)]);
    const work = told.workers.work({ concurrency: 2, sleep: 3 });
    await until(() => ran.length >= 2);
    told.workers.signal('SIGINT');
    expect(await work).toBe('interrupted');
    expect(errors).toEqual(
      [1, 2].map(() => expect.stringMatching(/Long.*interrupted\(\) failed: Error: must not matter/)),
    );
  });

  it('gives what was prefetched back, uncounted', async () => {
    await at.bus.bulk([new Long('a', 250), new Long('b', 250), new Long('c', 250)]);
    const work = at.workers.work({ prefetch: 2, sleep: 3 });
    await until(() => ran.length >= 1);
    await at.workers.stop();
    await work;
    expect(ran).toEqual(['a began', 'a done']);
    const pending = await at.manager.connection().pendingJobs();
    expect(pending.map(({ attempts }) => attempts)).toEqual([0, 0]);
  });

  it('aborts the signals near the end of the grace, with the reason', async () => {
    await at.bus.dispatch(new Long('a', 5_000));
    const work = at.workers.work({ grace: '200ms', sleep: '20ms', tries: 3 });
    await until(() => ran.length >= 1);
    const before = Date.now();
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeGreaterThanOrEqual(140);
    expect(Date.now() - before).toBeLessThan(1_000);
    expect(reasons).toEqual([expect.objectContaining({ code: 'ERR_QUEUE_WORKER_STOPPING' })]);
  });

  it('hands back what does not end in time, uncounted and at once to be had by another', async () => {
    await at.bus.dispatch(new Long('a', 600, false));
    const work = at.workers.work({ grace: '80ms', sleep: '20ms' });
    await until(() => ran.length >= 1);
    at.names();
    await at.workers.stop();
    await work;
    expect(at.names().filter((name) => name.startsWith('Job'))).toEqual(['JobReleased', 'JobAttempted']);
    expect(at.seen.some((one) => one instanceof JobProcessed)).toBe(false);
    expect(at.seen.find((one) => one instanceof JobReleased)).toMatchObject({ delay: 0 });
    const [pending] = await at.manager.connection().pendingJobs();
    expect(pending).toMatchObject({ attempts: 0 });
    // One try is all it has, and it has it still.
    ran = [];
    await at.workers.runNextJob({ sleep: 0 });
    expect(ran).toEqual(['a began', 'a done']);
    expect(await at.failed.count()).toBe(0);
  });

  it('at once by force: everything goes back', async () => {
    await at.bus.bulk([new Long('a', 1_500, false), new Long('b', 1_500, false), new Long('c', 1_500, false)]);
    const work = at.workers.work({ concurrency: 2, prefetch: 1, sleep: 3 });
    await until(() => ran.length >= 2);
    const before = Date.now();
    await at.workers.force();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(1_000);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 3, reserved: 0 });
    expect(ran).toEqual(['a began', 'b began']);
  });

  it('at once while it is idle', async () => {
    const work = at.workers.work({ sleep: 30 });
    await sleep(60);
    const before = Date.now();
    await at.workers.stop();
    await work;
    expect(Date.now() - before).toBeLessThan(1_000);
  });

  it('told before it has begun: it takes nothing', async () => {
    await at.bus.dispatch(new Long('a', 0));
    const work = at.workers.work({});
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(ran).toEqual([]);
  });
});

describe.each(STORES)('a worker inside an app on %s', (store) => {
  it('starts with it and drains in close(), before clients that close last', async () => {
    const at = await openApp(store, {
      providers: [UsesClient, Client, Long],
      options: { worker: { sleep: '20ms', queues: ['default'] } },
    });
    const stopped: WorkerStopping[] = [];
    at.manager.stopping((event) => void stopped.push(event));
    await at.bus.dispatch(new UsesClient());
    await until(() => ran.includes('began'));
    await at.app.close();
    expect(ran).toEqual(['began', 'client open']);
    expect(stopped).toMatchObject([{ reason: 'interrupted', jobsProcessed: 1 }]);
  });

  it('does not start where the option is off', async () => {
    const at = await openApp(store, { providers: [Long], options: { worker: false } });
    expect(at.workers.status()).toEqual([]);
  });
});

describe('what was dispatched and not awaited', () => {
  it('is with its store when the app has closed', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const dir = mkdtempSync(`${tmpdir()}/queue-flush-`);
    try {
      const first = await openApp('database', { providers: [Long], dir });
      for (let index = 0; index < 20; index += 1) void first.bus.dispatch(new Long(`${index}`, 0));
      await first.app.close();
      const second = await openApp('memory', {
        providers: [Long],
        options: { connections: { database: sqliteOptions(dir) as never } },
      });
      expect((await second.manager.connection('database').size()).pending).toBe(20);
    } finally {
      await closeApps();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
