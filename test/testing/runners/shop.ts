import { Module } from '@nestjs/common';
import { Backoff, Job, Queueable, QueueModule, Tries } from 'nestjs-queue';

@Job()
@Tries(2)
@Backoff('1h')
export class ShipOrder extends Queueable {
  constructor(readonly order: number) {
    super();
  }

  handle(): void {
    if (this.order === 13 && this.attempts() === 1) throw new Error('out of stock');
    if (this.order < 0) this.fail('no such order');
  }
}

/** Redis stands for a server that a test must not need: nothing answers there. */
@Module({
  imports: [
    QueueModule.forRoot({
      default: 'redis',
      connections: { redis: { driver: 'redis', url: 'redis://127.0.0.1:1' }, memory: { driver: 'memory' } },
      worker: { connection: 'redis' },
    }),
  ],
  providers: [ShipOrder],
})
export class Shop {}

/** The same on memory, without a worker of its own. */
@Module({ imports: [QueueModule.forRoot({ default: 'memory' })], providers: [ShipOrder] })
export class QuietShop {}
