import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, closure, QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake, QueueFakeError } from 'nestjs-queue/testing';
import { appOf, Podcasts, Rebuild, RecordShipment, SendMail, ShipOrder } from './fake-jobs.js';

let moduleRef: TestingModule;
let queue: QueueFake;
let bus: QueueBus;

beforeEach(async () => {
  moduleRef = await fakeQueue(Test.createTestingModule(appOf())).compile();
  queue = moduleRef.get(QueueFake);
  bus = moduleRef.get(QueueBus);
});
afterEach(() => moduleRef.close());

const asked = new Set<string>();

/** What a failing assertion says. */
function said<A extends keyof QueueFake>(assertion: A, ...args: unknown[]): string {
  asked.add(assertion);
  try {
    (queue[assertion] as (...given: unknown[]) => void).apply(queue, args);
  } catch (error) {
    if (error instanceof QueueFakeError && error.code === 'ERR_QUEUE_FAKE') return error.message;
    throw error;
  }
  throw new Error(`${assertion} holds`);
}

const order = (id: number): ShipOrder => new ShipOrder({ id });

async function some(): Promise<void> {
  await bus.dispatch(order(1)).onQueue('high').delay(30);
  await bus.dispatch(new SendMail('ann@example.org')).onConnection('database').delay('500ms');
  await bus.dispatch(call(Podcasts, 'publish', 7, 'first'));
  await bus.dispatch(closure({ id: 3 }, ({ id }: { id: number }) => id)).onConnection('sync');
  await bus.chain([new RecordShipment(1), new SendMail('bob'), bus.batch([order(2)]).name('two')]).dispatch();
}

async function batches(): Promise<void> {
  await bus
    .batch([order(1), [new RecordShipment(1), new SendMail('ann')]])
    .name('all')
    .onQueue('b')
    .allowFailures()
    .dispatch();
  await bus
    .batch(Array.from({ length: 12 }, (_, id) => order(id)))
    .onConnection('sync')
    .dispatch();
}

