import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, QueueBus, QueueManager, WorkerService, type QueueModuleOptions } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import { appOf, Podcasts, ran, RecordShipment, SendMail, ShipOrder } from './fake-jobs.js';

let moduleRef: TestingModule;
let queue: QueueFake;
let bus: QueueBus;

async function compiled(options: QueueModuleOptions = {}, fake: Parameters<typeof fakeQueue>[1] = {}): Promise<void> {
  moduleRef = await fakeQueue(Test.createTestingModule(appOf(options)), fake).compile();
  queue = moduleRef.get(QueueFake);
  bus = moduleRef.get(QueueBus);
}
beforeEach(() => void ran.splice(0));
afterEach(() => moduleRef.close());

const order = (id: number): ShipOrder => new ShipOrder({ id });

describe.each([
  ['before init()', false],
  ['after init()', true],
])('callbacks that a faked batch sends by itself, %s', (_when, init) => {
  beforeEach(async () => {
    await compiled();
    if (init) await moduleRef.init();
  });

  it('are the jobs that were given to before()', async () => {
    const before = new SendMail('ann').chain([new RecordShipment(1)]);
    await bus
      .batch([order(1)])
      .before(before)
      .dispatch();
    queue.assertPushed(SendMail, ({ to }) => to === 'ann');
    queue.assertPushedOn('emails', SendMail);
    expect(queue.pushed(SendMail)[0]).toBe(before);
    expect(() => queue.assertNotPushed(SendMail)).toThrow('The unexpected [SendMail] job was pushed.');
    queue.assertPushedWithChain(SendMail, [new RecordShipment(1)]);
    queue.assertCount(2);
  });

  it('are those of an empty batch', async () => {
    const done = [new SendMail('then'), new RecordShipment(2)] as const;
    await bus.batch([]).then(done[0]).finally(done[1]).dispatch();
    expect(queue.pushed(SendMail)[0]).toBe(done[0]);
    expect(queue.pushed(RecordShipment)[0]).toBe(done[1]);
    queue.assertCount(2);
  });

  it('are calls, and batches', async () => {
    const inner = bus.batch([order(2)]).name('inner');
    await bus
      .batch([order(1)])
      .before(call(Podcasts, 'publish', 7))
      .before(inner)
      .dispatch();
    queue.assertCallPushed(Podcasts, 'publish', ([id]) => id === 7);
    expect(queue.records[1]).toMatchObject({ job: inner, name: 'Batch inner' });
  });
});

describe('a callback of a batch whose class alone is faked', () => {
  it('is faked before init() as well', async () => {
    await compiled({}, { only: [SendMail] });
    await bus
      .batch([order(1)])
      .before(new SendMail('ann'))
      .dispatch();
    queue.assertPushed(SendMail, 1);
    queue.assertCount(1);
    expect(await moduleRef.get(QueueManager).connection().pendingJobs('default')).toHaveLength(1);
  });
});

describe('a chain of which a part has really run', () => {
  beforeEach(async () => {
    await compiled({}, { only: [SendMail] });
    await moduleRef.init();
    await bus.chain([order(1), new SendMail('bob'), order(2), bus.batch([order(3), order(4)])]).dispatch();
  });
  const work = () => moduleRef.get(WorkerService).work({ stopWhenEmpty: true });

  it('is known by equal jobs from there on', async () => {
    await work();
    expect(ran).toEqual(['ShipOrder 1']);
    const two = queue.chainedBatch(({ jobs }) => jobs.length === 2);
    queue.assertPushedWithChain(SendMail, [order(2), two]);
    queue.assertChained([new SendMail('bob'), ShipOrder, two]);
    expect(() => queue.assertPushedWithChain(SendMail, [order(3), two])).toThrow(
      "SendMail { to: 'bob' } -> ShipOrder { order: { id: 2 } } -> Batch of 2",
    );
  });

  it('is known although the queue was reset before', async () => {
    queue.reset();
    await work();
    queue.assertPushedWithChain(SendMail, [order(2), queue.chainedBatch(() => true)]);
  });
});

describe('a chain that another process has sent', () => {
  it('is known by the classes of its steps', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'queue-fake-'));
    const dataSource = { type: 'better-sqlite3', database: join(dir, 'jobs.sqlite') };
    const options = { default: 'db', connections: { db: { driver: 'database' as const, dataSource } } };
    const other = await Test.createTestingModule(appOf(options)).compile();
    await other.init();
    await other
      .get(QueueBus)
      .chain([order(1), new SendMail('bob'), order(2), new RecordShipment(3)])
      .dispatch();
    await other.close();

    await compiled(options, { only: [SendMail] });
    await moduleRef.init();
    await moduleRef.get(WorkerService).work({ stopWhenEmpty: true });
    expect(ran).toEqual(['ShipOrder 1']);
    queue.assertPushed(SendMail, ({ to }) => to === 'bob');
    queue.assertPushedWithChain(SendMail, [ShipOrder, RecordShipment]);
    expect(() => queue.assertPushedWithChain(SendMail, [ShipOrder, SendMail])).toThrow(
      "SendMail { to: 'bob' } -> ShipOrder -> RecordShipment",
    );
    expect(() => queue.assertPushedWithChain(SendMail, [order(2), RecordShipment])).toThrow(
      'Steps that another process has sent are known by their class alone',
    );
    rmSync(dir, { recursive: true, force: true });
  });
});

describe('a dispatch that nobody awaits', () => {
  it('is there once all have been flushed', async () => {
    await compiled();
    void bus.dispatch(order(1)).onQueue('high');
    void bus.batch([order(2)]).dispatch();
    queue.assertNothingPushed();
    await bus.flush();
    queue.assertPushed(ShipOrder, 2);
  });
});
