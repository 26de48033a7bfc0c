import { afterEach, describe, expect, it } from '@jest/globals';
import { UseGuards, type CanActivate, type INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Counter, register, Registry } from 'prom-client';
import {
  InvalidOptionError,
  Job,
  JobAttempted,
  JobProcessing,
  Queueable,
  QueueBus,
  QueueManager,
  QueueModule,
  Tries,
  UnknownConnectionError,
  WorkerService,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { QueueMetrics, QueuePrometheusModule, type QueuePrometheusOptions } from 'nestjs-queue/prometheus';
import { BoundedLabel } from '../../lib/metrics/bounded-label.js';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { sleep, until } from '../flows/open-app.js';

let hold: Promise<void> = Promise.resolve();
@Job()
class Done {
  handle(): Promise<void> {
    return hold;
  }
}
@Job({ name: 'mail.send' })
@Tries(2)
class Flaky extends Queueable {
  handle(): void {
    if (this.context!.attempts === 1) throw new Error('once');
  }
}
@Job()
class Broken {
  handle(): void {
    throw new Error('always');
  }
}
@Job()
@Tries(2)
class Later extends Queueable {
  handle(): void {
    if (this.context!.attempts === 1) this.release();
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  register.clear();
});

interface Started {
  readonly app: INestApplication;
  readonly bus: QueueBus;
  readonly drain: () => Promise<unknown>;
  readonly scrape: (path?: string) => Promise<{ status: number; type: string | null; text: string }>;
}

async function start(
  options: QueuePrometheusOptions = {},
  queue: QueueModuleOptions = {},
  adapter?: FastifyAdapter,
): Promise<Started> {
  const module = await Test.createTestingModule({
    imports: [
      QueueModule.forRoot({ default: 'memory', ...queue }),
      QueuePrometheusModule.register({ cache: 0, ...options }),
    ],
    providers: [Done, Flaky, Broken, Later],
  }).compile();
  const app = adapter
    ? module.createNestApplication(adapter, { logger: false })
    : module.createNestApplication({ logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    bus: app.get(QueueBus),
    drain: () => app.get(WorkerService).work({ stopWhenEmpty: true, sleep: '20ms' }),
    scrape: async (path = '/metrics') => {
      const response = await fetch(`${url}${path}`);
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    },
  };
}

/** The samples of a text in Prometheus' format, as `name{labels}` with sorted labels. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`Not a sample: ${line}`);
    const sorted = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([one]) => one).sort();
    found.set(sorted.length > 0 ? `${name}{${sorted.join(',')}}` : name, Number(value));
  }
  return found;
}

const at = (job: string, more = ''): string =>
  `{${[...(more ? [more] : []), 'connection="memory"', `job="${job}"`, 'queue="default"'].join(',')}}`;

describe('metrics for Prometheus', () => {
  it('counts what becomes of jobs, and how long they waited and ran', async () => {
    const { bus, drain, scrape } = await start();
    await bus.bulk([new Done(), new Done(), new Flaky(), new Broken(), new Later()]);
    await drain();
    const { status, type, text } = await scrape();
    expect(status).toBe(200);
    expect(type).toMatch(/^text\/plain; version=0\.0\.4; charset=utf-8/);
    const found = samples(text);
    const count = (name: string, job: string, more?: string): number | undefined =>
      found.get(`nestjs_queue_${name}${at(job, more)}`);
    expect(count('jobs_processed_total', 'Done')).toBe(2);
    expect(count('jobs_processed_total', 'mail.send')).toBe(1);
    expect(count('jobs_processed_total', 'Later')).toBe(1);
    expect(count('jobs_processed_total', 'Broken')).toBeUndefined();
    expect(count('jobs_failed_total', 'Broken')).toBe(1);
    expect(count('jobs_released_total', 'mail.send', 'cause="exception"')).toBe(1);
    expect(count('jobs_released_total', 'Later', 'cause="release"')).toBe(1);
    expect(count('job_duration_seconds_count', 'Done')).toBe(2);
    expect(count('job_duration_seconds_count', 'mail.send')).toBe(2);
    expect(count('job_wait_seconds_count', 'mail.send')).toBe(1);
    expect(count('job_wait_seconds_sum', 'Done')).toBeLessThan(20);
    expect(found.get('nestjs_queue_jobs_in_flight{connection="memory",queue="default"}')).toBe(0);
    for (const name of ['jobs_processed_total', 'job_wait_seconds', 'jobs', 'oldest_job_age_seconds', 'up']) {
      expect(text).toContain(`# HELP nestjs_queue_${name} `);
    }
  });

  it('counts a wait from when the job was to be taken, not from when it was written', async () => {
    const { bus, drain, scrape } = await start({ waitBuckets: [1, 60] });
    const wait = async (job: string, le: string): Promise<number | undefined> =>
      samples((await scrape()).text).get(
        `nestjs_queue_job_wait_seconds_bucket{connection="memory",job="${job}",le="${le}",queue="default"}`,
      );
    await bus.dispatch(new Done()).delay('1200ms');
    await sleep(1_220);
    await drain();
    expect(await wait('Done', '1')).toBe(1);

    // The second step is written with the first, and waits for it.
    hold = sleep(1_200);
    await bus.chain([new Done(), new Flaky()]).dispatch();
    await drain();
    expect(await wait('Done', '1')).toBe(2);
    expect(await wait('mail.send', '1')).toBe(1);

    await bus.dispatch(new Broken());
    await sleep(1_200);
    await drain();
    expect([await wait('Broken', '1'), await wait('Broken', '60')]).toEqual([0, 1]);
  });

  it('shows what is in flight, what waits, for how long, and what is paused', async () => {
    const { app, bus, scrape } = await start({ queues: ['default', 'memory:mail'] });
    let release = (): void => {};
    hold = new Promise((resolve) => (release = resolve));
    const workers = app.get(WorkerService);
    const working = workers.work({ queues: ['default'], sleep: '20ms' });
    await bus.dispatch(new Done());
    await until(() => workers.status()[0]?.running === 1, 'the job to run');
    await bus.dispatch(new Done());
    await bus.dispatch(new Done()).onQueue('mail').delay(60);
    await app.get(QueueManager).pause('memory', 'mail');
    const found = samples((await scrape()).text);
    const gauge = (name: string, labels: string): number | undefined => found.get(`nestjs_queue_${name}{${labels}}`);
    const [inDefault, inMail] = ['connection="memory",queue="default"', 'connection="memory",queue="mail"'];
    expect(gauge('jobs_in_flight', inDefault)).toBe(1);
    expect(gauge('jobs', `${inDefault},state="pending"`)).toBe(1);
    expect(gauge('jobs', `${inDefault},state="reserved"`)).toBe(1);
    expect(gauge('jobs', `${inMail},state="delayed"`)).toBe(1);
    expect(gauge('oldest_job_age_seconds', inDefault)).toBeGreaterThanOrEqual(0);
    expect(gauge('oldest_job_age_seconds', inMail)).toBe(0);
    expect(gauge('paused', inMail)).toBe(1);
    expect(gauge('paused', inDefault)).toBe(0);
    expect(gauge('up', 'connection="memory"')).toBe(1);
    expect(gauge('workers', 'connection="memory",state="running"')).toBe(1);
    release();
    await workers.stop();
    await working;
  });

  it('says that a store is away, and shows no old sizes of it', async () => {
    const { app, scrape } = await start({ timeout: '200ms' });
    expect(samples((await scrape()).text).get('nestjs_queue_up{connection="memory"}')).toBe(1);
    app.get(QueueManager).connection('memory').sizes = () => new Promise(() => {});
    // What was read a moment ago is shown for as long as one reading may take.
    await sleep(100);
    const found = samples((await scrape()).text);
    expect(found.get('nestjs_queue_up{connection="memory"}')).toBe(0);
    expect(
      [...found.keys()].filter((name) => /^nestjs_queue_(jobs|oldest_job_age_seconds|paused)\{/.test(name)),
    ).toEqual([]);
  });

  it('asks the stores once for a reading, and not again while the answer is fresh', async () => {
    const { app, scrape } = await start({ cache: 60 });
    const connection = app.get(QueueManager).connection('memory');
    const sizes = connection.sizes.bind(connection);
    let asked = 0;
    connection.sizes = (queues) => ((asked += 1), sizes(queues));
    await Promise.all([scrape(), scrape()]);
    await scrape();
    expect(asked).toBe(1);
  });

  it('counts names that nobody knows here, and too many queues, under one label', async () => {
    const { app, drain, scrape } = await start();
    const connection = app.get(QueueManager).connection('memory');
    for (const name of ['Evil1', 'Evil2']) {
      const uuid = crypto.randomUUID();
      await connection.pushRaw(
        JSON.stringify({ v: 1, uuid, name, displayName: name, data: {}, createdAt: Date.now(), maxTries: 1 }),
      );
    }
    await drain();
    const { text } = await scrape();
    expect(text).not.toContain('Evil');
    expect([...samples(text).keys()].some((name) => name.includes('job="(unknown)"'))).toBe(true);

    const label = new BoundedLabel(2);
    expect(['a', 'b', 'c', 'a'].map((one) => label.of(one))).toEqual(['a', 'b', '(other)', 'a']);
  });

  it('answers on Fastify, elsewhere, behind a guard, or not at all', async () => {
    const fastify = await start({ path: 'internal/metrics' }, {}, new FastifyAdapter());
    expect((await fastify.scrape()).status).toBe(404);
    const { status, type, text } = await fastify.scrape('/internal/metrics');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(samples(text).get('nestjs_queue_up{connection="memory"}')).toBe(1);

    class Nobody implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    expect((await (await start({ decorators: [UseGuards(Nobody)] })).scrape()).status).toBe(403);
    const none = await start({ path: false });
    expect((await none.scrape()).status).toBe(404);
    expect(await none.app.get(QueueMetrics).text()).toContain('nestjs_queue_up');
  });

  it('keeps two applications of one process apart, and adds them up in a registry they share', async () => {
    const [one, two] = [await start(), await start()];
    await one.bus.dispatch(new Done());
    await one.drain();
    const processed = `nestjs_queue_jobs_processed_total${at('Done')}`;
    expect(samples((await one.scrape()).text).get(processed)).toBe(1);
    expect(samples((await two.scrape()).text).get(processed)).toBeUndefined();

    const registry = new Registry();
    const [three, four] = [await start({ registry }), await start({ registry })];
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc(3);
    for (const { bus, drain } of [three, four]) {
      await bus.dispatch(new Done());
      await drain();
    }
    const found = samples((await three.scrape()).text);
    expect(found.get(processed)).toBe(2);
    expect(found.get('orders_total')).toBe(3);
    expect(await register.metrics()).toBe('\n');
  });

  it('listens while the application lives, and only where it was asked for', async () => {
    const { app } = await start();
    const { hub } = app.get<QueueRuntime>(QUEUE_RUNTIME);
    expect([hub.heard(JobProcessing), hub.heard(JobAttempted)]).toEqual([true, true]);
    app.get(QueueMetrics).close();
    expect([hub.heard(JobProcessing), hub.heard(JobAttempted)]).toEqual([false, false]);

    const bare = await Test.createTestingModule({ imports: [QueueModule.forRoot({ default: 'memory' })] }).compile();
    await bare.init();
    const silent = bare.get<QueueRuntime>(QUEUE_RUNTIME).hub;
    expect([silent.heard(JobProcessing), silent.heard(JobAttempted)]).toEqual([false, false]);
    await bare.close();
  });

  it('refuses what it cannot be told, at boot', async () => {
    await expect(start({ queues: ['nowhere:default'] })).rejects.toThrow(UnknownConnectionError);
    await expect(start({ waitBuckets: [3, 2] })).rejects.toThrow(InvalidOptionError);
    await expect(start({ qeues: ['a'] } as object)).rejects.toThrow(/metrics\.qeues is not an option/);
  });
});
