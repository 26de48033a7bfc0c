import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { setTimeout as sleep } from 'node:timers/promises';
import { Job, Limit, Middleware, Queueable, QueueBus, RateLimited, RateLimiter, Tries } from 'nestjs-queue';
import { DataSource } from 'typeorm';
import { Journal } from '../journal.js';
import { Order } from '../order.entity.js';
import { seconds, type Row, type Scene } from '../scene.js';

const ORDERS = 15;
const PER_SECOND = 5;

/** Every process that works these jobs has to know the limiter. */
@Injectable()
export class MailLimit {
  constructor(limiter: RateLimiter) {
    limiter.for('mails', () => Limit.perSecond(PER_SECOND));
  }
}

/** Without room it is put back, which counts as a try: hence as many as it takes. */
@Job()
@Tries(0)
@Middleware(new RateLimited('mails').releaseAfter('250ms'))
export class ConfirmOrder extends Queueable {
  constructor(readonly order: Order) {
    super();
  }

  async handle(@Inject() journal: Journal): Promise<void> {
    journal.tell('mail', this.order.buyer);
    await sleep(100);
  }
}

@Injectable()
export class RateLimitScene implements Scene {
  readonly title = `The sale opens: ${ORDERS} orders at once, for a mail server that takes ${PER_SECOND} mails a second`;

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  async play(): Promise<Row[]> {
    const { manager } = this.dataSource;
    const buyers = Array.from({ length: ORDERS }, (_, index) => ({ buyer: `buyer ${index + 1}` }));
    const orders = await manager.save(manager.create(Order, buyers));
    const opened = Date.now();
    await this.bus.bulk(orders.map((order) => new ConfirmOrder(order)));

    const mails = await this.journal.until(ORDERS, 'mail');
    const after = mails.map(({ at }) => at - opened);
    const byFirst = mails.filter(({ by }) => by === 'worker 1').length;
    return [
      {
        policy: 'rate limit',
        promise: `${PER_SECOND} mails a second over both workers`,
        came: `${byFirst} + ${ORDERS - byFirst} mails; the 1st, 6th and 11th after ${[0, 5, 10].map((index) => seconds(after[index]!)).join(', ')}`,
        // Five fit into a second, and the first of these begins no sooner than the sale: the 6th waits for one, the 11th for two.
        kept:
          after.every((ms, index) => ms >= Math.floor(index / PER_SECOND) * 1_000 - 10) &&
          mails.length === ORDERS &&
          byFirst > 0 &&
          byFirst < ORDERS,
      },
    ];
  }
}
