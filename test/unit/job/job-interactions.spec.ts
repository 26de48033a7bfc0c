/* oxlint-disable jest/expect-expect -- what a test asserts here it asserts by the job's own assertions */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  call,
  Callable,
  closure,
  InvalidOptionError,
  Job,
  JobAssertionError,
  ManuallyFailedError,
  NotAJobError,
  Queueable,
  SkipIfBatchCancelled,
  UnserializableError,
  type Dispatchable,
} from 'nestjs-queue';
import { fakeBatch, fakeJobContext, type FakeJobContext } from 'nestjs-queue/testing';
import { writeEnvelope } from '../../../lib/job/envelope-writer.js';
import { definitionOfJob } from '../../../lib/job/job-definition.js';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';

@Job()
class ShipOrder extends Queueable {
  constructor(readonly order: number = 1) {
    super();
  }
  handle(what?: (job: ShipOrder) => void): void {
    what?.(this);
  }
}

@Job()
class Charge extends Queueable {
  constructor(
    readonly cents: number,
    readonly note?: { text: string },
  ) {
    super();
  }
  handle(): void {}
}

@Job({ name: 'mail', connection: 'redis', queue: 'emails' })
class SendMail extends Queueable {
  constructor(readonly to: string) {
    super();
  }
  handle(): void {}
}

