import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, closure, InvalidOptionError, QueueBus } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { appOf, Podcasts, RecordShipment, SendMail, ShipOrder } from './fake-jobs.js';

let moduleRef: TestingModule;
let queue: QueueFake;
let bus: QueueBus;

beforeEach(async () => {
  moduleRef = await fakeQueue(Test.createTestingModule(appOf())).compile();
  queue = moduleRef.get(QueueFake);
  bus = moduleRef.get(QueueBus);
  await bus.dispatch(new ShipOrder({ id: 1 }));
  await bus.dispatch(call(Podcasts, 'publish', 7));
  await bus.dispatch(closure({ id: 3 }, ({ id }: { id: number }) => id)).onConnection('sync');
  await bus.chain([new RecordShipment(1), bus.batch([new SendMail('ann')])]).dispatch();
  await bus.batch([new SendMail('bob')]).dispatch();
  await bus.dispatchSync(new ShipOrder({ id: 2 }));
  bus.dispatchAfterResponse(new ShipOrder({ id: 3 }));
});
afterEach(() => moduleRef.close());

type Asked = { [K in keyof QueueFake]: QueueFake[K] extends (...args: any[]) => unknown ? K : never }[keyof QueueFake];
type Case = readonly [Asked, ...unknown[]];

function refusal([asked, ...args]: Case): string {
  try {
    (queue[asked] as (...given: unknown[]) => unknown).apply(queue, args);
  } catch (error) {
    if (error instanceof InvalidOptionError) return error.message;
    throw error;
  }
  return 'it holds';
}

const no = async (): Promise<boolean> => false;
const lost = async (): Promise<boolean> => {
  throw new Error('nobody hears of this');
};

describe('a function that answers with a promise', () => {
  it.each<Case>([
    ['assertPushed', ShipOrder, no],
    ['assertPushed', ShipOrder, lost],
    ['assertPushedOn', 'default', ShipOrder, no],
    ['assertNotPushed', ShipOrder, no],
    ['pushed', ShipOrder, no],
    ['hasPushed', ShipOrder, no],
    ['assertCallPushed', Podcasts, 'publish', no],
    ['assertCallNotPushed', Podcasts, 'publish', no],
    ['assertClosurePushed', no],
    ['assertClosureNotPushed', no],
    ['assertBatched', no],
    ['assertDispatchedSync', ShipOrder, no],
    ['assertNotDispatchedSync', ShipOrder, no],
    ['assertDispatchedAfterResponse', ShipOrder, no],
    ['assertNotDispatchedAfterResponse', ShipOrder, no],
    ['dispatchedSync', ShipOrder, no],
    ['dispatchedAfterResponse', ShipOrder, no],
  ])('is refused by %s', (...one) => {
    expect(refusal(one)).toBe(
      `${one[0]}() was given a function that answers with a promise, for which it cannot wait. Give it one that answers at once.`,
    );
  });

  it('is refused by the matcher', () => {
    for (const more of [{}, { on: 'default' }, { times: 1 }]) {
      expect(() => expect(queue).toHavePushed(ShipOrder, { ...more, where: no as never })).toThrow(
        'toHavePushed() was given a function that answers with a promise',
      );
    }
  });

  it('is refused in the place of a batch', () => {
    expect(refusal(['assertChained', [RecordShipment, queue.chainedBatch(no as never)]])).toBe(
      'chainedBatch() was given a function that answers with a promise, for which it cannot wait. Give it one that answers at once.',
    );
  });
});

