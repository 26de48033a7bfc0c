import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Encrypted, Job, Middleware, Queueable, QueueBus, QueueManager, ThrottlesExceptions } from 'nestjs-queue';
import { Journal } from '../journal.js';
import { PaymentGateway } from '../payment-gateway.js';
import { seconds, type Row, type Scene } from '../scene.js';

const CARD = '4111 1111 1111 1234';
const ORDERS = [101, 102, 103, 104, 105, 106];

/** Three refusals within a second, of whichever order, and nobody asks the gateway again before that second is over. */
@Job()
@Encrypted()
@Middleware(new ThrottlesExceptions(3, '1s').by('gateway').backoff('200ms'))
export class ChargeCard extends Queueable {
  constructor(
    readonly orderId: number,
    readonly cardNumber: string,
  ) {
    super();
  }

  retryUntil(): Date {
    return new Date(Date.now() + 60_000);
  }

  handle(@Inject() gateway: PaymentGateway): void {
    gateway.charge(this.orderId, this.cardNumber);
  }
}

@Injectable()
export class PaymentsScene implements Scene {
  readonly title = 'Six cards are to be charged while the payment gateway is down';

  constructor(
    private readonly bus: QueueBus,
    private readonly queue: QueueManager,
    private readonly journal: Journal,
    private readonly gateway: PaymentGateway,
  ) {}

  async play(): Promise<Row[]> {
    this.gateway.goDown();
    await this.bus.bulk(ORDERS.map((id) => new ChargeCard(id, CARD)));
    await this.journal.until(3, 'gateway refused');
    await sleep(300);
    const stored = await this.stored();
    console.log(`the circuit is open, ${stored.length} jobs wait; one of them in the store:\n  ${stored[0]}`);
    await sleep(1_000);
    this.gateway.comeBack();
    const up = Date.now();

    const charged = await this.journal.until(ORDERS.length, 'charged');
    const refused = this.journal.lines('gateway refused').length;
    const unasked = this.journal.lines('released', ChargeCard.name).length - refused;
    return [
      {
        policy: 'circuit breaker',
        promise: 'a gateway that is down is left alone, nothing is lost',
        came: `${refused} calls refused, ${unasked} put off without a call, ${charged.length} charged within ${seconds(charged.at(-1)!.at - up)} of its return`,
        kept: charged.length === ORDERS.length && refused < 3 * ORDERS.length && unasked > 0,
      },
      {
        policy: 'encrypted',
        promise: 'no card number in the store, the job has it',
        came: `${stored.length} jobs looked at; ${charged.filter(({ about }) => about.endsWith('1234')).length} charged by their number`,
        kept: stored.length > 0 && stored.every((job) => job.includes('ChargeCard') && !job.includes(CARD)),
      },
    ];
  }

  /** The texts of the jobs that wait for their time. */
  private async stored(): Promise<string[]> {
    const jobs = await this.queue.connection().delayedJobs();
    return jobs.map(({ payload }) => JSON.stringify(payload));
  }
}
