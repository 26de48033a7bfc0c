import { afterEach, describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import {
  InvalidOptionError,
  Job,
  Queueable,
  type AttemptReport,
  type AttemptTrace,
  type Publishing,
  type PublishTrace,
  type QueueTelemetry,
} from 'nestjs-queue';
import { closeApps, openApp, STORES, type Opened } from '../flows/open-app.js';

let ran: string[] = [];
/** What happens while a job runs. */
let meanwhile: (() => Promise<unknown>) | undefined;

@Job({ name: 'work' })
class Work extends Queueable {
  constructor(
    readonly label: string,
    readonly fails = false,
  ) {
    super();
  }
  async handle() {
    ran.push(this.label);
    await meanwhile?.();
    if (this.fails) throw new Error('the job itself');
    return this.label;
  }
  failed() {
    ran.push(`${this.label} failed()`);
  }
}

const logged: string[] = [];
const line = (message: unknown): void => void logged.push(String(message));
const logger: LoggerService = { log() {}, debug() {}, verbose() {}, error: line, warn: line, fatal: line };

/** One that does what it should; a test breaks one part of it. */
function telemetry(broken: Partial<PublishTrace & AttemptTrace> & Partial<QueueTelemetry> = {}): QueueTelemetry {
  const { publishing, processing, current, ...trace } = broken;
  const whole = {
    run: <R>(fn: () => R): R => fn(),
    ended: () => {},
    handled: () => {},
    values: { traceparent: 'given' },
  };
  return {
    publishing: publishing ?? (() => ({ ...whole, ...trace })),
    processing: processing ?? (() => ({ ...whole, ...trace })),
    current: current ?? (() => undefined),
  };
}

const oops = (): never => {
  throw new Error('oops');
};

const BROKEN: readonly (readonly [string, QueueTelemetry])[] = [
  ['publishing throws', telemetry({ publishing: oops })],
  ['processing throws', telemetry({ processing: oops })],
  ['current throws', telemetry({ current: oops })],
  ['run throws before', telemetry({ run: oops })],
  ['run throws behind', telemetry({ run: (fn) => (fn(), oops()) })],
  ['run does not call', telemetry({ run: () => undefined as never })],
  ['run calls twice', telemetry({ run: (fn) => (fn(), fn()) })],
  ['run loses the answer', telemetry({ run: (fn) => (fn(), undefined as never) })],
  ['run answers by a promise of its own', telemetry({ run: (fn) => derived(fn()) })],
  ['run swallows', telemetry({ run: (fn) => quietly(fn) })],
  ['ended throws', telemetry({ ended: oops })],
  ['ended rejects', telemetry({ ended: (() => Promise.reject(new Error('later'))) as never })],
  ['handled throws', telemetry({ handled: oops })],
  ['values are none', telemetry({ values: 'text' as never })],
  ['values are no texts', telemetry({ values: { big: 1n, deep: {} } as never })],
  ['current is none', telemetry({ current: () => ({ circular: logged }) as never })],
  ['processing gives nonsense', telemetry({ processing: () => ({}) as never })],
  ['publishing gives nonsense', telemetry({ publishing: () => 7 as never })],
];

function derived<R>(answer: R): R {
  return answer instanceof Promise ? (answer.finally(() => undefined) as R) : answer;
}

function quietly<R>(fn: () => R): R {
  try {
    return fn();
  } catch {
    return undefined as R;
  }
}

afterEach(async () => {
  await closeApps();
  meanwhile = undefined;
  ran = [];
  logged.length = 0;
});

/** Everything that can be sent and run, and what came of it. */
async function everything(at: Opened): Promise<unknown> {
  const { bus, failed } = at;
  const receipt = await bus.dispatch(new Work('one'));
  const bulk = await bus.bulk([new Work('two'), new Work('three')]);
  await bus
    .chain([new Work('head'), new Work('step', true)])
    .catch(new Work('caught'))
    .dispatch();
  const batch = await bus
    .batch([new Work('member')])
    .finally(new Work('finally'))
    .dispatch();
  const answer = await bus.dispatchSync(new Work('sync'));
  const error: unknown = await bus.dispatchSync(new Work('sync bad', true)).catch((one: unknown) => one);
  await expect(bus.dispatch(new Work('x'.repeat(2_000_000)))).rejects.toThrow('bytes');
  await at.drain({ tries: 2, concurrency: 1 });
  return {
    receipts: [receipt, ...bulk].map((one) => one !== null),
    batch: batch.totalJobs,
    answer,
    error: String(error),
    ran: ran.toSorted(),
    failed: await failed.count(),
  };
}

describe.each(STORES)('on %s', (store) => {
  const open = (given?: QueueTelemetry): Promise<Opened> =>
    openApp(store, { providers: [Work], logger, options: given ? { telemetry: given } : {} });

  it.each(BROKEN)('a telemetry that fails alters nothing: %s', async (_what, broken) => {
    const expected = await everything(await open());
    ran = [];
    expect(await everything(await open(broken))).toEqual(expected);
    expect(expected).toMatchObject({ failed: 1, answer: 'sync', error: 'Error: the job itself' });
  });

  it('says once what failed', async () => {
    const { bus } = await open(telemetry({ publishing: oops }));
    await bus.dispatch(new Work('one'));
    await bus.dispatch(new Work('two'));
    expect(logged.filter((one) => one.includes('oops'))).toHaveLength(1);
    expect(logged.join()).toContain("The module's telemetry failed in publishing(); jobs go on without it");
  });

  it('without telemetry, and with one that traces nothing, a job is written as ever', async () => {
    const bodies: string[] = [];
    const idle: QueueTelemetry = { publishing: () => undefined, processing: () => undefined, current: () => undefined };
    for (const given of [undefined, idle]) {
      const { bus, manager } = await open(given);
      await bus.dispatch(new Work('one'));
      await bus.chain([new Work('head'), new Work('step')]).dispatch();
      const jobs = await manager.connection().pendingJobs();
      bodies.push(JSON.stringify(jobs.map(({ payload }) => payload)).replaceAll(/"(uuid|createdAt)":[^,]*/g, '"$1"'));
    }
    expect(bodies[1]).toBe(bodies[0]);
    expect(JSON.parse(bodies[0]!.replaceAll(/"(uuid|createdAt)"/g, '"$1":0'))).toEqual([
      { v: 1, uuid: 0, name: 'work', displayName: 'work', createdAt: 0, data: { label: 'one', fails: false } },
      expect.not.objectContaining({ trace: expect.anything() }),
    ]);
  });

  it('tells of each destination, and of each attempt what became of it', async () => {
    const sent: [Publishing, unknown][] = [];
    const ended: [string, AttemptReport][] = [];
    const at = await open(
      telemetry({
        publishing: (to) => ({
          values: { traceparent: 'from a dispatch' },
          run: (fn) => fn(),
          ended: (answer) => void sent.push([to, answer]),
        }),
        processing: ({ job, values }) => ({
          run: (fn) => fn(),
          handled: () => {},
          ended: (report) =>
            void ended.push([values?.['traceparent'] ?? 'nothing', { ...report, job: job.id } as never]),
        }),
      }),
    );
    const { id } = (await at.bus.dispatch(new Work('one')))!;
    const to = { connection: store, driver: store, queue: 'default' };
    expect(sent).toEqual([[{ ...to, kind: 'job', id, name: 'work' }, { jobs: 1 }]]);
    await at.drain();
    expect(ended).toEqual([['from a dispatch', { outcome: 'processed', job: id }]]);
  });

  it('tells when a handler has ended, and when its failed() has', async () => {
    const at = await open(
      telemetry({
        handled: () => void ran.push('handled'),
        ended: (report: object) => void ('outcome' in report && ran.push('ended')),
      }),
    );
    await at.bus.dispatch(new Work('one', true));
    await at.drain({ tries: 2 });
    expect(ran).toEqual(['one', 'handled', 'ended', 'one', 'handled', 'one failed()', 'handled', 'ended']);
  });

  it('a job that was taken away while it ran is told of as lost', async () => {
    const ended: AttemptReport[] = [];
    const given = telemetry({ ended: (report: object) => void ('outcome' in report && ended.push(report as never)) });
    const at = await open(given);
    await at.bus.dispatch(new Work('one'));
    meanwhile = () => at.manager.connection().clear();
    await at.drain();
    expect(ended).toEqual([
      { outcome: 'lease_lost', error: expect.objectContaining({ code: 'ERR_QUEUE_LEASE_LOST' }) },
    ]);
  });

  it('a job that goes back because its worker ends is told of as handed on', async () => {
    const ended: AttemptReport[] = [];
    const given = telemetry({ ended: (report: object) => void ('outcome' in report && ended.push(report as never)) });
    const { bus, workers } = await open(given);
    await bus.dispatch(new Work('one'));
    meanwhile = () => {
      void workers.stop();
      return new Promise((resolve) => setTimeout(resolve, 3_000).unref());
    };
    await workers.work({ grace: '100ms', sleep: '50ms' });
    expect(ended).toEqual([{ outcome: 'handed_on' }]);
  });
});

it.each([7, {}, { publishing: () => undefined }])('refuses what traces nothing: %j', async (given) => {
  const opening = openApp('memory', { options: { telemetry: given as never } });
  await expect(opening).rejects.toThrow(InvalidOptionError);
  await expect(opening).rejects.toThrow("Give openTelemetry() of 'nestjs-queue/opentelemetry'");
});