describe('an argument that cannot be', () => {
  it.each<Case>([
    ['assertPushed', ShipOrder, 'x'],
    ['assertPushed', ShipOrder, SendMail],
    ['assertPushedOn', 'default', ShipOrder, 1],
    ['assertNotPushed', ShipOrder, 1],
    ['pushed', ShipOrder, { id: 1 }],
    ['assertCallPushed', Podcasts, 'publish', [7]],
    ['assertClosurePushed', 'x'],
    ['assertClosureNotPushed', 1],
    ['assertDispatchedSync', ShipOrder, 'x'],
    ['assertNotDispatchedSync', ShipOrder, 1],
    ['dispatchedAfterResponse', ShipOrder, 1],
    ['chainedBatch', [SendMail]],
    ['chainedBatch'],
  ])('where %s takes a function is told of', (...one) => {
    expect(refusal(one)).toMatch(new RegExp(`^${one[0]}\\(\\) was given .+ Give it a function that `));
  });

  it.each<Case>([
    ['assertChained'],
    ['assertChained', ShipOrder],
    ['assertPushedWithChain', ShipOrder],
    ['assertPushedWithChain', ShipOrder, new SendMail('a')],
    ['assertBatched'],
    ['assertBatched', SendMail],
    ['assertBatched', 'x'],
  ])('where %s takes a list is told of', (...one) => {
    expect(refusal(one)).toMatch(new RegExp(`^${one[0]}\\(\\) was given .+ Give it a list of `));
  });

  it.each<readonly [string, Case]>([
    ['number 1', ['assertChained', [RecordShipment, undefined]]],
    ['number 0', ['assertPushedWithChain', RecordShipment, ['SendMail']]],
    ['number 0', ['assertChained', [[RecordShipment]]]],
    ['number 0', ['assertBatched', [null]]],
    ['number 1 of number 0', ['assertBatched', [[SendMail, 3]]]],
    ['number 0 of number 0', ['assertBatched', [[[SendMail]]]]],
  ])('in a list is told of by its place, %s', (at, one) => {
    expect(refusal(one)).toMatch(
      new RegExp(`^${one[0]}\\(\\) was given .+ as ${at} of its list\\. Give it a class, an instance`),
    );
  });

  it('as the name of a queue, a connection or a method is told of', () => {
    expect(refusal(['assertPushedOn', ShipOrder, 'default'])).toBe(
      'assertPushedOn() was given the function ShipOrder as a queue. Give it a name.',
    );
    expect(refusal(['pushedOn', undefined])).toBe('pushedOn() was given undefined as a queue. Give it a name.');
    expect(refusal(['assertCallPushed', Podcasts, undefined])).toBe(
      'assertCallPushed() was given undefined as a method of Podcasts. Give it a name.',
    );
  });
});

describe('the sides of an assertion that does not hold', () => {
  const sides = (one: Case): unknown => {
    try {
      (queue[one[0]] as (...given: unknown[]) => unknown).apply(queue, one.slice(1));
    } catch (error) {
      const { expected, actual } = error as { expected: unknown; actual: unknown };
      return { expected, actual };
    }
    throw new Error('it holds');
  };

  it('are two lists that part where the jobs do', async () => {
    await bus.chain([new RecordShipment(2), new SendMail('cid'), new ShipOrder({ id: 9 })]).dispatch();
    expect(sides(['assertChained', [RecordShipment, new SendMail('dan'), ShipOrder]])).toEqual({
      expected: ['RecordShipment { id: 2 }', "SendMail { to: 'dan' }", 'ShipOrder { order: { id: 9 } }'],
      actual: ['RecordShipment { id: 2 }', "SendMail { to: 'cid' }", 'ShipOrder { order: { id: 9 } }'],
    });
    expect(sides(['assertPushedWithChain', RecordShipment, [new SendMail('dan')]])).toEqual({
      expected: ['RecordShipment { id: 1 }', "SendMail { to: 'dan' }"],
      actual: ['RecordShipment { id: 1 }', 'Batch of 1'],
    });
    expect(sides(['assertPushedWithoutChain', RecordShipment])).toEqual({
      expected: ['RecordShipment { id: 1 }'],
      actual: ['RecordShipment { id: 1 }', 'Batch of 1'],
    });
  });

  it('are those of the batch that comes closest', async () => {
    await bus.batch([new ShipOrder({ id: 1 }), [new RecordShipment(1), new SendMail('a')]]).dispatch();
    expect(sides(['assertBatched', [ShipOrder, [RecordShipment, new SendMail('b')]]])).toEqual({
      expected: ['ShipOrder { order: { id: 1 } }', "[RecordShipment { id: 1 } -> SendMail { to: 'b' }]"],
      actual: ['ShipOrder { order: { id: 1 } }', "[RecordShipment { id: 1 } -> SendMail { to: 'a' }]"],
    });
  });

  it('is a list and none where nothing was dispatched', () => {
    queue.reset();
    expect(sides(['assertChained', [ShipOrder, SendMail]])).toEqual({
      expected: ['ShipOrder', 'SendMail'],
      actual: [],
    });
    expect(sides(['assertBatched', [ShipOrder]])).toEqual({ expected: ['ShipOrder'], actual: [] });
  });
});

describe('fakeQueue() for a module without QueueModule', () => {
  it('says so', async () => {
    @Module({})
    class Plain {}
    let closed = 0;
    const opened = { provide: 'opened', useValue: { onApplicationShutdown: () => closed++ } };
    const builder = Test.createTestingModule({ imports: [Plain], providers: [opened] });
    await expect(fakeQueue(builder).compile()).rejects.toMatchObject({
      code: 'ERR_QUEUE_INVALID_OPTION',
      message: 'fakeQueue() found no QueueModule in the module that it was given. Import QueueModule.forRoot() there.',
    });
    expect(closed).toBe(1);
  });
});
