import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { Job, Queueable, QueueBus, QueueModule } from 'nestjs-queue';
import { drain, FakeClock, useClock } from 'nestjs-queue/testing';
import type { DataSource } from 'typeorm';
import { runtime } from './drain-module.js';
import { installSchema } from '../../lib/operations/install-schema.js';
import { sqliteOptions } from '../flows/open-app.js';

const ran: number[] = [];

@Job()
class Bill extends Queueable {
  constructor(readonly order: number) {
    super();
  }
  handle(): void {
    ran.push(this.order);
  }
}

it('drains what a transaction left in the outbox of the connection', async () => {
  const { dataSource } = sqliteOptions('') as { dataSource: { type: 'better-sqlite3' } };
  const orders = { ...dataSource, name: 'orders', database: ':memory:', driver: (await import('libsql')).default };
  const moduleRef = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot(orders as never),
      QueueModule.forRoot({
        default: 'memory',
        connections: { memory: { driver: 'memory', outbox: { dataSource: 'orders' } } as never },
      }),
    ],
    providers: [Bill],
  }).compile();
  await moduleRef.init();
  await installSchema(runtime(moduleRef).connections, 'memory');
  const clock = new FakeClock();
  useClock(moduleRef, clock);
  const bus = moduleRef.get(QueueBus);
  await moduleRef.get<DataSource>(getDataSourceToken('orders')).transaction(async (manager) => {
    await bus.dispatch(new Bill(1)).within(manager);
    await bus.dispatch(new Bill(2)).within(manager).delay('1h');
  });
  expect(await drain(moduleRef)).toHaveLength(1);
  expect(await drain(moduleRef, { clock })).toHaveLength(1);
  expect(ran).toEqual([1, 2]);
  await moduleRef.close();
});
