import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/vitest';
import { expect, test } from 'vitest';
import { ShipOrder, Shop } from './shop.js';

test('by a matcher', async () => {
  const app = await fakeQueue(Test.createTestingModule({ imports: [Shop] })).compile();
  await app.get(QueueBus).dispatch(new ShipOrder(1));
  expect(app.get(QueueFake)).toHavePushed(ShipOrder, { on: 'emails' });
});

test('by an assertion', async () => {
  const app = await fakeQueue(Test.createTestingModule({ imports: [Shop] })).compile();
  await app.get(QueueBus).dispatch(new ShipOrder(1));
  app.get(QueueFake).assertPushedTimes(ShipOrder, 2);
});