describe('an assertion that does not hold', () => {
  it('assertPushed', async () => {
    expect(said('assertPushed', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not pushed.

     Nothing was pushed."
    `);
    await some();
    expect(said('assertPushed', Rebuild)).toMatchInlineSnapshot(`
     "The expected [Rebuild] job was not pushed.

     Pushed instead:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }
       - SendMail on "emails" (connection "database", delay 0.5 s) { to: 'ann@example.org' }
       - Podcasts.publish(7, 'first') on "default" (connection "memory")
       - Closure on "default" (connection "sync") { id: 3 }
       - RecordShipment on "default" (connection "memory") { id: 1 } -> SendMail -> Batch two"
    `);
    expect(said('assertPushed', ShipOrder, 2)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was pushed 1 times instead of 2 times.

     Pushed:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }"
    `);
    expect(said('assertPushed', ShipOrder, (job: ShipOrder) => job.order.id === 2)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not pushed.

     None of these satisfies the function:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }"
    `);
  });

  it('assertPushed of what went another way', async () => {
    await bus.dispatchSync(order(1));
    expect(said('assertPushed', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not pushed.

     Nothing was pushed.

     It was dispatched synchronously: see assertDispatchedSync()."
    `);
    bus.dispatchAfterResponse(new SendMail('ann'));
    expect(said('assertPushed', SendMail)).toMatchInlineSnapshot(`
     "The expected [SendMail] job was not pushed.

     Nothing was pushed.

     It was dispatched after the response: see assertDispatchedAfterResponse()."
    `);
  });

  it('assertPushedOn', async () => {
    await some();
    expect(said('assertPushedOn', 'low', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not pushed.

     None of these is on "low":
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }"
    `);
    expect(said('assertPushedOn', 'high', ShipOrder, () => false)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not pushed.

     None of these is on "high" and satisfies the function:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }"
    `);
  });

  it('assertPushedTimes and assertPushedOnce', async () => {
    expect(said('assertPushedTimes', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was pushed 0 times instead of 1 times.

     Nothing was pushed."
    `);
    await bus.bulk([order(1), order(2)]);
    expect(said('assertPushedTimes', ShipOrder, 3)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was pushed 2 times instead of 3 times.

     Pushed:
       - ShipOrder on "default" (connection "memory") { order: { id: 1 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 2 } }"
    `);
    expect(said('assertPushedOnce', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was pushed 2 times instead of 1 times.

     Pushed:
       - ShipOrder on "default" (connection "memory") { order: { id: 1 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 2 } }"
    `);
  });

  it('assertNotPushed and assertNothingPushed', async () => {
    await some();
    expect(said('assertNotPushed', ShipOrder)).toMatchInlineSnapshot(`
     "The unexpected [ShipOrder] job was pushed.

     Pushed:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }"
    `);
    expect(said('assertNotPushed', SendMail, (job: SendMail) => job.to.startsWith('ann'))).toMatchInlineSnapshot(`
     "The unexpected [SendMail] job was pushed.

     Pushed:
       - SendMail on "emails" (connection "database", delay 0.5 s) { to: 'ann@example.org' }"
    `);
    expect(said('assertNothingPushed')).toMatchInlineSnapshot(`
     "The following jobs were pushed unexpectedly:
       - ShipOrder on "high" (connection "memory", delay 30 s) { order: { id: 1 } }
       - SendMail on "emails" (connection "database", delay 0.5 s) { to: 'ann@example.org' }
       - Podcasts.publish(7, 'first') on "default" (connection "memory")
       - Closure on "default" (connection "sync") { id: 3 }
       - RecordShipment on "default" (connection "memory") { id: 1 } -> SendMail -> Batch two"
    `);
  });

  it('assertCount', async () => {
    expect(said('assertCount', 1)).toMatchInlineSnapshot(`
     "Expected 1 jobs to be pushed, but found 0 instead.

     Nothing was pushed."
    `);
    await bus.bulk(Array.from({ length: 12 }, (_, id) => order(id)));
    expect(said('assertCount', 3)).toMatchInlineSnapshot(`
     "Expected 3 jobs to be pushed, but found 12 instead.

     Pushed:
       - ShipOrder on "default" (connection "memory") { order: { id: 0 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 1 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 2 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 3 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 4 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 5 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 6 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 7 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 8 } }
       - ShipOrder on "default" (connection "memory") { order: { id: 9 } }
       … and 2 more"
    `);
  });

  it('assertCallPushed and assertCallNotPushed', async () => {
    expect(said('assertCallPushed', Podcasts, 'publish')).toMatchInlineSnapshot(`
     "The expected [Podcasts.publish] job was not pushed.

     Nothing was pushed."
    `);
    await bus.dispatch(call(Podcasts, 'publish', 7, 'first')).onQueue('media');
    expect(said('assertCallPushed', Podcasts, 'publish', ([id]: [number]) => id === 8)).toMatchInlineSnapshot(`
     "The expected [Podcasts.publish] job was not pushed.

     None of these satisfies the function:
       - Podcasts.publish(7, 'first') on "media" (connection "memory")"
    `);
    expect(said('assertCallNotPushed', Podcasts, 'publish')).toMatchInlineSnapshot(`
     "The unexpected [Podcasts.publish] job was pushed.

     Pushed:
       - Podcasts.publish(7, 'first') on "media" (connection "memory")"
    `);
  });

  it('assertClosurePushed and assertClosureNotPushed', async () => {
    expect(said('assertClosurePushed')).toMatchInlineSnapshot(`
     "The expected [Closure] job was not pushed.

     Nothing was pushed."
    `);
    await bus.dispatch(closure({ id: 3 }, ({ id }: { id: number }) => id)).onConnection('sync');
    await bus.dispatch(function tidy() {}).onConnection('deferred');
    expect(said('assertClosurePushed', 1)).toMatchInlineSnapshot(`
     "The expected [Closure] job was pushed 2 times instead of 1 times.

     Pushed:
       - Closure on "default" (connection "sync") { id: 3 }
       - tidy - Closure on "default" (connection "deferred")"
    `);
    expect(said('assertClosurePushed', () => false)).toMatchInlineSnapshot(`
     "The expected [Closure] job was not pushed.

     None of these satisfies the function:
       - Closure on "default" (connection "sync") { id: 3 }
       - tidy - Closure on "default" (connection "deferred")"
    `);
    expect(said('assertClosureNotPushed')).toMatchInlineSnapshot(`
     "The unexpected [Closure] job was pushed.

     Pushed:
       - Closure on "default" (connection "sync") { id: 3 }
       - tidy - Closure on "default" (connection "deferred")"
    `);
  });

  it('assertPushedWithChain', async () => {
    expect(said('assertPushedWithChain', RecordShipment, [SendMail])).toMatchInlineSnapshot(`
     "The expected [RecordShipment] job was not pushed.

     Nothing was pushed."
    `);
    expect(said('assertPushedWithChain', RecordShipment, [])).toMatchInlineSnapshot(
      `"The expected chain can not be empty."`,
    );
    await some();
    expect(said('assertPushedWithChain', RecordShipment, [new SendMail('cid')])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment -> SendMail { to: 'cid' }
     Pushed:
       - RecordShipment { id: 1 } -> SendMail { to: 'bob' } -> Batch two of 1"
    `);
  });

  it('assertPushedWithoutChain and assertDispatchedWithoutChain', async () => {
    expect(said('assertPushedWithoutChain', RecordShipment)).toMatchInlineSnapshot(`
     "The expected [RecordShipment] job was not pushed.

     Nothing was pushed."
    `);
    await some();
    expect(said('assertPushedWithoutChain', RecordShipment)).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment, with nothing behind it
     Pushed:
       - RecordShipment { id: 1 } -> SendMail { to: 'bob' } -> Batch two of 1"
    `);
    expect(said('assertDispatchedWithoutChain', RecordShipment)).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment, with nothing behind it
     Pushed:
       - RecordShipment { id: 1 } -> SendMail { to: 'bob' } -> Batch two of 1"
    `);
  });

  it('assertChained', async () => {
    expect(said('assertChained', [])).toMatchInlineSnapshot(`"The expected chain can not be empty."`);
    expect(said('assertChained', [ShipOrder, SendMail])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - ShipOrder -> SendMail
     Nothing was pushed."
    `);
    await bus.dispatch(order(1));
    expect(said('assertChained', [ShipOrder, new SendMail('a')])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - ShipOrder -> SendMail { to: 'a' }
     Pushed:
       - ShipOrder { order: { id: 1 } }"
    `);
    await some();
    const two = queue.chainedBatch(function hasTwo({ jobs }) {
      return jobs.length === 2;
    });
    expect(said('assertChained', [new RecordShipment(1), SendMail, two])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment { id: 1 } -> SendMail -> a batch that hasTwo
     Pushed:
       - RecordShipment { id: 1 } -> SendMail { to: 'bob' } -> Batch two of 1"
    `);
    expect(said('assertChained', [RecordShipment, queue.chainedBatch(() => true)])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment -> a batch that fits
     Pushed:
       - RecordShipment { id: 1 } -> SendMail { to: 'bob' } -> Batch two of 1"
    `);
  });

  it('assertChained of what went another way, and of a job alone', async () => {
    await bus.dispatchSync(order(1).chain([new SendMail('a')]));
    expect(said('assertChained', [ShipOrder, SendMail])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - ShipOrder -> SendMail
     Nothing was pushed.

     It was dispatched synchronously: see assertDispatchedSync()."
    `);
    bus.dispatchAfterResponse(new RecordShipment(1).chain([new SendMail('b')]));
    expect(said('assertChained', [RecordShipment, SendMail])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - RecordShipment -> SendMail
     Nothing was pushed.

     It was dispatched after the response: see assertDispatchedAfterResponse()."
    `);
    await bus.dispatch(order(2));
    await bus.dispatch(new RecordShipment(2).chain([new SendMail('c')]));
    expect(said('assertChained', [order(3)])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - ShipOrder { order: { id: 3 } }
     Pushed:
       - ShipOrder { order: { id: 2 } }
       - RecordShipment { id: 2 } -> SendMail { to: 'c' }"
    `);
    expect(said('assertChained', [ShipOrder, RecordShipment])).toMatchInlineSnapshot(`
     "The expected chain was not pushed.

     Expected:
       - ShipOrder -> RecordShipment
     Pushed:
       - RecordShipment { id: 2 } -> SendMail { to: 'c' }"
    `);
  });

  it('assertNothingChained', async () => {
    await some();
    expect(said('assertNothingChained')).toMatchInlineSnapshot(`
     "The following chains were pushed unexpectedly:
       - RecordShipment on "default" (connection "memory") { id: 1 } -> SendMail -> Batch two"
    `);
  });

  it('assertBatched', async () => {
    expect(said('assertBatched', () => true)).toMatchInlineSnapshot(`
     "The expected batch was not dispatched.

     No batch was dispatched."
    `);
    await batches();
    expect(said('assertBatched', () => false)).toMatchInlineSnapshot(`
     "The expected batch was not dispatched.

     Dispatched:
       - Batch "all" on "b" (failures allowed) of 2: ShipOrder { order: { id: 1 } }, [RecordShipment { id: 1 } -> SendMail { to: 'ann' }]
       - A batch (connection "sync") of 12: ShipOrder { order: { id: 0 } }, ShipOrder { order: { id: 1 } }, ShipOrder { order: { id: 2 } }, ShipOrder { order: { id: 3 } }, ShipOrder { order: { id: 4 } }, … and 7 more"
    `);
    expect(said('assertBatched', [order(1), [RecordShipment, new SendMail('bob')]])).toMatchInlineSnapshot(`
     "The expected batch was not dispatched.

     Expected:
       - a batch of 2: ShipOrder { order: { id: 1 } }, [RecordShipment -> SendMail { to: 'bob' }]
     Dispatched:
       - Batch "all" on "b" (failures allowed) of 2: ShipOrder { order: { id: 1 } }, [RecordShipment { id: 1 } -> SendMail { to: 'ann' }]
       - A batch (connection "sync") of 12: ShipOrder { order: { id: 0 } }, ShipOrder { order: { id: 1 } }, ShipOrder { order: { id: 2 } }, ShipOrder { order: { id: 3 } }, ShipOrder { order: { id: 4 } }, … and 7 more"
    `);
  });

  it('assertBatchCount and assertNothingBatched', async () => {
    expect(said('assertBatchCount', 1)).toMatchInlineSnapshot(`
     "Expected 1 batches to be dispatched, but found 0 instead.

     No batch was dispatched."
    `);
    await batches();
    expect(said('assertBatchCount', 1)).toMatchInlineSnapshot(`
     "Expected 1 batches to be dispatched, but found 2 instead.

     Dispatched:
       - Batch "all" on "b" (failures allowed) of 2: ShipOrder { order: { id: 1 } }, [RecordShipment { id: 1 } -> SendMail { to: 'ann' }]
       - A batch (connection "sync") of 12: ShipOrder { order: { id: 0 } }, ShipOrder { order: { id: 1 } }, ShipOrder { order: { id: 2 } }, ShipOrder { order: { id: 3 } }, ShipOrder { order: { id: 4 } }, … and 7 more"
    `);
    expect(said('assertNothingBatched')).toMatchInlineSnapshot(`
     "The following batches were dispatched unexpectedly:
       - Batch "all" on "b" (failures allowed) of 2: ShipOrder { order: { id: 1 } }, [RecordShipment { id: 1 } -> SendMail { to: 'ann' }]
       - A batch (connection "sync") of 12: ShipOrder { order: { id: 0 } }, ShipOrder { order: { id: 1 } }, ShipOrder { order: { id: 2 } }, ShipOrder { order: { id: 3 } }, ShipOrder { order: { id: 4 } }, … and 7 more"
    `);
  });

  it('assertNothingPlaced', async () => {
    await bus.dispatchSync(order(1));
    bus.dispatchAfterResponse(new SendMail('ann'));
    await bus.dispatch(new Rebuild());
    expect(said('assertNothingPlaced')).toMatchInlineSnapshot(`
     "The following jobs were dispatched unexpectedly:
       - ShipOrder { order: { id: 1 } }, synchronously
       - SendMail { to: 'ann' }, after sending the response
       - Rebuild on "default" (connection "memory")"
    `);
    await bus.batch([order(2)]).dispatch();
    expect(said('assertNothingPlaced')).toMatchInlineSnapshot(`
     "The following batches were dispatched unexpectedly:
       - A batch of 1: ShipOrder { order: { id: 2 } }"
    `);
  });

  it('assertDispatchedSync and assertNotDispatchedSync', async () => {
    expect(said('assertDispatchedSync', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not dispatched synchronously.

     Nothing was dispatched synchronously."
    `);
    await bus.dispatch(new SendMail('ann'));
    expect(said('assertDispatchedSync', SendMail)).toMatchInlineSnapshot(`
     "The expected [SendMail] job was not dispatched synchronously.

     Nothing was dispatched synchronously.

     It was pushed to a queue: see assertPushed()."
    `);
    await bus.dispatchSync(order(1));
    expect(said('assertDispatchedSync', ShipOrder, () => false)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not dispatched synchronously.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, synchronously"
    `);
    expect(said('assertDispatchedSync', ShipOrder, 2)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was dispatched synchronously 1 times instead of 2 times.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, synchronously"
    `);
    expect(said('assertNotDispatchedSync', ShipOrder)).toMatchInlineSnapshot(`
     "The unexpected [ShipOrder] job was dispatched synchronously.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, synchronously"
    `);
  });

  it('assertDispatchedAfterResponse and assertNotDispatchedAfterResponse', async () => {
    expect(said('assertDispatchedAfterResponse', ShipOrder)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not dispatched after sending the response.

     Nothing was dispatched after sending the response."
    `);
    bus.dispatchAfterResponse(order(1));
    expect(said('assertDispatchedAfterResponse', ShipOrder, () => false)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was not dispatched after sending the response.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, after sending the response"
    `);
    expect(said('assertDispatchedAfterResponse', ShipOrder, 2)).toMatchInlineSnapshot(`
     "The expected [ShipOrder] job was dispatched after sending the response 1 times instead of 2 times.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, after sending the response"
    `);
    expect(said('assertNotDispatchedAfterResponse', ShipOrder)).toMatchInlineSnapshot(`
     "The unexpected [ShipOrder] job was dispatched after sending the response.

     Dispatched so:
       - ShipOrder { order: { id: 1 } }, after sending the response"
    `);
  });

  it('keeps long lists and large jobs readable', async () => {
    await bus.bulk(Array.from({ length: 12 }, (_, id) => new ShipOrder({ id, note: 'x'.repeat(id * 100) })));
    expect(said('assertNothingPushed')).toMatchInlineSnapshot(`
     "The following jobs were pushed unexpectedly:
       - ShipOrder on "default" (connection "memory") { order: { id: 0, note: '' } }
       - ShipOrder on "default" (connection "memory") { order: { id: 1, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 40 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 2, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 140 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 3, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 240 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 4, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 340 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 5, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 440 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 6, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 540 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 7, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 640 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 8, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 740 more characters } }
       - ShipOrder on "default" (connection "memory") { order: { id: 9, note: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... 840 more characters } }
       … and 2 more"
    `);
  });

  it('gives runners both sides where there are two', () => {
    expect(() => queue.assertCount(2)).toThrow(expect.objectContaining({ expected: 2, actual: 0 }));
  });

  it('was asked of every assertion that there is', () => {
    const all = new Set<string>();
    for (let type = QueueFake.prototype as object; type !== Object.prototype; type = Object.getPrototypeOf(type)) {
      for (const name of Object.getOwnPropertyNames(type)) if (name.startsWith('assert')) all.add(name);
    }
    expect([...all].sort()).toEqual([...asked].sort());
  });
});
