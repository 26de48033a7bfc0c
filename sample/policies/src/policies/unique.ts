import { Inject, Injectable } from '@nestjs/common';
import { call, Callable, Job, Queueable, QueueBus, UniqueFor } from 'nestjs-queue';
import { Journal } from '../journal.js';
import type { Row, Scene } from '../scene.js';

/** Waits a second, so that one refresh serves all who ask meanwhile. */
@Job({ delay: 1 })
@UniqueFor('1m')
export class RefreshPrices extends Queueable {
  handle(@Inject() journal: Journal): void {
    journal.tell('prices', 'refreshed');
  }
}

@Injectable()
export class PriceDesk {
  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
  ) {}

  @Callable()
  async askFor(times: number): Promise<void> {
    const asked = Array.from({ length: times }, () => this.bus.dispatch(new RefreshPrices()));
    const stored = (await Promise.all(asked)).filter((receipt) => receipt !== null);
    this.journal.tell('asked for prices', `${times} times, ${stored.length} stored`);
  }
}

@Injectable()
export class UniqueScene implements Scene {
  readonly title = 'Ten people here and ten in a worker ask for new prices at once';

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
    private readonly prices: PriceDesk,
  ) {}

  async play(): Promise<Row[]> {
    await Promise.all([this.bus.dispatch(call(PriceDesk, 'askFor', 10)), this.prices.askFor(10)]);
    const asked = await this.journal.until(2, 'asked for prices');
    const runs = await this.journal.until(1, 'prices');
    const skipped = this.journal.lines('unique skipped', RefreshPrices.name).length;
    return [
      {
        policy: 'unique',
        promise: 'twenty dispatches in two processes, one job',
        came: `asked by ${asked.map(({ by }) => by).join(' and ')}: ${skipped} skipped, ${runs.length} run`,
        kept: skipped === 19 && runs.length === 1,
      },
    ];
  }
}
