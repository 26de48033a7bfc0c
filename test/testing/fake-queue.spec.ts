import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, Post } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  BatchDispatched,
  call,
  closure,
  JobQueued,
  JobQueueing,
  PayloadTooLargeError,
  QueueBus,
  QueueManager,
  QueueModule,
  UniqueJobSkipped,
  WorkerService,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { fakeQueue, QueueFake, QueueFakeError } from 'nestjs-queue/testing';
import {
  appOf,
  ImportRates,
  JOBS,
  Podcasts,
  ran,
  Rebuild,
  RecordShipment,
  Reindex,
  SendMail,
  ShipOrder,
  ShipParcel,
} from './fake-jobs.js';

let moduleRef: TestingModule;
let queue: QueueFake;
let bus: QueueBus;

async function open(options: QueueModuleOptions = {}, fake: Parameters<typeof fakeQueue>[1] = {}): Promise<void> {
  moduleRef = await fakeQueue(Test.createTestingModule(appOf(options)), fake).compile();
  await moduleRef.init();
  queue = moduleRef.get(QueueFake);
  bus = moduleRef.get(QueueBus);
}
beforeEach(() => void ran.splice(0));
afterEach(() => moduleRef.close());

const order = (id: number): ShipOrder => new ShipOrder({ id });

