import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueBus } from 'nestjs-queue';
import { drain, FakeClock, fakeQueue, QueueFake, runJob } from 'nestjs-queue/testing';
import { QuietShop, ShipOrder, Shop } from './shop.js';

// No module is closed here: this process would not end if one had left anything open.

void test('the fake', async () => {
  const app = await fakeQueue(Test.createTestingModule({ imports: [Shop] })).compile();
  await app.init();
  const queue = app.get(QueueFake);
  queue.assertNothingPushed();
  await app.get(QueueBus).dispatch(new ShipOrder(1)).onQueue('orders');
  queue.assertPushedOn('orders', ShipOrder, (job) => job.order === 1);
  assert.throws(() => queue.assertNothingPushed(), /ShipOrder on "orders"/);
});

void test('a job by itself', () => {
  const job = new ShipOrder(-1).withFakeQueueInteractions();
  job.handle();
  job.assertFailedWith('no such order').assertNotReleased();
});

void test('the pipeline', async () => {
  const app = await Test.createTestingModule({ imports: [QuietShop] }).compile();
  const { outcome, delay } = await runJob(app, new ShipOrder(13));
  assert.deepEqual({ outcome, delay }, { outcome: 'retry', delay: 3_600 });
  await app.get(QueueBus).dispatch(new ShipOrder(13));
  const attempts = await drain(app, { clock: new FakeClock() });
  assert.deepEqual(
    attempts.map((one) => [one.attempts, one.outcome]),
    [
      [1, 'retry'],
      [2, 'done'],
    ],
  );
});
