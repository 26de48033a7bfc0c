import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import { QueueModule } from 'nestjs-queue';
import { Journal } from './journal.js';
import { Order } from './order.entity.js';
import { PaymentGateway } from './payment-gateway.js';
import { ChainScene, Newsletter, PostTickets, PrintTickets, TellTheManager } from './policies/chain.js';
import { DebounceScene, IndexEvent } from './policies/debounce.js';
import { OverlapScene, RebuildSeatMap } from './policies/overlap.js';
import { ChargeCard, PaymentsScene } from './policies/payments.js';
import { ConfirmOrder, MailLimit, RateLimitScene } from './policies/rate-limit.js';
import { TransactionsScene } from './policies/transactions.js';
import { PriceDesk, RefreshPrices, UniqueScene } from './policies/unique.js';
import { settings } from './settings.js';

const key = process.env['QUEUE_KEY'];

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      driver: libsql,
      database: settings.database,
      entities: [Order],
      synchronize: true,
      enableWAL: true,
      // Three processes write to one file: a write that meets another one waits for it.
      prepareDatabase: (database: { pragma(text: string): unknown }) => {
        database.pragma('busy_timeout = 5000');
        database.pragma('synchronous = NORMAL');
      },
    }),
    // Jobs, counters and locks are in the same file; or on the Redis of REDIS_URL, which jobs of a transaction reach by an outbox.
    process.env['REDIS_URL']
      ? QueueModule.forRoot({
          key,
          default: 'redis',
          connections: { redis: { driver: 'redis', prefix: settings.prefix, outbox: true } },
        })
      : QueueModule.forRoot({ key, connections: { database: { driver: 'database', dataSource: 'default' } } }),
  ],
  providers: [
    Journal,
    MailLimit,
    PriceDesk,
    PaymentGateway,
    Newsletter,
    ConfirmOrder,
    RebuildSeatMap,
    RefreshPrices,
    IndexEvent,
    ChargeCard,
    PrintTickets,
    PostTickets,
    TellTheManager,
    RateLimitScene,
    OverlapScene,
    UniqueScene,
    DebounceScene,
    TransactionsScene,
    PaymentsScene,
    ChainScene,
  ],
})
export class AppModule {}