class OutOfStock extends Error {
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

class Warehouse {
  @Callable() pack(_order: number): void {}
  unmarked(): void {}
}

/** The job after its handler asked for something. */
function after(what?: (job: ShipOrder) => void): ShipOrder {
  const job = new ShipOrder().withFakeQueueInteractions();
  job.handle(what);
  return job;
}

/** What the failing assertion throws. */
function thrown(assert: () => unknown): JobAssertionError {
  try {
    assert();
  } catch (error) {
    if (error instanceof JobAssertionError) return error;
    throw error;
  }
  throw new Error('The assertion held.');
}

let warn: jest.SpiedFunction<(message: unknown) => void>;
beforeEach(() => {
  warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  warn.mockRestore();
  jest.useRealTimers();
});

describe('withFakeQueueInteractions', () => {
  it('attaches an attempt that runs nowhere', () => {
    const job = new ShipOrder();
    expect(job.context).toBeNull();
    expect(job.withFakeQueueInteractions()).toBe(job);
    expect(job.job).toBe(job.context);
    expect(job.context).toMatchObject({
      name: 'ShipOrder',
      displayName: 'ShipOrder',
      connection: 'fake',
      queue: 'default',
      attempts: 1,
      batchId: undefined,
      tags: [],
      payload: { name: 'ShipOrder', data: {} },
    });
    expect(job.context!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(job.context!.id).not.toBe(new ShipOrder().withFakeQueueInteractions().context!.id);
  });

  it('takes name and place from where a dispatch would take them', () => {
    const { name, connection, queue } = new SendMail('a').withFakeQueueInteractions().context!;
    expect({ name, connection, queue }).toEqual({ name: 'mail', connection: 'redis', queue: 'emails' });
    const said = new SendMail('a').onConnection('sqs').onQueue('slow').withFakeQueueInteractions().context!;
    expect({ connection: said.connection, queue: said.queue }).toEqual({ connection: 'sqs', queue: 'slow' });
  });

  it('has attempts that can be set, and a signal that aborts when it is told to', () => {
    const job = new ShipOrder().withFakeQueueInteractions();
    const context = job.context as FakeJobContext;
    expect(job.attempts()).toBe(1);
    context.attempts = 3;
    expect(job.attempts()).toBe(3);
    expect(job.signal.aborted).toBe(false);
    context.abort(new OutOfStock('too late'));
    expect(job.signal.aborted).toBe(true);
    expect(job.signal.reason).toEqual(new OutOfStock('too late'));
  });

  it('starts anew when it is called again', () => {
    const job = after((one) => one.release(5));
    job.withFakeQueueInteractions().assertNotReleased();
  });

  it('leaves what travels as it was', () => {
    const write = (job: object): unknown => {
      const to = { uuid: 'u', now: 0, connection: 'c', queue: 'q' };
      return writeEnvelope(job, definitionOfJob(job), to, new PayloadCodec(), []);
    };
    const [job] = new ShipOrder(7).withFakeQueueInteractions().withFakeBatch();
    job.release(5);
    job.appendToChain(new Charge(1));
    expect(Object.keys(job)).toEqual(['order']);
    expect(write(job)).toEqual(write(new ShipOrder(7)));
    expect(job).toEqual(new ShipOrder(7));
  });

  it('refuses what a worker would refuse', () => {
    const job = new ShipOrder().withFakeQueueInteractions();
    expect(() => job.release('soon')).toThrow(InvalidOptionError);
    expect(() => job.release(new Date(Number.NaN))).toThrow('release delay is an invalid Date');
    expect(() => job.fail({} as Error)).toThrow('ShipOrder: fail() was given Object. Give it a string or an Error.');
    job.assertNotReleased().assertNotFailed();
  });

  it('says in the log what a worker would ignore, as a worker does', () => {
    const job = after((one) => {
      one.release(30);
      one.fail('no stock');
    });
    expect(warn.mock.calls).toEqual([
      [`ShipOrder [${job.context!.id}]: fail() came after release() and was ignored; the first one holds.`],
    ]);
    // What was asked can be asserted all the same.
    job.assertReleased(30).assertFailedWith('no stock').assertNotDeleted();
  });

  it('has no batch of its own', async () => {
    const job = new ShipOrder().withFakeQueueInteractions();
    await expect(job.batch()).resolves.toBeNull();
    await expect(job.batching()).resolves.toBe(false);
  });
});

describe('assertions without faked interactions', () => {
  it.each([
    ['assertReleased', (job: ShipOrder) => job.assertReleased()],
    ['assertNotReleased', (job: ShipOrder) => job.assertNotReleased()],
    ['assertDeleted', (job: ShipOrder) => job.assertDeleted()],
    ['assertNotDeleted', (job: ShipOrder) => job.assertNotDeleted()],
    ['assertFailed', (job: ShipOrder) => job.assertFailed()],
    ['assertNotFailed', (job: ShipOrder) => job.assertNotFailed()],
    ['assertFailedWith', (job: ShipOrder) => job.assertFailedWith('x')],
  ])('%s says what is missing', (_name, assert) => {
    expect(thrown(() => assert(new ShipOrder())).message).toBe(
      'Queue interactions have not been faked. Call withFakeQueueInteractions() on the ShipOrder before its handler runs.',
    );
  });

  it('a fake batch alone does not fake them', () => {
    const [job] = new ShipOrder().withFakeBatch();
    job.release(30);
    expect(job.context).toBeNull();
    expect(thrown(() => job.assertReleased()).message).toMatch(/^Queue interactions have not been faked\./);
  });
});

describe('assertReleased', () => {
  it('holds for a release, with any delay or the very one', () => {
    after((job) => job.release())
      .assertReleased()
      .assertReleased(0);
    after((job) => job.release(30))
      .assertReleased()
      .assertReleased(30)
      .assertReleased('30s')
      .assertReleased('0.5m');
    after((job) => job.release('500ms')).assertReleased(0.5);
    after((job) => job.release(-5)).assertReleased(0);
  });

  it('counts a Date in whole seconds from now', () => {
    jest.useFakeTimers({ now: new Date('2030-01-01T00:00:00.300Z') });
    after((job) => job.release(new Date('2030-01-01T00:00:30Z'))).assertReleased(30);
    after((job) => job.release(new Date('2020-01-01'))).assertReleased(0);
  });

  it('says what happened instead', () => {
    expect(thrown(() => after().assertReleased()).message).toBe(
      'The [ShipOrder] job was expected to be released, and was not: nothing was asked of it.',
    );
    expect(thrown(() => after((job) => job.delete()).assertReleased()).message).toBe(
      'The [ShipOrder] job was expected to be released, and was not: it was deleted.',
    );
    expect(thrown(() => after((job) => job.fail('no stock')).assertReleased(30)).message).toBe(
      'The [ShipOrder] job was expected to be released with 30 s of delay, and was not: it failed with ManuallyFailedError: no stock.',
    );
    expect(thrown(() => after((job) => job.release(10)).assertReleased('30s')).message).toBe(
      'The [ShipOrder] job was expected to be released with 30 s of delay, and was released with 10 s of delay.',
    );
    expect(thrown(() => after((job) => job.release()).assertReleased(1.5)).message).toBe(
      'The [ShipOrder] job was expected to be released with 1.5 s of delay, and was released without delay.',
    );
    expect(thrown(() => after((job) => job.release(1)).assertReleased(0)).message).toBe(
      'The [ShipOrder] job was expected to be released without delay, and was released with 1 s of delay.',
    );
  });

  it('gives both delays, in seconds, to runners that show a difference', () => {
    const error = thrown(() => after((job) => job.release(10)).assertReleased('1m'));
    expect(error).toMatchObject({ expected: 60, actual: 10, code: 'ERR_QUEUE_JOB_ASSERTION' });
    expect(thrown(() => after().assertReleased(1))).not.toHaveProperty('actual');
  });

  it('refuses a delay that is none', () => {
    expect(() => after((job) => job.release(1)).assertReleased('soon')).toThrow(InvalidOptionError);
  });
});

describe('assertNotReleased', () => {
  it('holds for a job that was not', () => {
    after().assertNotReleased();
    after((job) => job.fail()).assertNotReleased();
  });

  it('says that it was', () => {
    expect(thrown(() => after((job) => job.release('1m')).assertNotReleased()).message).toBe(
      'The [ShipOrder] job was not expected to be released, and was released with 60 s of delay.',
    );
  });
});

describe('assertDeleted and assertNotDeleted', () => {
  it('hold', () => {
    after((job) => job.delete()).assertDeleted();
    after().assertNotDeleted();
    after((job) => job.fail('x')).assertNotDeleted();
  });

  it('say what happened', () => {
    expect(thrown(() => after().assertDeleted()).message).toBe(
      'The [ShipOrder] job was expected to be deleted, and was not: nothing was asked of it.',
    );
    expect(thrown(() => after((job) => job.fail(new OutOfStock('none left'))).assertDeleted()).message).toBe(
      'The [ShipOrder] job was expected to be deleted, and was not: it failed with OutOfStock: none left.',
    );
    expect(thrown(() => after((job) => job.delete()).assertNotDeleted()).message).toBe(
      'The [ShipOrder] job was not expected to be deleted, and was deleted.',
    );
  });
});

describe('assertFailed and assertNotFailed', () => {
  it('hold', () => {
    after((job) => job.fail()).assertFailed();
    after((job) => job.fail('no stock')).assertFailed();
    after().assertNotFailed();
    after((job) => job.release()).assertNotFailed();
  });

  it('say what happened', () => {
    expect(thrown(() => after().assertFailed()).message).toBe(
      'The [ShipOrder] job was expected to fail, and did not: nothing was asked of it.',
    );
    const both = after((job) => {
      job.delete();
      job.release(3);
    });
    expect(thrown(() => both.assertFailed()).message).toBe(
      'The [ShipOrder] job was expected to fail, and did not: it was deleted, then was released with 3 s of delay.',
    );
    expect(thrown(() => after((job) => job.fail()).assertNotFailed()).message).toBe(
      'The [ShipOrder] job was not expected to fail, and failed with ManuallyFailedError: ShipOrder was failed by hand.',
    );
  });
});

describe('assertFailedWith', () => {
  it('a text is the message of whatever error was given', () => {
    after((job) => job.fail('no stock')).assertFailedWith('no stock');
    after((job) => job.fail(new OutOfStock('no stock'))).assertFailedWith('no stock');
  });

  it('a pattern fits the message, each time anew', () => {
    const pattern = /stock/g;
    after((job) => job.fail('no stock'))
      .assertFailedWith(pattern)
      .assertFailedWith(pattern);
  });

  it('a class has the error as an instance', () => {
    after((job) => job.fail(new OutOfStock('x')))
      .assertFailedWith(OutOfStock)
      .assertFailedWith(Error);
    after((job) => job.fail('x')).assertFailedWith(ManuallyFailedError);
    after((job) => job.fail()).assertFailedWith(ManuallyFailedError);
  });

  it('an error has the same class, message and code', () => {
    after((job) => job.fail(new OutOfStock('x', 'E1'))).assertFailedWith(new OutOfStock('x', 'E1'));
    after((job) => job.fail('x')).assertFailedWith(new ManuallyFailedError('x'));
  });

  it('says what it failed with', () => {
    const job = after((one) => one.fail(new OutOfStock('none left', 'E1')));
    expect(thrown(() => after().assertFailedWith('x')).message).toBe(
      'The [ShipOrder] job was expected to fail with the message "x", and did not: nothing was asked of it.',
    );
    expect(thrown(() => after((one) => one.release(2)).assertFailedWith(OutOfStock)).message).toBe(
      'The [ShipOrder] job was expected to fail with an instance of OutOfStock, and did not: it was released with 2 s of delay.',
    );
    expect(thrown(() => job.assertFailedWith('none')).message).toBe(
      'The [ShipOrder] job was expected to fail with the message "none", and failed with OutOfStock: none left.',
    );
    expect(thrown(() => job.assertFailedWith(/^left/)).message).toBe(
      'The [ShipOrder] job was expected to fail with a message that matches /^left/, and failed with OutOfStock: none left.',
    );
    expect(thrown(() => job.assertFailedWith(RangeError)).message).toBe(
      'The [ShipOrder] job was expected to fail with an instance of RangeError, and failed with OutOfStock: none left.',
    );
    expect(thrown(() => job.assertFailedWith(new Error('none left'))).message).toBe(
      'The [ShipOrder] job was expected to fail with Error: none left, and failed with OutOfStock: none left (code "E1").',
    );
    expect(thrown(() => job.assertFailedWith(new OutOfStock('none left', 'E2'))).message).toBe(
      'The [ShipOrder] job was expected to fail with OutOfStock: none left (code "E2"), and failed with OutOfStock: none left (code "E1").',
    );
    expect(thrown(() => job.assertFailedWith(new OutOfStock('none', 'E1'))).message).toBe(
      'The [ShipOrder] job was expected to fail with OutOfStock: none (code "E1"), and failed with OutOfStock: none left (code "E1").',
    );
  });

  it('gives both sides to runners that show a difference', () => {
    const job = after((one) => one.fail(new OutOfStock('none left', 'E1')));
    expect(thrown(() => job.assertFailedWith('none'))).toMatchObject({ expected: 'none', actual: 'none left' });
    expect(thrown(() => job.assertFailedWith(RangeError))).toMatchObject({
      expected: 'an instance of RangeError',
      actual: 'OutOfStock: none left',
    });
  });

  it.each([undefined, null, 5, {}, () => true])('refuses %p', (given) => {
    const job = after((one) => one.fail('x'));
    expect(() => job.assertFailedWith(given as unknown as string)).toThrow(
      /^assertFailedWith\(\) was given .* Give it a message, a RegExp, an error, or a class of errors\.$/,
    );
  });
});

describe('assertHasChain', () => {
  it('holds for what chain() said, by class or with the same data', () => {
    const job = new ShipOrder().chain([new Charge(5, { text: 'a' }), new SendMail('a')]);
    job
      .assertHasChain([Charge, SendMail])
      .assertHasChain([new Charge(5, { text: 'a' }), SendMail])
      .assertHasChain([Queueable, new SendMail('a').onQueue('other')]);
  });

  it('counts what the handler puts before and behind it', () => {
    const job = new ShipOrder().chain([new Charge(1)]).withFakeQueueInteractions();
    job.prependToChain([new SendMail('2'), false, new SendMail('3')]);
    job.prependToChain(new SendMail('1'));
    job.appendToChain(new Charge(2));
    job.appendToChain([new Charge(3)]);
    job.assertHasChain([
      new SendMail('1'),
      new SendMail('2'),
      new SendMail('3'),
      new Charge(1),
      new Charge(2),
      new Charge(3),
    ]);
    const { prepended, appended } = job.context as FakeJobContext;
    expect(prepended).toEqual([new SendMail('1'), new SendMail('2'), new SendMail('3')]);
    expect(appended).toEqual([new Charge(2), new Charge(3)]);
  });

  it('knows calls and closures by what they do', () => {
    const ship = (values: { id: number }): number => values.id;
    const job = new ShipOrder().chain([call(Warehouse, 'pack', 1), closure({ id: 1 }, ship)]);
    job.assertHasChain([call(Warehouse, 'pack', 1), closure({ id: 1 }, ship)]);
    thrown(() => job.assertHasChain([call(Warehouse, 'pack', 1), closure({ id: 1 }, ({ id }) => id + 1)]));
    expect(thrown(() => job.assertHasChain([call(Warehouse, 'pack', 2), closure({ id: 1 }, ship)])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. Warehouse.pack(2)   <--',
        '  2. ship - Closure { id: 1 }',
        'Actual:',
        '  1. Warehouse.pack(1)   <--',
        '  2. ship - Closure { id: 1 }',
      ].join('\n'),
    );
    expect(thrown(() => job.assertHasChain([call(Warehouse, 'pack', 1), closure({ id: 2 }, ship)])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. Warehouse.pack(1)',
        '  2. ship - Closure { id: 2 }   <--',
        'Actual:',
        '  1. Warehouse.pack(1)',
        '  2. ship - Closure { id: 1 }   <--',
      ].join('\n'),
    );
  });

  it('takes length and order exactly', () => {
    const job = new ShipOrder().chain([new Charge(5), new SendMail('a')]);
    expect(thrown(() => job.assertHasChain([SendMail, Charge])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. any SendMail   <--',
        '  2. any Charge',
        'Actual:',
        '  1. Charge { cents: 5 }   <--',
        "  2. SendMail { to: 'a' }",
      ].join('\n'),
    );
    expect(thrown(() => job.assertHasChain([Charge])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. any Charge',
        'Actual:',
        '  1. Charge { cents: 5 }',
        "  2. SendMail { to: 'a' }   <--",
      ].join('\n'),
    );
    expect(thrown(() => job.assertHasChain([Charge, SendMail, Charge])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. any Charge',
        '  2. any SendMail',
        '  3. any Charge   <--',
        'Actual:',
        '  1. Charge { cents: 5 }',
        "  2. SendMail { to: 'a' }",
      ].join('\n'),
    );
    expect(thrown(() => job.assertHasChain([new Charge(6), SendMail])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. Charge { cents: 6 }   <--',
        '  2. any SendMail',
        'Actual:',
        '  1. Charge { cents: 5 }   <--',
        "  2. SendMail { to: 'a' }",
      ].join('\n'),
    );
    expect(thrown(() => new ShipOrder().assertHasChain([Charge])).message).toBe(
      [
        'The [ShipOrder] job does not have the expected chain.',
        'Expected:',
        '  1. any Charge   <--',
        'Actual:',
        '  (nothing)',
      ].join('\n'),
    );
  });

  it('gives both chains to runners that show a difference', () => {
    const job = new ShipOrder().chain([new Charge(5)]);
    expect(thrown(() => job.assertHasChain([SendMail]))).toMatchObject({
      expected: ['any SendMail'],
      actual: ['Charge { cents: 5 }'],
    });
  });

  it('does not look at policies, which may be functions', () => {
    @Job()
    class Own extends Queueable {
      tries = 3;
      tags = () => ['a'];
      constructor(readonly id: number) {
        super();
      }
      handle(): void {}
    }
    const job = new ShipOrder().chain([new Own(1)]);
    job.assertHasChain([new Own(1)]);
    expect(thrown(() => job.assertHasChain([new Own(2)])).message).toContain('1. Own { id: 2 }   <--');
  });

  it('tells a subclass from its parent where an instance is expected', () => {
    @Job()
    class Refund extends Charge {}
    const job = new ShipOrder().chain([new Refund(5)]);
    job.assertHasChain([Charge]).assertHasChain([new Refund(5)]);
    thrown(() => job.assertHasChain([new Charge(5)]));
  });

  it('an empty list is no expectation', () => {
    expect(() => new ShipOrder().assertHasChain([])).toThrow(
      'assertHasChain() needs a list of at least one class or instance. For a job without a chain use assertDoesntHaveChain().',
    );
  });
});

describe('assertDoesntHaveChain', () => {
  it('holds for a job that nothing follows', () => {
    new ShipOrder().assertDoesntHaveChain();
    after((job) => job.prependToChain([])).assertDoesntHaveChain();
  });

  it('says what follows', () => {
    const job = new ShipOrder().chain([new Charge(5), new SendMail('a')]);
    expect(thrown(() => job.assertDoesntHaveChain()).message).toBe(
      "The [ShipOrder] job was not expected to have a chain, and is followed by Charge { cents: 5 }, SendMail { to: 'a' }.",
    );
    thrown(() => after((one) => one.appendToChain(new Charge(1))).assertDoesntHaveChain());
  });
});

describe('what a handler puts into its chain', () => {
  const put = (jobs: unknown, verb: 'prependToChain' | 'appendToChain' = 'prependToChain') => {
    const job = new ShipOrder().withFakeQueueInteractions();
    return { job, put: () => job[verb](jobs as Dispatchable) };
  };

  it.each(['prependToChain', 'appendToChain'] as const)(
    '%s refuses what could not travel, and adds nothing',
    (verb) => {
      const one = put([new Charge(1), new Charge(2, new Warehouse() as never)], verb);
      expect(one.put).toThrow(UnserializableError);
      expect(one.put).toThrow(/^Step number 1 of the chain: Charge\.note is a Warehouse\./);
      one.job.assertDoesntHaveChain();
    },
  );

  it('refuses what is no job', () => {
    class NoJob {}
    expect(put([new NoJob()]).put).toThrow(NotAJobError);
    expect(put(() => undefined).put).toThrow(NotAJobError);
    expect(put(call(Warehouse, 'unmarked')).put).toThrow('Warehouse.unmarked is not marked as callable');
  });

  it('refuses policies that cannot be', () => {
    expect(put(new Charge(1).delay('soon')).put).toThrow('Charge: delay is "soon"');
    expect(put(Object.assign(new Charge(1), { tries: -1 })).put).toThrow('Charge.tries');
    expect(put(new Charge(1).through([{ handle: async () => undefined }])).put).toThrow('cannot travel with the job');
    put(new Charge(1).delay(5).through([new SkipIfBatchCancelled()])).put();
  });

  it('looks into the chains of the steps', () => {
    const step = new Charge(1);
    step.chain([new Charge(2), step]);
    expect(put(step).put).toThrow(
      'Step number 0 of the chain: Step number 1 of the chain: Charge is a step of its own chain.',
    );
  });

  it('takes entities by their decorators, without a DataSource', async () => {
    const { Column, Entity, PrimaryGeneratedColumn } = await import('typeorm');
    @Entity()
    class Order {
      @PrimaryGeneratedColumn() id!: number;
      @Column('varchar') name!: string;
    }
    @Job()
    class Bill extends Queueable {
      constructor(readonly order: Order) {
        super();
      }
      handle(): void {}
    }
    const { job, put: append } = put(new Bill(Object.assign(new Order(), { id: 1 })));
    append();
    job.assertHasChain([new Bill(Object.assign(new Order(), { id: 1 }))]);
  });
});

describe('fakeJobContext', () => {
  it('stands for the context of a job without Queueable', async () => {
    const handle = async (context: FakeJobContext): Promise<void> => {
      if ((await context.batch())?.cancelled()) context.delete();
      else if (context.attempts > 2) context.fail('gave up');
      else context.release(context.attempts * 10);
    };
    const second = fakeJobContext({ attempts: 2 });
    await handle(second);
    second.assertReleased(20).assertNotFailed().assertNotDeleted();

    const third = fakeJobContext({ attempts: 3, name: 'Import' });
    await handle(third);
    third.assertFailedWith('gave up').assertFailed().assertNotReleased();
    expect(thrown(() => third.assertDeleted()).message).toBe(
      'The [Import] job was expected to be deleted, and was not: it failed with ManuallyFailedError: gave up.',
    );

    const cancelled = fakeJobContext({ batch: fakeBatch({ cancelledAt: new Date() }) });
    await handle(cancelled);
    cancelled.assertDeleted();
  });

  it('takes what it is given', () => {
    const error = new Error('before');
    const batch = fakeBatch();
    const given = {
      id: 'a',
      name: 'n',
      displayName: 'd',
      connection: 'c',
      queue: 'q',
      attempts: 4,
      tags: ['t'],
      error,
    };
    expect(fakeJobContext({ ...given, batch })).toMatchObject({ ...given, batchId: batch.id });
  });
});
