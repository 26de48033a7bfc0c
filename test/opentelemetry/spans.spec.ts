import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject } from '@nestjs/common';
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  DebounceFor,
  Job,
  JobProcessed,
  Middleware,
  Queueable,
  QueueBus,
  Unique,
  type JobContext,
  type JobMiddleware,
  type QueueModuleOptions,
  type WorkerOptions,
} from 'nestjs-queue';
import { openTelemetry, type OpenTelemetryOptions } from 'nestjs-queue/opentelemetry';
import { closeApps, openApp, sleep, STORES, type Opened } from '../flows/open-app.js';
import { idOf, linksOf, parentOf, traceOf, Tracing } from './tracing.js';

const tracing = new Tracing();

/** Which span was active where. */
let active: Record<string, string | undefined> = {};
const note = (where: string): void => void (active[where] = trace.getActiveSpan()?.spanContext().spanId);

class Noting implements JobMiddleware {
  async handle(_job: unknown, next: () => Promise<void>) {
    note('middleware');
    await next();
  }
}

type Deed = 'done' | 'throw' | 'fail' | 'release' | 'once' | 'dispatch' | 'hang' | 'skip';

@Job({ name: 'look' })
@Middleware(new Noting())
class Look extends Queueable {
  @Inject(QueueBus) private readonly bus!: QueueBus;
  constructor(
    readonly deed: Deed = 'done',
    readonly label = 'look',
  ) {
    super();
  }
  async handle() {
    await sleep(2);
    note(this.label);
    if (this.deed === 'throw') throw new RangeError('out of range');
    if (this.deed === 'once' && this.attempts() === 1) throw new TypeError('at first');
    if (this.deed === 'fail') this.fail('by hand');
    if (this.deed === 'release' && this.attempts() === 1) this.release();
    if (this.deed === 'dispatch') await this.bus.dispatch(new Look('done', 'inner'));
    if (this.deed === 'hang') await new Promise((resolve) => setTimeout(resolve, 400).unref());
    return 'returned';
  }
  async failed() {
    await sleep(2);
    note('failed()');
  }
}

@Job()
@Unique()
class Alone extends Queueable {
  handle() {}
}

@Job()
@DebounceFor('20ms')
class Last extends Queueable {
  handle() {}
}

beforeAll(() => tracing.start());
afterAll(() => tracing.stop());
beforeEach(() => {
  tracing.reset();
  active = {};
});
afterEach(closeApps);