describe('a faked queue', () => {
  beforeEach(() => open());

  it('keeps the very jobs that were dispatched, and runs none', async () => {
    const job = order(1).onQueue('low').onGroup('g');
    const receipt = await bus.dispatch(job).onQueue('high').delay('10m');
    await bus.dispatch(new SendMail('ann'));
    expect(queue.pushed(ShipOrder)).toEqual([job]);
    expect(queue.pushed(ShipOrder)[0]).toBe(job);
    queue.assertPushed(ShipOrder);
    queue.assertPushed(ShipOrder, 1);
    queue.assertPushed(ShipOrder, (one, on) => one.order.id === 1 && on === 'high');
    queue.assertPushedOn('high', ShipOrder, (one) => one.order.id === 1);
    queue.assertPushedOn('emails', SendMail);
    queue.assertPushedTimes(SendMail);
    queue.assertPushedOnce(SendMail);
    queue.assertNotPushed(RecordShipment);
    queue.assertNotPushed(ShipOrder, ({ order: { id } }) => id === 2);
    queue.assertCount(2);
    expect(queue.pushedOn('emails')).toEqual([new SendMail('ann')]);
    expect(queue.hasPushed(RecordShipment)).toBe(false);
    expect(queue.records[0]).toMatchObject({
      id: receipt!.id,
      how: 'queue',
      job,
      name: 'ShipOrder',
      connection: 'memory',
      queue: 'high',
      delayMs: 600_000,
      options: { queue: 'high', delay: '10m', group: 'g' },
      chain: [],
    });
    expect(ran).toEqual([]);
  });

  it('counts whatever would have reached a queue', async () => {
    await bus.dispatch(order(1));
    await bus.bulk([order(2), new SendMail('a')]);
    await bus.chain([order(3), order(30)]).dispatch();
    await bus.batch([order(4), [order(5), order(50)]]).dispatch();
    await bus.dispatchIf(false, order(6));
    await bus.dispatchSync(order(7));
    bus.dispatchAfterResponse(order(8));
    queue.assertCount(6);
    expect(queue.pushed(ShipOrder).map(({ order: { id } }) => id)).toEqual([1, 2, 3, 4, 5]);
  });

  it('matches classes by instanceof', async () => {
    await bus.dispatch(new ShipParcel({ id: 1 }));
    queue.assertPushed(ShipOrder);
    queue.assertPushed(ShipParcel);
    await bus.dispatch(order(2));
    queue.assertPushed(ShipOrder, 2);
    queue.assertPushed(ShipParcel, 1);
    expect(queue.pushed(ShipOrder)).toEqual([new ShipParcel({ id: 1 }), order(2)]);
  });

  it('keeps apart what would have run in this process', async () => {
    expect(await bus.dispatchSync(order(1))).toBeUndefined();
    expect(await bus.dispatchSync(() => ran.push('inline'))).toBeUndefined();
    bus.dispatchAfterResponse(order(2));
    bus.dispatchAfterResponse(() => ran.push('inline'));
    await bus.flush();
    expect(ran).toEqual([]);
    queue.assertNothingPushed();
    queue.assertDispatchedSync(ShipOrder, 1);
    queue.assertDispatchedSync(ShipOrder, ({ order: { id } }) => id === 1);
    queue.assertNotDispatchedSync(SendMail);
    queue.assertDispatchedAfterResponse(ShipOrder, ({ order: { id } }) => id === 2);
    queue.assertNotDispatchedAfterResponse(ShipOrder, ({ order: { id } }) => id === 1);
    expect(queue.dispatchedSync(ShipOrder)).toEqual([order(1)]);
    expect(queue.dispatchedAfterResponse(ShipOrder)).toEqual([order(2)]);
    expect(() => queue.assertNothingPlaced()).toThrow(QueueFakeError);
  });

  it('runs nothing on connections that run their jobs in this process', async () => {
    await bus.dispatch(order(1)).onConnection('sync');
    await bus.dispatch(order(2)).onConnection('deferred');
    await bus.dispatch(() => ran.push('inline')).onConnection('sync');
    await bus.dispatch(order(3)).onConnection('null');
    await bus.flush();
    expect(ran).toEqual([]);
    queue.assertPushed(ShipOrder, 3);
    queue.assertClosurePushed(1);
    expect(queue.records.map(({ connection }) => connection)).toEqual(['sync', 'deferred', 'sync', 'null']);
  });

  it('finds calls and closures', async () => {
    await bus.dispatch(call(Podcasts, 'publish', 1, 'first')).onQueue('media');
    queue.assertCallPushed(Podcasts, 'publish');
    queue.assertCallPushed(Podcasts, 'publish', ([id, title]) => id === 1 && title === 'first');
    queue.assertCallNotPushed(Podcasts, 'secret');
    queue.assertClosureNotPushed();
    const one = closure({ id: 1 }, ({ id }: { id: number }) => id);
    await bus.dispatch(one).onConnection('deferred');
    queue.assertClosurePushed();
    queue.assertClosurePushed(1);
    queue.assertClosurePushed((found) => found === one);
    queue.assertClosureNotPushed((found) => found !== one);
    expect(queue.records.map(({ name }) => name)).toEqual(['Podcasts.publish', 'Closure']);
  });

  it('knows chains, by their classes, by equal jobs and by batches', async () => {
    await bus
      .chain([
        order(1),
        new RecordShipment(1),
        bus.batch([new SendMail('a'), new SendMail('b')]),
        call(Podcasts, 'publish', 1),
      ])
      .dispatch();
    const two = queue.chainedBatch((batch) => batch.jobs.length === 2);
    const publish = call(Podcasts, 'publish', 1);
    queue.assertChained([ShipOrder, new RecordShipment(1), two, publish]);
    queue.assertChained([order(1), RecordShipment, bus.batch([new SendMail('a'), new SendMail('b')]), publish]);
    queue.assertPushedWithChain(ShipOrder, [RecordShipment, two, publish]);
    const others = [
      [ShipOrder],
      [ShipOrder, RecordShipment, two],
      [ShipOrder, RecordShipment, two, publish, SendMail],
      [ShipOrder, two, RecordShipment, publish],
      [ShipOrder, new RecordShipment(2), two, publish],
      [ShipOrder, RecordShipment, queue.chainedBatch(() => false), publish],
      [ShipOrder, RecordShipment, two, call(Podcasts, 'publish', 2)],
      [order(2), RecordShipment, two, publish],
      [SendMail, RecordShipment, two, publish],
      [],
    ];
    for (const chain of others) expect(() => queue.assertChained(chain)).toThrow(QueueFakeError);
    expect(() => queue.assertPushedWithChain(ShipOrder, [])).toThrow('The expected chain can not be empty.');
    expect(() => queue.assertDispatchedWithoutChain(ShipOrder)).toThrow(QueueFakeError);
    expect(() => queue.assertNothingChained()).toThrow(QueueFakeError);
    queue.assertNothingBatched();
    queue.assertCount(1);
  });

  it('knows the chain of a job, of a dispatch, and those within chains', async () => {
    await bus.dispatch(order(1).chain([new SendMail('a')]));
    queue.assertChained([ShipOrder, new SendMail('a')]);
    await bus.dispatch(order(2)).chain([new SendMail('b'), new SendMail('c')]);
    queue.assertChained([order(2), SendMail, new SendMail('c')]);
    await bus.chain([order(3).chain([new SendMail('d').chain([new SendMail('e')])]), new SendMail('f')]).dispatch();
    queue.assertChained([order(3), new SendMail('d'), new SendMail('e'), new SendMail('f')]);
    await bus.chain([bus.batch([order(4)]).name('head'), new SendMail('g')]).dispatch();
    queue.assertChained([queue.chainedBatch((batch) => batch.options.name === 'head'), SendMail]);
    queue.reset();
    await bus.dispatch(order(5));
    queue.assertDispatchedWithoutChain(ShipOrder);
    queue.assertPushedWithoutChain(ShipOrder);
    queue.assertNothingChained();
    expect(queue.records).toMatchObject([{ chain: [] }]);
  });

  it('knows batches, and finds them', async () => {
    const told: object[] = [];
    moduleRef.get(QueueManager).on(BatchDispatched, (event) => void told.push(event));
    const sent = bus.batch([order(1), [new RecordShipment(1), new SendMail('a')], bus.batch([order(2)])]);
    const batch = await sent.name('import-csv').onQueue('imports').dispatch();
    expect(told).toHaveLength(1);
    expect(queue.batched()).toEqual([sent]);
    queue.assertBatched((one) => one.options.name === 'import-csv' && one.jobs.length === 3);
    queue.assertBatched([ShipOrder, [new RecordShipment(1), SendMail], queue.chainedBatch(() => true)]);
    queue.assertBatchCount(1);
    queue.assertPushedOn('imports', ShipOrder);
    queue.assertPushedWithChain(RecordShipment, [new SendMail('a')]);
    expect(queue.records.map(({ batchId }) => batchId)).toEqual([batch.id, batch.id, batch.id]);
    for (const members of [[], [ShipOrder], [ShipOrder, [RecordShipment], queue.chainedBatch(() => true)]]) {
      expect(() => queue.assertBatched(members)).toThrow(QueueFakeError);
    }
    const found = await bus.findBatch(batch.id);
    expect(found).toMatchObject({ name: 'import-csv', totalJobs: 4, pendingJobs: 4, failedJobs: 0 });
    await found!.cancel();
    expect((await bus.findBatch(batch.id))!.cancelled()).toBe(true);
    await found!.delete();
    expect(await bus.findBatch(batch.id)).toBeNull();
  });

  it('knows a batch that is sent after the response, once', async () => {
    const batch = await bus.batch([order(1)]).dispatchAfterResponse();
    await bus.flush();
    queue.assertBatchCount(1);
    queue.assertPushed(ShipOrder, 1);
    expect(await bus.findBatch(batch.id)).toMatchObject({ totalJobs: 1 });
  });

  it('knows what is added to a batch later', async () => {
    const batch = await bus.batch([order(1)]).dispatch();
    await batch.add([order(2), [order(3), new SendMail('a')]]);
    queue.assertPushed(ShipOrder, 3);
    queue.assertPushedWithChain(ShipOrder, [SendMail]);
    expect(await batch.fresh()).toMatchObject({ totalJobs: 4 });
  });

  it('takes unique locks, and gives them back when it is reset', async () => {
    const skipped: object[] = [];
    moduleRef.get(QueueManager).on(UniqueJobSkipped, (event) => void skipped.push(event));
    for (const connection of ['memory', 'sync', 'database']) {
      expect(await bus.dispatch(new Rebuild()).onConnection(connection)).not.toBeNull();
      expect(await bus.dispatch(new Rebuild()).onConnection(connection)).toBeNull();
      queue.assertPushed(Rebuild, 1);
      expect(await bus.bulk([new ImportRates('a'), new ImportRates('a'), new ImportRates('b')])).toEqual([
        expect.objectContaining({ queue: 'default' }),
        null,
        expect.anything(),
      ]);
      queue.reset();
      queue.assertNothingPlaced();
      expect((await moduleRef.get(QueueManager).connection(connection).size()).total).toBe(0);
    }
    expect(skipped).toHaveLength(6);
  });

  it('forgets batches when it is reset, and lets debounced jobs begin anew', async () => {
    const { id } = await bus.batch([order(1)]).dispatch();
    await bus.dispatch(new Reindex(1));
    queue.reset();
    queue.assertNothingPlaced();
    queue.assertBatchCount(0);
    expect(await bus.findBatch(id)).toBeNull();
    await bus.dispatch(new Reindex(1));
    expect(queue.records).toMatchObject([{ name: 'Reindex', delayMs: 30_000 }]);
  });

  it('raises the events of a dispatch', async () => {
    const told: string[] = [];
    const manager = moduleRef.get(QueueManager);
    manager.on(JobQueueing, ({ job, delay }) => void told.push(`queueing ${job.constructor.name} ${delay}`));
    manager.on(
      JobQueued,
      ({ job, connectionName }) => void told.push(`queued ${job.constructor.name} ${connectionName}`),
    );
    await bus.dispatch(order(1)).delay(5);
    expect(told).toEqual(['queueing ShipOrder 5', 'queued ShipOrder memory']);
  });

  it('counts what was pushed in the sizes of queues, and text as no job', async () => {
    const connection = moduleRef.get(QueueManager).connection();
    await bus.dispatch(order(1));
    await bus.dispatch(order(2)).delay(60);
    await connection.pushRaw('{"text":1}', 'others');
    expect(await connection.size()).toMatchObject({ pending: 1, delayed: 1 });
    expect(await connection.pendingJobs('others')).toHaveLength(1);
    expect(queue.rawPushes()).toEqual([{ connection: 'memory', queue: 'others', body: '{"text":1}' }]);
    queue.assertCount(2);
  });

  it('gives a worker nothing', async () => {
    await bus.dispatch(order(1));
    const reason = await moduleRef.get(WorkerService).work({ stopWhenEmpty: true });
    expect(reason).toBe('empty');
    expect(ran).toEqual([]);
  });

  it('has what was checked tell of a wrong argument', () => {
    expect(() => queue.assertPushed('ShipOrder' as never)).toThrow('assertPushed() was given "ShipOrder"');
    expect(() => queue.assertCount(-1)).toThrow('assertCount() was given -1');
    expect(() => fakeQueue(Test.createTestingModule({}), { only: ShipOrder as never })).toThrow(
      'fakeQueue() was given the function ShipOrder as only. Give it a list of job classes: { only: [ShipOrder] }.',
    );
    expect(() => fakeQueue(Test.createTestingModule({}), { except: [order(1)] as never })).toThrow('as except');
  });
});

