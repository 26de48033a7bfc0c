import './own-data.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { DataSource } from 'typeorm';
import { AppModule } from '../src/app.module.js';
import { Journal } from '../src/journal.js';
import { Order } from '../src/order.entity.js';
import { Newsletter, PostTickets, PrintTickets, TellTheManager } from '../src/policies/chain.js';
import { IndexEvent } from '../src/policies/debounce.js';
import { ChargeCard } from '../src/policies/payments.js';
import { ConfirmOrder } from '../src/policies/rate-limit.js';
import { PriceDesk, RefreshPrices } from '../src/policies/unique.js';
import { Told } from './told.js';

describe('what the box office dispatches', () => {
  const told = new Told();
  let app: TestingModule;
  let bus: QueueBus;
  let queue: QueueFake;

  beforeAll(async () => {
    const builder = Test.createTestingModule({ imports: [AppModule] });
    app = await fakeQueue(builder.overrideProvider(Journal).useValue(told)).compile();
    // As the application does at its start: only then are its transactions known.
    await app.init();
    bus = app.get(QueueBus);
    queue = app.get(QueueFake);
  });
  beforeEach(() => {
    queue.reset();
    told.lines.length = 0;
  });
  afterAll(() => app.close());

  it('unique: ten people ask for prices, one job is pushed', async () => {
    await app.get(PriceDesk).askFor(10);
    expect(queue).toHavePushed(RefreshPrices, { times: 1 });
    expect(told.lines).toEqual(['asked for prices: 10 times, 1 stored']);
  });

  it('debounced: every letter is pushed, the last one is to win', async () => {
    for (const title of ['H', 'Ha', 'Ham']) await bus.dispatch(new IndexEvent(7, title));
    expect(queue).toHavePushed(IndexEvent, { times: 3, where: ({ eventId }) => eventId === 7 });
  });

  it('chain: printed, posted, announced; a call of the newsletter is found by its method', async () => {
    const announced = call(Newsletter, 'send', 'Ada', 'they are on their way');
    await bus
      .chain([new PrintTickets('Ada'), new PostTickets('Ada'), announced])
      .catch(new TellTheManager())
      .dispatch();
    expect(queue).toHaveChained([PrintTickets, new PostTickets('Ada'), announced]);
    expect(queue).not.toHaveChained([PrintTickets, new PostTickets('Bo'), announced]);
    await bus.dispatch(call(Newsletter, 'send', 'Bo', 'Hamlet'));
    queue.assertCallPushed(Newsletter, 'send', ([to]) => to === 'Bo');
  });

  it('transactions: what was dispatched for after the commit is gone with a rollback', async () => {
    const placed = (buyer: string, fails: boolean) =>
      app.get(DataSource).transaction(async (manager) => {
        const order = await manager.save(manager.create(Order, { buyer }));
        await bus.dispatch(new ConfirmOrder(order)).afterCommit();
        if (fails) throw new Error('the card was declined');
      });
    await expect(placed('Cleo', true)).rejects.toThrow('declined');
    expect(queue).toHaveNothingPushed();
    await placed('Ada', false);
    expect(queue).toHavePushed(ConfirmOrder, { times: 1, where: ({ order }) => order.buyer === 'Ada' });
  });

  it('encrypted: the fake refuses what the queue would, and shows the job itself', async () => {
    await bus.bulk([new ChargeCard(101, '4111 1111 1111 1234'), new ChargeCard(102, '4111 1111 1111 1234')]);
    expect(queue).toHavePushed(ChargeCard, { times: 2, where: ({ cardNumber }) => cardNumber.endsWith('1234') });
    const unfit = new ChargeCard(103, Symbol('4111') as never);
    await expect(bus.dispatch(unfit)).rejects.toThrow('ChargeCard.cardNumber');
    expect(queue).not.toHavePushed(ChargeCard, { where: ({ orderId }) => orderId === 103 });
  });
});