describe.each(STORES)('spans, on %s', (store) => {
  let at: Opened;
  const open = async (given: OpenTelemetryOptions = {}, more: Partial<QueueModuleOptions> = {}): Promise<void> => {
    at = await openApp(store, {
      providers: [Look, Alone, Last],
      options: { telemetry: openTelemetry(given), ...more },
    });
    at.manager.on(JobProcessed, () => note('JobProcessed'));
  };
  const within = <R>(name: string, fn: () => Promise<R>): Promise<R> =>
    tracing.provider.getTracer('test').startActiveSpan(name, async (span) => {
      try {
        return await fn();
      } finally {
        span.end();
      }
    });
  const payload = async (): Promise<{ trace?: Record<string, string> }> =>
    (await at.manager.connection().pendingJobs())[0]!.payload as { trace?: Record<string, string> };
  const drain = (worker?: WorkerOptions) => at.drain(worker);

  it('a dispatch has a span, and each attempt one of its own that is linked to it', async () => {
    await open();
    const receipt = await within('request', async () => at.bus.dispatch(new Look()).onQueue('media'));
    const sent = tracing.one('publish media');
    expect(sent.kind).toBe(SpanKind.PRODUCER);
    expect(parentOf(sent)).toBe(idOf(tracing.one('request')));
    expect(sent.attributes).toEqual({
      'messaging.system': 'nestjs_queue',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'media',
      'messaging.message.id': receipt!.id,
      'nestjs_queue.connection': store,
      'nestjs_queue.driver': store,
      'nestjs_queue.job.name': 'look',
    });
    await drain({ queues: ['media'] });
    const run = tracing.one('process media');
    expect(run.kind).toBe(SpanKind.CONSUMER);
    expect(parentOf(run)).toBeUndefined();
    expect(traceOf(run)).not.toBe(traceOf(sent));
    expect(linksOf(run)).toEqual([idOf(sent)]);
    expect(run.links[0]!.context.isRemote).toBe(true);
    expect(run.status.code).toBe(SpanStatusCode.UNSET);
    expect(run.attributes).toEqual({
      'messaging.system': 'nestjs_queue',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'media',
      'messaging.message.id': receipt!.id,
      'nestjs_queue.connection': store,
      'nestjs_queue.driver': store,
      'nestjs_queue.job.name': 'look',
      'nestjs_queue.job.attempt': 1,
      'nestjs_queue.job.outcome': 'processed',
    });
    expect(active).toEqual({ middleware: idOf(run), look: idOf(run), JobProcessed: idOf(run) });
  });

  it('the attempt belongs to the trace of the dispatch where that is asked for', async () => {
    await open({ continueTrace: true });
    await at.bus.dispatch(new Look('once'));
    await drain({ tries: 2 });
    const sent = tracing.one('publish default');
    const runs = tracing.named('process default');
    expect(runs.map(parentOf)).toEqual([idOf(sent), idOf(sent)]);
    expect(runs.map(traceOf)).toEqual([traceOf(sent), traceOf(sent)]);
    expect(runs.flatMap(linksOf)).toEqual([]);
  });

  it('each try is linked to the dispatch, and tells what became of it', async () => {
    await open();
    await at.bus.dispatch(new Look('throw'));
    await drain({ tries: 2 });
    const sent = tracing.one('publish default');
    const [first, second] = tracing.named('process default');
    for (const run of [first!, second!]) {
      expect(linksOf(run)).toEqual([idOf(sent)]);
      expect(run.status).toEqual({ code: SpanStatusCode.ERROR, message: 'out of range' });
      expect(run.events).toHaveLength(1);
      expect(run.events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.message': 'out of range' } });
      expect(run.attributes['error.type']).toBe('RangeError');
    }
    expect(traceOf(first!)).not.toBe(traceOf(second!));
    expect(first!.attributes).toMatchObject({
      'nestjs_queue.job.attempt': 1,
      'nestjs_queue.job.outcome': 'retried',
      'nestjs_queue.job.delay': 0,
    });
    expect(second!.attributes).toMatchObject({
      'nestjs_queue.job.attempt': 2,
      'nestjs_queue.job.outcome': 'failed',
    });
    expect(active['failed()']).toBe(idOf(second!));
  });

  it.each<[Deed, WorkerOptions, object, SpanStatusCode]>([
    ['release', {}, { 'nestjs_queue.job.outcome': 'released', 'nestjs_queue.job.delay': 0 }, SpanStatusCode.UNSET],
    [
      'fail',
      {},
      { 'nestjs_queue.job.outcome': 'failed', 'error.type': 'ERR_QUEUE_MANUALLY_FAILED' },
      SpanStatusCode.ERROR,
    ],
    [
      'hang',
      { timeout: '50ms', timeoutGrace: '50ms', tries: 1, watchdog: false },
      {
        'nestjs_queue.job.outcome': 'failed',
        'nestjs_queue.job.timeout': 0.05,
        'error.type': 'ERR_QUEUE_TIMEOUT_EXCEEDED',
      },
      SpanStatusCode.ERROR,
    ],
  ])('tells of a job that ends otherwise: %s', async (deed, worker, attributes, code) => {
    await open();
    await at.bus.dispatch(new Look(deed));
    await drain(worker);
    const [first] = tracing.named('process default');
    expect(first!.attributes).toMatchObject(attributes);
    expect(first!.status.code).toBe(code);
  });

  it('what a job dispatches belongs to its attempt', async () => {
    await open();
    await at.bus.dispatch(new Look('dispatch', 'outer'));
    await drain();
    const [outer, inner] = tracing.named('process default');
    const [, sent] = tracing.named('publish default');
    expect(parentOf(sent!)).toBe(idOf(outer!));
    expect(linksOf(inner!)).toEqual([idOf(sent!)]);
  });

  it('a bulk has one span for each queue that it sends to', async () => {
    await open();
    const to = (queue: string) => new Look().onQueue(queue);
    await at.bus.bulk([to('one'), to('two'), to('one')]);
    expect(tracing.one('publish one').attributes).toMatchObject({ 'messaging.batch.message_count': 2 });
    expect(tracing.one('publish two').attributes).toMatchObject({ 'messaging.batch.message_count': 1 });
    expect(tracing.one('publish one').attributes).not.toHaveProperty('messaging.message.id');
    await drain({ queues: ['one', 'two'] });
    for (const queue of ['one', 'two']) {
      for (const run of tracing.named(`process ${queue}`)) {
        expect(linksOf(run)).toEqual([idOf(tracing.one(`publish ${queue}`))]);
      }
    }
  });

  it('a step of a chain, and a callback, carry the context of the attempt that sends them', async () => {
    await open();
    await at.bus
      .chain([new Look(), new Look('done', 'second').onQueue('second'), new Look('throw', 'third').onQueue('third')])
      .catch(new Look('done', 'caught').onQueue('caught'))
      .dispatch();
    await drain({ queues: ['default', 'second', 'third', 'caught'], tries: 1 });
    const [first, second, third, caught] = ['default', 'second', 'third', 'caught'].map((queue) =>
      tracing.one(`process ${queue}`),
    );
    expect(linksOf(first!)).toEqual([idOf(tracing.one('publish default'))]);
    expect(linksOf(second!)).toEqual([idOf(first!)]);
    expect(linksOf(third!)).toEqual([idOf(second!)]);
    expect(linksOf(caught!)).toEqual([idOf(third!)]);
  });

  it('members of a batch carry the context of its dispatch, its callbacks that of the attempt that sends them', async () => {
    await open();
    const batch = await within('request', () =>
      at.bus
        .batch([new Look(), [new Look(), new Look('done', 'step')]])
        .name('import')
        .onQueue('members')
        .then(new Look('done', 'then').onQueue('after'))
        .dispatch(),
    );
    const sent = tracing.one('publish members');
    expect(parentOf(sent)).toBe(idOf(tracing.one('request')));
    expect(sent.attributes).toMatchObject({ 'messaging.batch.message_count': 3, 'nestjs_queue.batch.name': 'import' });
    await drain({ queues: ['members', 'after'], concurrency: 1 });
    const [one, two, step] = tracing.named('process members');
    expect([one!, two!].map(linksOf)).toEqual([[idOf(sent)], [idOf(sent)]]);
    expect(linksOf(step!)).toEqual([idOf(two!)]);
    expect(linksOf(tracing.one('process after'))).toEqual([idOf(step!)]);
    expect(step!.attributes).toMatchObject({ 'nestjs_queue.batch.id': batch.id });
  });

  it('a batch within a chain: its members carry the context of the attempt that sends them', async () => {
    await open();
    await at.bus
      .chain([at.bus.batch([new Look().onQueue('members')]), new Look('done', 'last').onQueue('last')])
      .dispatch();
    await drain({ queues: ['default', 'members', 'last'] });
    const head = tracing.one('process default');
    expect(linksOf(tracing.one('process members'))).toEqual([idOf(head)]);
    expect(linksOf(tracing.one('process last'))).toEqual([idOf(tracing.one('process members'))]);
  });

  it('a job that runs where it is dispatched has one span, within the trace of its caller', async () => {
    await open();
    await within('request', async () => {
      expect(await at.bus.dispatchSync(new Look())).toBe('returned');
      await at.bus.dispatch(new Look('done', 'sync')).onConnection('sync');
    });
    const runs = tracing.all.filter(({ name }) => name !== 'request');
    expect(runs).toHaveLength(2);
    for (const run of runs) {
      expect(run.kind).toBe(SpanKind.INTERNAL);
      expect(parentOf(run)).toBe(idOf(tracing.one('request')));
      expect(run.attributes).toMatchObject({
        'nestjs_queue.job.in_process': true,
        'messaging.operation.type': 'process',
      });
    }
    await expect(at.bus.dispatchSync(new Look('throw'))).rejects.toThrow('out of range');
    expect(tracing.all.at(-1)!.status.code).toBe(SpanStatusCode.ERROR);
  });

  it('what follows a job that ran where it was dispatched carries its context', async () => {
    await open();
    await at.bus.chain([new Look().onConnection('sync'), new Look('done', 'next').onConnection(store)]).dispatch();
    await drain();
    const head = tracing.all.find(({ kind }) => kind === SpanKind.INTERNAL)!;
    expect(linksOf(tracing.one('process default'))).toEqual([idOf(head)]);
  });

  it('tells of dispatches that are refused, and of those that a unique lock stops', async () => {
    await open();
    await at.bus.dispatch(new Alone());
    expect(await at.bus.dispatch(new Alone())).toBeNull();
    expect(tracing.all.map(({ attributes }) => attributes['nestjs_queue.dispatch.skipped'])).toEqual([undefined, true]);
    tracing.reset();
    await expect(at.bus.bulk([new Look(), new Look('done', 'x'.repeat(2_000_000))])).rejects.toThrow('number 1');
    const { status, attributes } = tracing.one('publish default');
    expect(status.code).toBe(SpanStatusCode.ERROR);
    expect(attributes['error.type']).toBe('ERR_QUEUE_PAYLOAD_TOO_LARGE');
  });

  it('tells of a job that gave way to a newer one', async () => {
    await open();
    await at.bus.dispatch(new Last());
    await at.bus.dispatch(new Last());
    await sleep(50);
    await drain({ concurrency: 1 });
    const runs = tracing.named('process default');
    expect(runs.map(({ attributes }) => attributes['nestjs_queue.job.outcome'])).toEqual(['superseded', 'processed']);
  });

  it('carries the W3C context, also signed, and beside what the application carries itself', async () => {
    const restored: object[] = [];
    await open(
      {},
      {
        key: 'a key of more than thirty-two characters',
        signing: 'require',
        context: {
          carry: () => ({ tenant: 'ada' }),
          restore: (values, run) => {
            restored.push(values);
            note('restore');
            return run();
          },
        },
      },
    );
    await at.bus.chain([new Look(), new Look('done', 'second')]).dispatch();
    const sent = tracing.one('publish default');
    expect((await payload()).trace).toEqual({ traceparent: `00-${traceOf(sent)}-${idOf(sent)}-01` });
    await drain();
    const [first, second] = tracing.named('process default');
    expect(linksOf(second!)).toEqual([idOf(first!)]);
    expect(restored).toEqual([{ tenant: 'ada' }, { tenant: 'ada' }]);
    expect(active).toMatchObject({ restore: idOf(second!), second: idOf(second!), JobProcessed: idOf(second!) });
    expect(await at.failed.count()).toBe(0);
  });

  it('takes no trace from a job whose signature does not hold', async () => {
    await open({}, { key: 'a key of more than thirty-two characters', signing: 'require' });
    await at.bus.dispatch(new Look());
    const body = await payload();
    await at.manager.connection().clear();
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
    await at.manager.connection().pushRaw(JSON.stringify({ ...body, trace }));
    await drain();
    const run = tracing.one('process default');
    expect(run.links).toEqual([]);
    expect(run.attributes).toMatchObject({
      'nestjs_queue.job.outcome': 'failed',
      'error.type': 'ERR_QUEUE_SIGNATURE',
    });
  });

  it('a job that is retried by hand is linked to its first dispatch', async () => {
    await open();
    const { id } = (await at.bus.dispatch(new Look('throw')))!;
    await drain({ tries: 1 });
    expect(await at.failed.retry(id)).toBe(true);
    await drain({ tries: 1 });
    const runs = tracing.named('process default');
    expect(runs.map(linksOf)).toEqual(Array(2).fill([idOf(tracing.one('publish default'))]));
  });
});

describe('what travels', () => {
  afterEach(() => propagation.disable());

  it('is what the application propagates, baggage included, and is there again in the handler', async () => {
    propagation.setGlobalPropagator({
      fields: () => ['x-tenant'],
      inject: (from, carrier) => {
        const tenant = propagation.getBaggage(from)?.getEntry('tenant')?.value;
        if (tenant) (carrier as Record<string, string>)['x-tenant'] = tenant;
      },
      extract: (to, carrier) => {
        const tenant = (carrier as Record<string, string>)['x-tenant'];
        return tenant ? propagation.setBaggage(to, propagation.createBaggage({ tenant: { value: tenant } })) : to;
      },
    });
    let seen: string | undefined;
    @Job()
    class Tenants extends Queueable {
      handle() {
        seen = propagation.getActiveBaggage()?.getEntry('tenant')?.value;
      }
    }
    const at = await openApp('memory', { providers: [Tenants], options: { telemetry: openTelemetry() } });
    const baggage = propagation.createBaggage({ tenant: { value: 'ada' } });
    await context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), async () => at.bus.dispatch(new Tenants()));
    const [job] = await at.manager.connection().pendingJobs();
    const sent = tracing.one('publish default');
    expect((job!.payload as { trace: object }).trace).toEqual({
      traceparent: `00-${traceOf(sent)}-${idOf(sent)}-01`,
      'x-tenant': 'ada',
    });
    await at.drain();
    expect(seen).toBe('ada');
    expect(linksOf(tracing.one('process default'))).toEqual([idOf(sent)]);
  });
});

