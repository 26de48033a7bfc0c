import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  call,
  Callable,
  Job,
  Queueable,
  QueueBus,
  QueueModule,
  SkipIfBatchCancelled,
  WorkerService,
  type Dispatchable,
  type Moment,
} from 'nestjs-queue';

class Warehouse {
  @Callable() pack(_order: number): void {}
  unmarked(): void {}
}
class Socket {}

@Job()
class Step extends Queueable {
  constructor(readonly carries: unknown = 1) {
    super();
  }
  handle(): void {}
}
class NoJob extends Queueable {
  handle(): void {}
}
@Job()
class BadTries extends Step {
  tries = -1;
}

/** What a handler may hand over: what a fake takes, and what it says of the rest, is what a worker does. */
const STEPS: Readonly<Record<string, () => unknown>> = {
  'a job': () => new Step(),
  'several, empty ones left out': () => [new Step(1), null, new Step(2)],
  nothing: () => [],
  'a call': () => call(Warehouse, 'pack', 1),
  'a job with a chain of its own': () => new Step().chain([new Step(2)]),
  'a job with a delay and middleware': () => new Step().delay('5m').through([new SkipIfBatchCancelled()]),
  'dates, maps and sets': () => new Step({ at: new Date(), seen: new Set([1]), by: new Map([[1, 2n]]) }),
  'what cannot travel': () => [new Step(), new Step({ deep: [new Socket()] })],
  'a function inside': () => new Step({ encode: () => 1 }),
  'what cannot travel, in the chain of a step': () => new Step().chain([new Step(Symbol('x'))]),
  'a circle': () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return new Step(circle);
  },
  'a class': () => Step,
  'a function': () => () => undefined,
  'a plain object': () => ({ handle: () => undefined }),
  'no job': () => new NoJob(),
  'a text': () => 'Step',
  'a call of a method that is not marked': () => call(Warehouse, 'unmarked'),
  'a policy that cannot be': () => new BadTries(),
  'a delay that is none': () => new Step().delay('soon'),
  'middleware that cannot travel': () => new Step().through([{ handle: async (_job, next) => next() }]),
  'a step of its own chain': () => {
    const step = new Step();
    return step.chain([new Step(2), step]);
  },
};

const DELAYS: Readonly<Record<string, () => unknown>> = {
  none: () => undefined,
  seconds: () => 30,
  'a text': () => '90s',
  'less than nothing': () => -5,
  'a moment that is past': () => new Date(0),
  'no unit': () => '90',
  'not a number': () => Number.NaN,
  'no moment': () => new Date(Number.NaN),
  'a truth value': () => true,
};

const FAILURES: Readonly<Record<string, () => unknown>> = {
  none: () => undefined,
  'a text': () => 'no stock',
  'an error': () => new RangeError('no stock'),
  'a number': () => 5,
  'an object': () => ({ message: 'no stock' }),
};

const TABLES = { prepend: STEPS, append: STEPS, add: STEPS, release: DELAYS, fail: FAILURES };
type Verb = keyof typeof TABLES;

/** By what was asked: a worker may run an earlier job again. */
const said = new Map<string, string>();

@Job()
class Asks extends Queueable {
  constructor(
    readonly verb: Verb,
    readonly row: string,
  ) {
    super();
  }
  async handle(): Promise<void> {
    const given = TABLES[this.verb][this.row]!();
    try {
      if (this.verb === 'prepend') this.prependToChain(given as Dispatchable);
      else if (this.verb === 'append') this.appendToChain(given as Dispatchable);
      else if (this.verb === 'release') this.release(given as Moment);
      else if (this.verb === 'fail') this.fail(given as Error);
      else await (await this.batch())!.add((Array.isArray(given) ? given : [given]) as Dispatchable[]);
      said.set(`${this.verb} ${this.row}`, 'taken');
    } catch (error) {
      said.set(`${this.verb} ${this.row}`, `${(error as Error).name}: ${(error as Error).message}`);
    }
  }
}

let moduleRef: TestingModule;
beforeAll(async () => {
  moduleRef = await Test.createTestingModule({
    imports: [QueueModule.forRoot({ default: 'memory', batching: { driver: 'memory' } })],
    providers: [Asks, Step, BadTries, Warehouse],
  }).compile();
  moduleRef.useLogger(false);
  await moduleRef.init();
});
afterAll(() => moduleRef.close());

async function inAWorker(verb: Verb, row: string): Promise<string | undefined> {
  said.clear();
  const bus = moduleRef.get(QueueBus);
  await (verb === 'add' ? bus.batch([new Asks(verb, row)]).dispatch() : bus.dispatch(new Asks(verb, row)));
  const worker = moduleRef.get(WorkerService);
  while (!said.has(`${verb} ${row}`) && (await worker.runNextJob())) {
    // What earlier rows have put behind their jobs runs first.
  }
  return said.get(`${verb} ${row}`);
}

async function faked(verb: Verb, row: string): Promise<string | undefined> {
  said.clear();
  const [job] = new Asks(verb, row).withFakeQueueInteractions().withFakeBatch();
  await job.handle();
  return said.get(`${verb} ${row}`);
}

const rows = (verb: Verb): [Verb, string][] => Object.keys(TABLES[verb]).map((row) => [verb, row]);

describe('a fake takes what a worker takes, and refuses the rest in the same words', () => {
  it.each([...rows('prepend'), ...rows('append'), ...rows('add'), ...rows('release'), ...rows('fail')])(
    '%s: %s',
    async (verb, row) => {
      const real = await inAWorker(verb, row);
      expect(real).toMatch(/^(taken|\w+Error: .+)$/);
      expect(await faked(verb, row)).toBe(real);
    },
  );
});
