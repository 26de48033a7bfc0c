import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { QueueBus } from 'nestjs-queue';
import { drain, FakeClock, fakeQueue, QueueFake, runJob } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/vitest';
import { expect, test } from 'vitest';
import { QuietShop, ShipOrder, Shop } from './shop.js';

test('the fake and its matchers', async () => {
  const app = await fakeQueue(Test.createTestingModule({ imports: [Shop] })).compile();
  await app.init();
  const queue = app.get(QueueFake);
  expect(queue).toHaveNothingPushed();
  await app.get(QueueBus).dispatch(new ShipOrder(1)).onQueue('orders');
  expect(queue).toHavePushed(ShipOrder, { on: 'orders', times: 1, where: (job) => job.order === 1 });
  expect(queue).not.toHavePushed(ShipOrder, { on: 'default' });
  queue.assertPushedOn('orders', ShipOrder);
  await app
    .get(QueueBus)
    .batch([new ShipOrder(2)])
    .dispatch();
  expect(queue).toHaveBatched([ShipOrder]);
  // @ts-expect-error no such condition
  expect(() => expect(queue).toHavePushed(ShipOrder, { queue: 'orders' })).toThrow('no condition "queue"');
  await app.close();
});

test('a job by itself', () => {
  const job = new ShipOrder(-1).withFakeQueueInteractions();
  job.handle();
  job.assertFailedWith('no such order').assertNotReleased();
});

test('the pipeline', async () => {
  const app = await Test.createTestingModule({ imports: [QuietShop] }).compile();
  expect(await runJob(app, new ShipOrder(13))).toMatchObject({ outcome: 'retry', delay: 3_600 });
  await app.get(QueueBus).dispatch(new ShipOrder(13));
  expect(await drain(app, { clock: new FakeClock() })).toMatchObject([
    { name: 'ShipOrder', attempts: 1, outcome: 'retry' },
    { name: 'ShipOrder', attempts: 2, outcome: 'done' },
  ]);
  await app.close();
});
