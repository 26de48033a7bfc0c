import { Inject, Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DebounceFor, Job, Queueable, QueueBus } from 'nestjs-queue';
import { Journal } from '../journal.js';
import type { Row, Scene } from '../scene.js';

const TITLES = ['H', 'Ha', 'Ham', 'Haml', 'Hamle', 'Hamlet'];

@Job()
@DebounceFor('700ms', { maxWait: '10s' })
export class IndexEvent extends Queueable {
  constructor(
    readonly eventId: number,
    readonly title: string,
  ) {
    super();
  }

  debounceId(): number {
    return this.eventId;
  }

  handle(@Inject() journal: Journal): void {
    journal.tell('indexed', `event ${this.eventId} as "${this.title}"`);
  }
}

@Injectable()
export class DebounceScene implements Scene {
  readonly title = 'Somebody types the title of event 7, and each letter is saved';

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
  ) {}

  async play(): Promise<Row[]> {
    for (const title of TITLES) {
      await this.bus.dispatch(new IndexEvent(7, title));
      console.log(`saved "${title}"`);
      await sleep(60);
    }
    const replaced = await this.journal.until(TITLES.length - 1, 'debounced', IndexEvent.name);
    const indexed = await this.journal.until(1, 'indexed');
    return [
      {
        policy: 'debounced',
        promise: 'of a burst the last one runs',
        came: `${TITLES.length} saved, ${replaced.length} replaced by a newer one; indexed: ${indexed.map(({ about }) => about).join(', ')}`,
        kept: indexed.length === 1 && indexed[0]!.about === 'event 7 as "Hamlet"',
      },
    ];
  }
}