describe('an error in a span', () => {
  it.each<[string, unknown, string]>([
    ['has no password of a URL', new Error('no answer of redis://ada:secret@host:6379'), 'redis://ada:***@host:6379'],
    ['may be anything that was thrown', Object.create(null), 'The job threw'],
  ])('%s', (_what, error, expected) => {
    const to = { kind: 'job', connection: 'memory', driver: 'memory', queue: 'default' } as const;
    openTelemetry().publishing(to)!.ended({ jobs: 1, error });
    const { status, events } = tracing.one('publish default');
    expect(status.message).toContain(expected);
    expect(events[0]!.attributes!['exception.message']).toBe(status.message);
    expect(JSON.stringify(events)).not.toContain('secret');
  });
});

describe('how long a span is', () => {
  it('ends with the handler, or its failed(), however long the store takes', async () => {
    const job = { queue: 'default', id: '1', name: 'job', attempts: 1, connection: 'memory' } as JobContext;
    const attempt = openTelemetry().processing({ job, driver: 'memory', values: undefined, inProcess: false })!;
    attempt.handled();
    await sleep(20);
    attempt.handled();
    await sleep(500);
    attempt.ended({ outcome: 'processed' });
    const [seconds, nanoseconds] = tracing.one('process default').duration;
    expect(seconds).toBe(0);
    expect(nanoseconds).toBeGreaterThan(15e6);
    expect(nanoseconds).toBeLessThan(500e6);
  });
});
