import { Inject, Injectable } from '@nestjs/common';
import { call, Callable, Job, Queueable, QueueBus } from 'nestjs-queue';
import { Journal } from '../journal.js';
import type { Row, Scene } from '../scene.js';

@Job()
export class PrintTickets extends Queueable {
  constructor(readonly buyer: string) {
    super();
  }

  handle(@Inject() journal: Journal): void {
    journal.tell('tickets', `printed for ${this.buyer}`);
  }
}

@Job()
export class PostTickets extends Queueable {
  constructor(readonly buyer: string) {
    super();
  }

  handle(@Inject() journal: Journal): void {
    journal.tell('tickets', `posted to ${this.buyer}`);
  }
}

/** Runs when what it was given to has failed for good. */
@Job()
export class TellTheManager extends Queueable {
  handle(@Inject() journal: Journal): void {
    const error = this.context?.error as Error;
    journal.tell('manager told', error.message);
  }
}

@Injectable()
export class Newsletter {
  constructor(private readonly journal: Journal) {}

  @Callable()
  send(to: string, text: string): void {
    if (to === '') throw new Error('a newsletter to nobody');
    this.journal.tell('tickets', `news to ${to}: ${text}`);
  }
}

@Injectable()
export class ChainScene implements Scene {
  readonly title = 'Tickets are printed, then posted, then announced; and a call that fails';

  constructor(
    private readonly bus: QueueBus,
    private readonly journal: Journal,
  ) {}

  async play(): Promise<Row[]> {
    await this.bus
      .chain([
        new PrintTickets('Ada'),
        new PostTickets('Ada'),
        call(Newsletter, 'send', 'Ada', 'they are on their way'),
      ])
      .catch(new TellTheManager())
      .dispatch();
    await this.bus.dispatch(call(Newsletter, 'send', '', 'Hamlet')).catch(new TellTheManager());

    const steps = await this.journal.until(3, 'tickets');
    const told = await this.journal.until(1, 'manager told');
    return [
      {
        policy: 'chain',
        promise: 'each step behind the one before it',
        came: steps.map(({ about }) => about.split(' ')[0]).join(', '),
        kept: steps.map(({ about }) => about.split(' ')[0]).join() === 'printed,posted,news',
      },
      {
        policy: 'call with catch',
        promise: 'its failure is told by a job',
        came: told.map(({ about }) => `"${about}"`).join(', '),
        kept: told.length === 1 && told[0]!.about === 'a newsletter to nobody',
      },
    ];
  }
}
