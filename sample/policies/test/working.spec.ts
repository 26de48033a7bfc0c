import './own-data.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, QueueBus, QueueManager } from 'nestjs-queue';
import { drain, FakeClock, runJob } from 'nestjs-queue/testing';
import { DataSource } from 'typeorm';
import { AppModule } from '../src/app.module.js';
import { Journal } from '../src/journal.js';
import { Order } from '../src/order.entity.js';
import { PaymentGateway } from '../src/payment-gateway.js';
import { Newsletter, PostTickets, PrintTickets, TellTheManager } from '../src/policies/chain.js';
import { IndexEvent } from '../src/policies/debounce.js';
import { ChargeCard } from '../src/policies/payments.js';
import { ConfirmOrder } from '../src/policies/rate-limit.js';
import { RefreshPrices } from '../src/policies/unique.js';
import { Told } from './told.js';

describe('what comes of it, on SQLite and by a clock of our own', () => {
  const told = new Told();
  const clock = new FakeClock();
  let app: TestingModule;
  let bus: QueueBus;

  beforeAll(async () => {
    const builder = Test.createTestingModule({ imports: [AppModule] });
    app = await builder.overrideProvider(Journal).useValue(told).compile();
    app.useLogger(false);
    bus = app.get(QueueBus);
    await drain(app, { clock });
  });
  beforeEach(() => void (told.lines.length = 0));
  afterAll(() => app.close());

  it('debounced: of a burst the last one runs', async () => {
    for (const title of ['H', 'Ha', 'Ham']) {
      await bus.dispatch(new IndexEvent(7, title));
      await clock.advance('60ms');
    }
    const attempts = await drain(app, { clock });
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['debounced', 'debounced', 'done']);
    expect(told.lines).toEqual(['indexed: event 7 as "Ham"']);
  });

  it('unique: the lock is free when the job has run', async () => {
    expect(await bus.dispatch(new RefreshPrices())).not.toBeNull();
    expect(await bus.dispatch(new RefreshPrices())).toBeNull();
    await drain(app, { clock });
    expect(told.lines).toEqual(['prices: refreshed']);
    expect(await bus.dispatch(new RefreshPrices())).not.toBeNull();
    await drain(app, { clock });
  });

  it('rate limit: five mails a second, the others are put back', async () => {
    const { manager } = app.get(DataSource);
    const orders = await manager.save(
      manager.create(
        Order,
        Array.from({ length: 6 }, (_, at) => ({ buyer: `${at}` })),
      ),
    );
    await bus.bulk(orders.map((order) => new ConfirmOrder(order)));
    const began = clock.now();
    const attempts = await drain(app, { clock });
    expect(told.lines).toHaveLength(6);
    expect(attempts.slice(0, 6).map(({ outcome }) => outcome)).toEqual([
      ...Array.from({ length: 5 }, () => 'done'),
      'retry',
    ]);
    expect(clock.now() - began).toBeGreaterThanOrEqual(1_000);
  });

  it('transactions: a mail behind its commit, none after a rollback', async () => {
    const placed = (buyer: string, fails: boolean) =>
      app.get(DataSource).transaction(async (manager) => {
        const order = await manager.save(manager.create(Order, { buyer }));
        await bus.dispatch(new ConfirmOrder(order)).within(manager);
        if (fails) throw new Error('the card was declined');
      });
    await expect(placed('Cleo', true)).rejects.toThrow('declined');
    await placed('Ada', false);
    await drain(app, { clock });
    expect(told.lines).toEqual(['mail: Ada']);
  });

  it('circuit breaker: three refusals, then the gateway is left alone until it is asked again', async () => {
    const gateway = app.get(PaymentGateway);
    gateway.goDown();
    await bus.bulk([101, 102, 103, 104, 105].map((id) => new ChargeCard(id, '4111 1111 1111 1234')));
    await drain(app);
    expect(told.lines.filter((line) => line.startsWith('gateway refused'))).toHaveLength(3);

    const waiting = await app.get(QueueManager).connection().delayedJobs();
    expect(waiting).toHaveLength(5);
    expect(JSON.stringify(waiting)).not.toContain('4111');

    gateway.comeBack();
    await drain(app, { clock });
    expect(told.lines.filter((line) => line.startsWith('charged'))).toHaveLength(5);
  });

  it('chain: each step behind the one before it, and a failure is told', async () => {
    await bus
      .chain([new PrintTickets('Ada'), new PostTickets('Ada'), call(Newsletter, 'send', 'Ada', 'soon')])
      .catch(new TellTheManager())
      .dispatch();
    await bus.dispatch(call(Newsletter, 'send', '', 'Hamlet')).catch(new TellTheManager());
    const attempts = await drain(app, { clock });
    expect(attempts.map(({ name, outcome }) => `${name} ${outcome}`).toSorted()).toEqual([
      'Newsletter.send done',
      'Newsletter.send failed',
      'PostTickets done',
      'PrintTickets done',
      'TellTheManager done',
    ]);
    expect(told.lines.filter((line) => line.startsWith('tickets'))).toEqual([
      'tickets: printed for Ada',
      'tickets: posted to Ada',
      'tickets: news to Ada: soon',
    ]);
    expect(told.lines).toContain('manager told: a newsletter to nobody');
  });

  it('one attempt by itself, middleware and all', async () => {
    expect(await runJob(app, new ChargeCard(106, '4111 1111 1111 1234'))).toEqual({ outcome: 'done' });
    expect(told.lines).toEqual(['charged: order 106, the card that ends in 1234']);
  });
});
