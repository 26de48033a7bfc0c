import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { setTimeout as sleep } from 'node:timers/promises';
import { QueueBus } from 'nestjs-queue';
import { DataSource, In, type EntityManager } from 'typeorm';
import { Journal } from '../journal.js';
import { Order } from '../order.entity.js';
import { seconds, type Row, type Scene } from '../scene.js';
import { ConfirmOrder } from './rate-limit.js';

type Dispatch = (order: Order, manager: EntityManager) => Promise<void>;

@Injectable()
export class TransactionsScene implements Scene {
  readonly title = 'Orders and their mails, in transactions; the card of one is declined';

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {}

  async play(): Promise<Row[]> {
    // The declined one first: what is left of it would run before the others.
    const declined = this.place('Cleo', async (order, manager) => {
      await this.bus.dispatch(new ConfirmOrder(order)).afterCommit();
      await this.bus.dispatch(new ConfirmOrder(order)).within(manager);
      throw new Error('the card was declined');
    });
    await declined.catch((error: Error) => this.journal.tell('rollback', error.message));
    const toAda = await this.place('Ada', async (order) => {
      await this.bus.dispatch(new ConfirmOrder(order)).afterCommit();
    });
    const toBen = await this.place('Ben', async (order, manager) => {
      await this.bus.dispatch(new ConfirmOrder(order)).within(manager);
    });

    const orders = await this.dataSource.manager.findBy(Order, { buyer: In(['Ada', 'Ben', 'Cleo']) });
    // A job that outlived the rollback would fail: its order is not there.
    const ofRollback =
      this.journal.lines('mail', 'Cleo').length + this.journal.lines('failed', ConfirmOrder.name).length;
    return [
      {
        policy: 'afterCommit, within',
        promise: 'a mail behind its commit, none after a rollback',
        came: `orders of ${orders.map(({ buyer }) => buyer).join(' and ')}, mailed ${seconds(toAda)} and ${seconds(toBen)} behind the commit; jobs of the rollback: ${ofRollback}`,
        kept: orders.length === 2 && toAda >= 0 && toBen >= 0 && ofRollback === 0,
      },
    ];
  }

  /** Saves an order with what `dispatch` sends, waits for the mail, and returns its time behind the commit, in milliseconds. */
  private async place(buyer: string, dispatch: Dispatch): Promise<number> {
    const committing = await this.dataSource.transaction(async (manager) => {
      const order = await manager.save(manager.create(Order, { buyer }));
      await dispatch(order, manager);
      await sleep(200);
      this.journal.tell('commit', `order and mail for ${buyer}`);
      return Date.now();
    });
    const [mail] = await this.journal.until(1, 'mail', buyer);
    return mail!.at - committing;
  }
}
