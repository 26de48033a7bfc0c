import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  call,
  Callable,
  closure,
  Job,
  JobQueued,
  JobQueueing,
  Queueable,
  QueueBus,
  QueueManager,
  RateLimited,
  UniqueJobSkipped,
  type JobMiddleware,
  type QueueableJob,
} from 'nestjs-queue';
import { fakeQueue } from 'nestjs-queue/testing';
import {
  appOf,
  Carry,
  ChargeCard,
  Declined,
  ImportRates,
  Loud,
  NoJob,
  Podcasts,
  Rebuild,
  RecordShipment,
  Reindex,
  SendMail,
  ShipOrder,
  skipping,
} from './fake-jobs.js';

interface Target {
  readonly bus: QueueBus;
  readonly manager: QueueManager;
}
type Input = readonly [string, (target: Target) => unknown];

const order = (id: number) => new ShipOrder({ id });
const loose = (value: unknown): QueueableJob => value as QueueableJob;
const big = 'x'.repeat(40_000);
class Socket {
  readonly open = true;
}
@Job()
class Unlisted extends Queueable {
  handle(): void {}
}
class Elsewhere {
  @Callable() publish(): void {}
}

const INPUTS: readonly Input[] = [
  ['a job', ({ bus }) => bus.dispatch(order(1))],
  ['a job that says where to', ({ bus }) => bus.dispatch(order(1)).onQueue('high').onConnection('other')],
  ['a job that says so itself', ({ bus }) => bus.dispatch(order(1).onQueue('high').onConnection('other').delay('5m'))],
  ['a delay in seconds', ({ bus }) => bus.dispatch(order(1)).delay(30)],
  ['a moment that is past', ({ bus }) => bus.dispatch(order(1)).delay(new Date(0))],
  ['a delay that is none', ({ bus }) => bus.dispatch(order(1)).delay('soon')],
  ['a delay that is no number', ({ bus }) => bus.dispatch(order(1)).delay(NaN)],
  ['a moment that is none', ({ bus }) => bus.dispatch(order(1)).delay(new Date(NaN))],
  ['an unknown connection', ({ bus }) => bus.dispatch(order(1)).onConnection('nowhere')],
  ['a job with an unknown connection', ({ bus }) => bus.dispatch(order(1).onConnection('nowhere'))],
  ['a queue that cannot be', ({ bus }) => bus.dispatch(order(1)).onQueue('no spaces')],
  ['an empty queue name', ({ bus }) => bus.dispatch(order(1)).onQueue('')],
  ['what is no job', ({ bus }) => bus.dispatch(loose(new NoJob()))],
  ['a class', ({ bus }) => bus.dispatch(loose(ShipOrder))],
  ['a plain object', ({ bus }) => bus.dispatch(loose({ handle() {} }))],
  ['nothing', ({ bus }) => bus.dispatch(loose(null))],
  ['a body that cannot travel', ({ bus }) => bus.dispatch(new Carry({ user: { socket: new Socket() } }))],
  ['a function among the fields', ({ bus }) => bus.dispatch(new Carry({ next: [() => 1] }))],
  ['a symbol', ({ bus }) => bus.dispatch(new Carry(Symbol('x')))],
  ['a body full of types', ({ bus }) => bus.dispatch(new Carry([new Date(0), new Map([[1, 2n]]), new Set([NaN])]))],
  ['a body that is too large', ({ bus }) => bus.dispatch(new Carry(big))],
  ['a body that is too large, elsewhere', ({ bus }) => bus.dispatch(new Carry(big)).onConnection('other')],
  ['a body that is too large, in process', ({ bus }) => bus.dispatch(new Carry(big)).onConnection('null')],
  ['an encrypted job', ({ bus }) => bus.dispatch(new ChargeCard('4111'))],
  ['a job that declines', ({ bus }) => bus.dispatch(new Declined())],
  ['middleware that travels', ({ bus }) => bus.dispatch(order(1).through([skipping(), new RateLimited('orders')]))],
  ['middleware that does not', ({ bus }) => bus.dispatch(order(1).through([new Loud() as JobMiddleware]))],
  ['what is no middleware', ({ bus }) => bus.dispatch(order(1).through(['x' as unknown as JobMiddleware]))],
  ['a unique job', ({ bus }) => bus.dispatch(new ImportRates('monday'))],
  ['the same once more', ({ bus }) => bus.dispatch(new ImportRates('monday'))],
  ['another of its kind', ({ bus }) => bus.dispatch(new ImportRates('tuesday')).delay(60)],
  ['two at once', ({ bus }) => Promise.all([bus.dispatch(new Rebuild()), bus.dispatch(new Rebuild())])],
  ['a unique job where jobs are forgotten', ({ bus }) => bus.dispatch(new ImportRates('friday')).onConnection('null')],
  ['that once more', ({ bus }) => bus.dispatch(new ImportRates('friday')).onConnection('null')],
  ['a debounced job', ({ bus }) => bus.dispatch(new Reindex(1))],
  ['a newer one', ({ bus }) => bus.dispatch(new Reindex(1))],
  ['a condition that does not hold', ({ bus }) => bus.dispatchIf(false, order(1))],
  ['within something', ({ bus }) => bus.dispatch(order(1)).within({} as never)],
  ['within nothing', ({ bus }) => bus.dispatch(order(1)).within(null as never)],
  ['after a commit', ({ bus }) => bus.dispatch(order(1)).afterCommit()],
  ['a bulk', ({ bus }) => bus.bulk([order(1), new SendMail('a'), order(2).onConnection('other')])],
  ['an empty bulk', ({ bus }) => bus.bulk([])],
  ['a bulk with a unique job twice', ({ bus }) => bus.bulk([new ImportRates('a'), new ImportRates('a'), order(1)])],
  ['a bulk with one that cannot travel', ({ bus }) => bus.bulk([order(1), new Carry(new Socket())])],
  ['a bulk with one that is too large', ({ bus }) => bus.bulk([order(1), new Carry(big)])],
  ['a bulk with one that is none', ({ bus }) => bus.bulk([order(1), loose('x')])],
  ['a chain', ({ bus }) => bus.chain([order(1), new SendMail('a'), new RecordShipment(1)]).dispatch()],
  ['an empty chain', ({ bus }) => bus.chain([]).dispatch()],
  ['a chain with a step that cannot travel', ({ bus }) => bus.chain([order(1), new Carry(() => 1)]).dispatch()],
  ['a chain with a step that is no job', ({ bus }) => bus.chain([order(1), loose(new NoJob())]).dispatch()],
  [
    'a chain on an unknown connection',
    ({ bus }) =>
      bus
        .chain([order(1)])
        .onConnection('nowhere')
        .dispatch(),
  ],
  ['a chain whose step is for one', ({ bus }) => bus.chain([order(1), order(2).onConnection('nowhere')]).dispatch()],
  ['a chain with its head locked', ({ bus }) => bus.chain([new ImportRates('monday'), order(1)]).dispatch()],
  ['a chain with a batch in it', ({ bus }) => bus.chain([order(1), bus.batch([order(2)]), order(3)]).dispatch()],
  [
    'a job with a chain',
    ({ bus }) =>
      bus
        .dispatch(order(1))
        .chain([new SendMail('a')])
        .catch(new SendMail('b')),
  ],
  ['a job within its own chain', ({ bus }) => own(bus)],
  [
    'a batch',
    ({ bus }) =>
      bus
        .batch([order(1), [new SendMail('a'), order(2)]])
        .name('all')
        .onQueue('b')
        .dispatch(),
  ],
  ['an empty batch', ({ bus }) => bus.batch([]).dispatch()],
  [
    'a batch with callbacks',
    ({ bus }) =>
      bus
        .batch([order(1)])
        .before(order(2))
        .then(order(3))
        .dispatch(),
  ],
  [
    'a batch on an unknown connection',
    ({ bus }) =>
      bus
        .batch([order(1)])
        .onConnection('nowhere')
        .dispatch(),
  ],
  ['a batch with a member that cannot travel', ({ bus }) => bus.batch([order(1), new Carry(() => 1)]).dispatch()],
  ['a batch with a member that is too large', ({ bus }) => bus.batch([order(1), new Carry(big)]).dispatch()],
  [
    'a batch with a queue that cannot be',
    ({ bus }) =>
      bus
        .batch([order(1)])
        .onQueue('no spaces')
        .dispatch(),
  ],
  [
    'a batch with a callback that is none',
    ({ bus }) =>
      bus
        .batch([order(1)])
        .finally(loose(3))
        .dispatch(),
  ],
  ['a batch after the response', ({ bus }) => bus.batch([order(1)]).dispatchAfterResponse()],
  ['a call', ({ bus }) => bus.dispatch(call(Podcasts, 'publish', 1, 'x'))],
  ['a call of what is not marked', ({ bus }) => bus.dispatch(call(Podcasts, 'secret'))],
  ['a call of a job', ({ bus }) => bus.dispatch(call(ShipOrder, 'handle'))],
  ['a function for a queue', ({ bus }) => bus.dispatch(() => 1)],
  ['a closure for a queue', ({ bus }) => bus.dispatch(closure({ id: 1 }, ({ id }) => id))],
  ['a closure without values', () => closure(null as never, () => 1)],
  ['in this process, what cannot travel', ({ bus }) => bus.dispatchSync(new Carry(new Socket()))],
  ['in this process, what is no job', ({ bus }) => bus.dispatchSync(loose(new NoJob()))],
  ['after the response, what cannot travel', ({ bus }) => bus.dispatchAfterResponse(new Carry(new Socket()))],
  ['in this process, a job that no module lists', ({ bus }) => bus.dispatchSync(new Unlisted())],
  ['in this process, a call that no provider takes', ({ bus }) => bus.dispatchSync(loose(call(Elsewhere, 'publish')))],
  ['a job that no module lists, for a queue', ({ bus }) => bus.dispatch(new Unlisted())],
  ['a batch that there is not', ({ bus }) => bus.findBatch('none')],
  ['a prune of nothing sensible', ({ bus }) => bus.pruneBatches({ hours: -1 })],
  ['a text', async ({ manager }) => typeof (await manager.connection().pushRaw('{}'))],
  ['what is no text', ({ manager }) => manager.connection().pushRaw(1 as never)],
  [
    'the size of a queue',
    async ({ manager }) => ({ ...(await manager.connection().size('emails')), oldestPendingAt: 0 }),
  ],
];