describe('an app with a faked queue', () => {
  @Injectable()
  class Shop {
    constructor(@Inject(QueueBus) private readonly bus: QueueBus) {}
    async sell(id: number): Promise<void> {
      await this.bus.dispatch(new ShipOrder({ id }));
      this.bus.dispatchAfterResponse(new SendMail('shop'));
    }
  }
  @Controller('sales')
  class Sales {
    constructor(@Inject(Shop) private readonly shop: Shop) {}
    @Post() sell(): Promise<void> {
      return this.shop.sell(7);
    }
  }
  @Module({ providers: [Shop, ...JOBS], controllers: [Sales], exports: [Shop] })
  class SalesModule {}

  const factory = () =>
    Promise.resolve({ default: 'memory', key: 'a key that is at least 32 characters long', worker: {} });

  it.each([
    [
      'forRoot',
      QueueModule.forRoot({ default: 'memory', key: 'a key that is at least 32 characters long', worker: {} }),
    ],
    ['forRootAsync', QueueModule.forRootAsync({ useFactory: factory })],
  ])('has it by its class, after %s', async (_name, queueModule) => {
    @Module({ imports: [queueModule, SalesModule] })
    class AppModule {}
    moduleRef = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
    queue = moduleRef.get(QueueFake);
    expect(moduleRef.get(QueueFake, { strict: false })).toBe(queue);
    const app = moduleRef.createNestApplication();
    await app.listen(0, '127.0.0.1');
    expect(app.get(QueueFake)).toBe(queue);
    await fetch(`${await app.getUrl()}/sales`, { method: 'POST' });
    queue.assertPushed(ShipOrder, (job) => job.order.id === 7);
    queue.assertDispatchedAfterResponse(SendMail, 1);
    expect(app.get(WorkerService).status()).toEqual([]);
    expect(ran).toEqual([]);
    await app.close();
  });
});

