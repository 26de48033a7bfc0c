import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { test } from 'node:test';
import { QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import { ShipOrder, Shop } from './shop.js';

void test('by an assertion', async () => {
  const app = await fakeQueue(Test.createTestingModule({ imports: [Shop] })).compile();
  await app.get(QueueBus).dispatch(new ShipOrder(1));
  app.get(QueueFake).assertPushedTimes(ShipOrder, 2);
});
