import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, Callable, Job, Queueable, QueueBus, QueueModule } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';

@Job()
class ShipOrder extends Queueable {
  constructor(readonly order: number) {
    super();
  }
  handle(): void {}
}

@Job()
class RecordShipment extends Queueable {
  handle(): void {}
}

@Injectable()
class Podcasts {
  @Callable() publish(): void {}
}

/** Whatever an ordinary `expect` is: jest's global one, where it is there. */
const everyExpect = [
  ['@jest/globals', expect],
  ['global', (globalThis as unknown as { expect: typeof expect }).expect],
] as const;

describe.each(everyExpect)('the matchers on the expect of %s', (_, expect) => {
  let moduleRef: TestingModule;
  let queue: QueueFake;
  let bus: QueueBus;

  beforeEach(async () => {
    const providers = [ShipOrder, RecordShipment, Podcasts];
    moduleRef = await fakeQueue(Test.createTestingModule({ imports: [QueueModule.forRoot()], providers })).compile();
    queue = moduleRef.get(QueueFake);
    bus = moduleRef.get(QueueBus);
  });
  afterEach(() => moduleRef.close());

  /** The first lines of what a failing matcher says. */
  const said = (failing: () => void): string => {
    try {
      failing();
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('the matcher did not fail');
  };

  it('toHavePushed takes a class, a queue, a number and a condition that knows the class', async () => {
    expect(queue).toHaveNothingPushed();
    expect(queue).not.toHavePushed(ShipOrder);
    await bus.dispatch(new ShipOrder(1)).onQueue('emails');
    await bus.dispatch(new ShipOrder(2)).onQueue('emails');
    await bus.dispatch(new ShipOrder(3));
    expect(queue).toHavePushed(ShipOrder);
    expect(queue).toHavePushed(ShipOrder, { times: 3 });
    expect(queue).toHavePushed(ShipOrder, { on: 'emails', times: 2 });
    expect(queue).toHavePushed(ShipOrder, { times: 1, where: (job) => job.order === 2 });
    expect(queue).toHavePushed(ShipOrder, { on: 'emails', times: 2, where: (job) => job.order < 3 });
    expect(queue).toHavePushed(ShipOrder, { where: ({ order }, on) => order === 3 && on === 'default' });
    expect(queue).toHavePushed(Queueable, { times: 3 });
    expect(queue).toHavePushed(RecordShipment, { times: 0 });
    expect(queue).not.toHavePushed(ShipOrder, { on: 'low' });
    expect(queue).not.toHavePushed(ShipOrder, { times: 2 });
    expect(queue).not.toHavePushed(ShipOrder, { on: 'emails', where: (job) => job.order === 3 });
    expect(queue).not.toHaveNothingPushed();
  });

  it('toHavePushed says what was pushed instead, in the words of the assertions', async () => {
    await bus.dispatch(new ShipOrder(1)).onQueue('emails');
    const second = (job: ShipOrder): boolean => job.order === 2;
    for (const [matcher, assertion] of [
      [() => expect(queue).toHavePushed(RecordShipment), () => queue.assertPushed(RecordShipment)],
      [() => expect(queue).toHavePushed(ShipOrder, { on: 'low' }), () => queue.assertPushedOn('low', ShipOrder)],
      [() => expect(queue).toHavePushed(ShipOrder, { where: second }), () => queue.assertPushed(ShipOrder, second)],
      [() => expect(queue).not.toHavePushed(ShipOrder), () => queue.assertNotPushed(ShipOrder)],
      [() => expect(queue).not.toHavePushed(ShipOrder, { times: 1 }), () => queue.assertNotPushed(ShipOrder)],
      [() => expect(queue).toHaveNothingPushed(), () => queue.assertNothingPushed()],
    ] as const) {
      expect(said(matcher)).toBe(said(assertion));
      expect(said(matcher)).toContain('ShipOrder on "emails"');
    }
    expect(said(() => expect(queue).toHavePushed(ShipOrder, { on: 'emails', times: 2, where: () => true }))).toMatch(
      /^The expected \[ShipOrder\] job on "emails" of which the condition holds was pushed 1 times instead of 2 times\.\n\n.*\n.*ShipOrder on "emails"/,
    );
  });

  it('toHaveChained and toHaveBatched', async () => {
    expect(queue).not.toHaveChained([ShipOrder, RecordShipment]);
    expect(queue).not.toHaveBatched(() => true);
    await bus.chain([new ShipOrder(1), new RecordShipment(), call(Podcasts, 'publish')]).dispatch();
    await bus
      .batch([new ShipOrder(2)])
      .name('import-csv')
      .dispatch();
    expect(queue).toHaveChained([ShipOrder, new RecordShipment(), call(Podcasts, 'publish')]);
    expect(queue).not.toHaveChained([ShipOrder, RecordShipment]);
    expect(queue).toHaveBatched((batch) => batch.options.name === 'import-csv');
    expect(queue).toHaveBatched([ShipOrder]);
    expect(queue).not.toHaveBatched([RecordShipment]);
    expect(said(() => expect(queue).toHaveChained([RecordShipment]))).toMatch(/^The expected chain was not pushed\.\n/);
    expect(said(() => expect(queue).not.toHaveBatched([ShipOrder]))).toBe('The unexpected batch was dispatched.');
    expect(said(() => expect(queue).not.toHaveChained([ShipOrder, RecordShipment, call(Podcasts, 'publish')]))).toMatch(
      /^The unexpected chain was pushed\.\n\nNot expected:\n {2}- ShipOrder -> RecordShipment -> /,
    );
    expect(said(() => expect(queue).toHaveBatched([RecordShipment]))).toMatch(
      /^The expected batch was not dispatched\.\n/,
    );
  });

  it('refuse what cannot be meant', () => {
    expect(() => expect(bus).toHavePushed(ShipOrder)).toThrow('toHavePushed() was given QueueBus. Give it the fake');
    expect(() => expect(queue).toHavePushed(ShipOrder, { queue: 'low' } as object)).toThrow(
      'toHavePushed() has no condition "queue". There are: on, times, where.',
    );
    expect(() => expect(queue).toHavePushed(ShipOrder, { times: -1 })).toThrow('toHavePushed() was given -1');
    expect(() => expect(queue).toHavePushed('ShipOrder' as never)).toThrow('Give it a class');
    expect(() => expect(queue).not.toHavePushed('ShipOrder' as never)).toThrow('Give it a class');
    expect(() => expect(queue).toHavePushed(undefined as never, { times: 1 })).toThrow('Give it a class');
    for (const expected of [null, 2, () => true])
      expect(() => expect(queue).toHavePushed(ShipOrder, expected as never)).toThrow('Give it { on, times, where }');
    for (const wrong of [{ where: 'emails' }, { where: 'emails', times: 1 }, { on: 5 }, { on: 5, times: 1 }])
      expect(() => expect(queue).toHavePushed(ShipOrder, wrong as never)).toThrow('toHavePushed() was given ');
  });

  it('do not compile with what is wrong', () => {
    const wrong = () => {
      // @ts-expect-error no such condition
      expect(queue).toHavePushed(ShipOrder, { queue: 'emails' });
      // @ts-expect-error ShipOrder has no `podcast`
      expect(queue).toHavePushed(ShipOrder, { where: (job) => job.podcast === 1 });
      // @ts-expect-error a number
      expect(queue).toHavePushed(ShipOrder, { times: '2' });
      // @ts-expect-error a class, not its name
      expect(queue).toHavePushed('ShipOrder');
    };
    expect(typeof wrong).toBe('function');
  });
});