describe('a faked queue on drivers of the application', () => {
  const made: string[] = [];
  const driver = (name: string) => (): never => {
    made.push(name);
    throw new Error(`${name} was made`);
  };
  it('does not even make them', async () => {
    const connections = { kafka: { driver: 'kafka' }, mine: { driver: 'memory' } } as never;
    await open({ default: 'kafka', connections, drivers: { kafka: driver('kafka') } });
    await bus.dispatch(order(1));
    expect(await bus.dispatch(new Rebuild())).not.toBeNull();
    expect(await bus.dispatch(new Rebuild())).toBeNull();
    const batch = await bus.batch([order(2), order(3)]).dispatch();
    expect(await bus.findBatch(batch.id)).toMatchObject({ totalJobs: 2 });
    queue.assertPushed(ShipOrder, 3);
    moduleRef.get(QueueManager).extend('memory', driver('memory'));
    await bus.dispatch(order(4)).onConnection('mine');
    queue.assertCount(5);
    expect(made).toEqual([]);
  });
});

describe('a queue that is faked in part', () => {
  const dataSource = { type: 'better-sqlite3', database: ':memory:' };

  it.each(['memory', 'database'])(
    'sends what is not named, with its locks, batches and chains, to %s',
    async (name) => {
      const connections = { database: { driver: 'database' as const, dataSource } };
      await open({ default: name, connections }, { only: [ShipOrder, ImportRates] });
      await bus.dispatch(new ShipParcel({ id: 1 }));
      await bus.bulk([order(2), new SendMail('ann')]);
      await bus.chain([new RecordShipment(1), new SendMail('bob'), order(3)]).dispatch();
      expect(await bus.dispatch(new ImportRates('a'))).not.toBeNull();
      expect(await bus.dispatch(new ImportRates('a'))).toBeNull();
      expect(await bus.dispatch(new Rebuild())).not.toBeNull();
      expect(await bus.dispatch(new Rebuild())).toBeNull();
      await bus.dispatchSync(new SendMail('sync'));
      await bus.dispatchSync(order(4));
      const batch = await bus.batch([order(5), new SendMail('cid')]).dispatch();
      expect(ran.splice(0)).toEqual(['SendMail sync']);
      queue.assertNotPushed(SendMail);
      queue.assertCount(4);

      await moduleRef.get(WorkerService).work({ queues: ['default', 'emails'], stopWhenEmpty: true });
      expect(ran).toEqual(['RecordShipment 1', 'Rebuild', 'SendMail ann', 'SendMail cid', 'SendMail bob']);
      // What came behind a job that has run.
      queue.assertPushed(ShipOrder, (job) => job.order.id === 3);
      queue.assertCount(5);
      queue.assertBatched([ShipOrder, SendMail]);
      expect(await bus.findBatch(batch.id)).toMatchObject({ totalJobs: 2, pendingJobs: 1 });
      expect(await bus.dispatch(new Rebuild())).not.toBeNull();
      expect(await bus.dispatch(new ImportRates('a'))).toBeNull();
      queue.reset();
      expect(await bus.dispatch(new ImportRates('a'))).not.toBeNull();
      expect(await bus.dispatch(new Rebuild())).toBeNull();
    },
  );

  it('fakes all but those that are excepted', async () => {
    await open({ default: 'sync' }, { except: [SendMail, Rebuild] });
    await bus.dispatch(new SendMail('ann'));
    await bus.dispatch(new Rebuild());
    await bus.dispatch(new Rebuild());
    await bus.dispatch(order(1));
    await bus.batch([new SendMail('bob'), order(2)]).dispatch();
    expect(ran).toEqual(['SendMail ann', 'Rebuild', 'Rebuild', 'SendMail bob']);
    queue.assertPushed(ShipOrder, 2);
    queue.assertCount(2);
    expect(await bus.dispatch(new ImportRates('a'))).not.toBeNull();
    expect(await bus.dispatch(new ImportRates('a'))).toBeNull();
    queue.reset();
    expect(await bus.dispatch(new ImportRates('a'))).not.toBeNull();
  });

  it('holds jobs that are faked against the limits of the driver', async () => {
    const pushed: string[] = [];
    const small = (): object => ({
      limits: { bodyBytes: 400, delayMs: 60_000 },
      push: (entries: readonly { id: string }[]) => {
        pushed.push(...entries.map(({ id }) => id));
        return Promise.resolve(entries.map(() => ({ stored: true })));
      },
      reserve: () => Promise.resolve([]),
      settle: () => Promise.resolve([]),
      size: (queues: readonly string[]) => Promise.resolve(queues.map(() => ({ pending: 0 }))),
    });
    const connections = { small: { driver: 'small' } } as never;
    await open({ default: 'small', connections, drivers: { small } }, { only: [ShipOrder] });
    const large = new ShipOrder({ id: 1, note: 'x'.repeat(400) });
    await expect(bus.dispatch(large)).rejects.toThrow(PayloadTooLargeError);
    await expect(bus.dispatch(order(1)).delay(90)).rejects.toThrow('its driver allows at most 60 s');
    await bus.dispatch(order(2));
    const sent = await bus.dispatch(new SendMail('ann'));
    expect(pushed).toEqual([sent!.id]);
    queue.assertCount(1);
    expect(await moduleRef.get(QueueManager).connection().size()).toMatchObject({ pending: 1, delayed: undefined });
  });

  it('shows both kinds in the sizes and the pages of a queue', async () => {
    await open({}, { only: [ShipOrder] });
    await bus.bulk([order(1), order(2), order(3), new RecordShipment(1), new RecordShipment(2)]);
    const connection = moduleRef.get(QueueManager).connection();
    expect(await connection.size()).toMatchObject({ pending: 5, total: 5 });
    const names = async (page: number): Promise<string[]> =>
      (await connection.pendingJobs('default', { limit: 2, page })).map(({ name }) => name);
    expect(await names(1)).toEqual(['ShipOrder', 'ShipOrder']);
    expect(await names(2)).toEqual(['ShipOrder', 'RecordShipment']);
    expect(await names(3)).toEqual(['RecordShipment']);
    expect(await names(4)).toEqual([]);
    expect(await connection.clear()).toBe(5);
  });
});