function own(bus: QueueBus): PromiseLike<unknown> {
  const one = order(1);
  return bus.dispatch(one).chain([one]);
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const MOMENT = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

/** What came of an input, without what is new each time. */
async function outcome([, dispatch]: Input, target: Target): Promise<string> {
  try {
    const answer = JSON.stringify(await dispatch(target)) ?? 'undefined';
    return answer.replace(UUID, 'ID').replace(MOMENT, 'MOMENT');
  } catch (error) {
    const { name, message, code, path } = error as Error & { code?: string; path?: string };
    return `${name} ${code} ${path ?? ''} ${message}`.replace(UUID, 'ID');
  }
}

describe.each(['memory', 'database'] as const)('the real bus on %s and the fake', (connection) => {
  const modules: TestingModule[] = [];
  const targets: Target[] = [];
  const told: string[][] = [[], []];
  let raised = 0;

  beforeAll(async () => {
    const dataSource = { type: 'better-sqlite3', database: ':memory:' };
    const options = {
      default: connection,
      maxPayload: 30_000,
      connections: {
        other: { driver: 'memory' as const },
        database: { driver: 'database' as const, dataSource },
      },
    };
    for (const fake of [false, true]) {
      const builder = Test.createTestingModule(appOf(options));
      const moduleRef = await (fake ? fakeQueue(builder) : builder).compile();
      await moduleRef.init();
      modules.push(moduleRef);
      const manager = moduleRef.get(QueueManager);
      targets.push({ bus: moduleRef.get(QueueBus), manager });
      const note = (event: { readonly constructor: Function; readonly job: object }): void =>
        void told[fake ? 1 : 0]!.push(`${event.constructor.name} ${event.job.constructor.name}`);
      manager.on(JobQueueing, note);
      manager.on(JobQueued, note);
      manager.on(UniqueJobSkipped, note);
    }
  });
  afterAll(() => Promise.all(modules.map((one) => one.close())));

  it.each(INPUTS)('answer alike to %s', async (...input) => {
    const [real, fake] = targets;
    const expected = await outcome(input, real!);
    await real!.bus.flush();
    expect(await outcome(input, fake!)).toBe(expected);
    await fake!.bus.flush();
    // Trips to two stores end in any order.
    const [heard, ofFake] = told.map((events) => events.splice(0).sort());
    expect(ofFake).toEqual(heard);
    raised += heard!.length;
  });

  it('are told apart by nothing but what they refuse', () => {
    expect(INPUTS.length).toBeGreaterThanOrEqual(25);
    expect(raised).toBeGreaterThan(30);
  });
});
