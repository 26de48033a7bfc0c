import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { closure, Job, Queueable, QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import { appOf, SendMail, ShipOrder } from './fake-jobs.js';

@Injectable()
class Stock {}

@Job()
class Tagged extends Queueable {
  tags = () => ['x'];
  tries = 3;
  @Inject(Stock) readonly stock!: Stock;
  constructor(
    readonly id: number,
    readonly note?: string,
  ) {
    super();
  }
  handle(): void {}
}

let moduleRef: TestingModule;
let queue: QueueFake;
let bus: QueueBus;

beforeEach(async () => {
  moduleRef = await fakeQueue(Test.createTestingModule(appOf())).compile();
  queue = moduleRef.get(QueueFake);
  bus = moduleRef.get(QueueBus);
});
afterEach(() => moduleRef.close());

const filled = (id: number): Tagged => Object.assign(new Tagged(id), { stock: new Stock() });

describe('jobs with the same data', () => {
  it('are equal in a chain, whatever their policies are and what was injected', async () => {
    await bus.chain([new SendMail('a'), new Tagged(5), filled(6)]).dispatch();
    queue.assertChained([SendMail, new Tagged(5), new Tagged(6)]);
    queue.assertPushedWithChain(SendMail, [filled(5), Tagged]);
    expect(() => queue.assertChained([SendMail, new Tagged(5), new Tagged(7)])).toThrow(
      "  - SendMail -> Tagged { id: 5 } -> Tagged { id: 7 }\nPushed:\n  - SendMail { to: 'a' } -> Tagged { id: 5 } -> Tagged { id: 6 }",
    );
    expect(() => queue.assertChained([SendMail, new Tagged(5, 'n'), Tagged])).toThrow("Tagged { id: 5, note: 'n' }");
  });

  it('are equal as members of batches, and in batches inside chains', async () => {
    await bus.batch([new SendMail('a'), [new SendMail('b'), new Tagged(10)]]).dispatch();
    queue.assertBatched([SendMail, [SendMail, new Tagged(10)]]);
    queue.assertBatched([SendMail, [new SendMail('b'), filled(10)]]);
    for (const members of [
      [SendMail, [SendMail, new Tagged(11)]],
      [SendMail, SendMail],
      [SendMail, [SendMail, Tagged], Tagged],
      [[SendMail], [SendMail, Tagged]],
    ])
      expect(() => queue.assertBatched(members)).toThrow('The expected batch was not dispatched.');
    await bus.chain([new SendMail('c'), bus.batch([new Tagged(1)]).name('n')]).dispatch();
    queue.assertChained([SendMail, bus.batch([filled(1)]).name('n')]);
    expect(() => queue.assertChained([SendMail, bus.batch([filled(1)])])).toThrow('Batch of 1');
    expect(() => queue.assertChained([SendMail, bus.batch([filled(2)]).name('n')])).toThrow('Batch n of 1');
  });

  it('are shown with what travels', async () => {
    await bus.dispatch(filled(1));
    expect(() => queue.assertNothingPushed()).toThrow(/- Tagged on "default" \(connection "memory"\) \{ id: 1 \}$/);
  });

  it('are equal functions too', async () => {
    const one = (id: number) => closure({ id }, ({ id: given }) => given);
    await bus.chain([new ShipOrder({ id: 1 }), new SendMail('a')]).dispatch();
    await bus.batch([new SendMail('a')]).dispatch();
    await bus.dispatch(one(1)).onConnection('sync');
    queue.assertChained([one(1)]);
    expect(() => queue.assertChained([one(2)])).toThrow('Closure { id: 2 }');
  });
});

describe('chainedBatch()', () => {
  it('is understood by assertHasChain(), and shows itself there', () => {
    const job = new ShipOrder({ id: 1 }).chain([new SendMail('a'), bus.batch([new SendMail('b'), new Tagged(1)])]);
    job.assertHasChain([SendMail, queue.chainedBatch(({ jobs }) => jobs.length === 2)]);
    const three = queue.chainedBatch(function hasThree({ jobs }) {
      return jobs.length === 3;
    });
    expect(() => job.assertHasChain([SendMail, three])).toThrow('a batch that hasThree');
    expect(() => job.assertHasChain([three, bus.batch([SendMail as never, Tagged as never])])).toThrow(
      '1. a batch that',
    );
  });

  it('stands within lists of batches', async () => {
    await bus.batch([[new SendMail('a'), bus.batch([new SendMail('b')])]]).dispatch();
    queue.assertBatched([[SendMail, queue.chainedBatch(({ jobs }) => jobs.length === 1)]]);
  });
});
