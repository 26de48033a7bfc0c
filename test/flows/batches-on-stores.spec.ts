import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  BatchCancelled,
  BatchFinishedError,
  call,
  Callable,
  DebounceFor,
  Job,
  Middleware,
  Queueable,
  SkipIfBatchCancelled,
  Tries,
  Unique,
  type Batch,
  type PendingBatch,
} from 'nestjs-queue';
import { onStores } from './on-stores.js';
import { closeApps, openApp, type Opened } from './open-app.js';

/** What jobs and callbacks did, in their order. */
let ran: string[] = [];
let failing = new Set<string>();
let during: Record<string, (job: Step) => unknown> = {};

abstract class Labelled extends Queueable {
  constructor(readonly label: string) {
    super();
  }
}

@Job()
@Tries(1)
class Step extends Labelled {
  async handle(): Promise<void> {
    ran.push(this.label);
    await during[this.label]?.(this);
    if (failing.has(this.label)) throw new RangeError(`${this.label} is broken`);
  }
}

@Job()
@Tries(2)
class Again extends Step {}

@Job()
@Middleware(SkipIfBatchCancelled)
class Considerate extends Labelled {
  handle(): void {
    ran.push(this.label);
  }
}

@Job()
@Unique()
class Only extends Labelled {
  handle(): void {
    ran.push(this.label);
  }
}

@Job()
@DebounceFor('1h')
class Late extends Labelled {
  handle(): void {
    ran.push(this.label);
  }
}

/** A callback: what it is, the batch's counts, and why. */
@Job()
class Back extends Labelled {
  async handle(): Promise<void> {
    const { totalJobs, pendingJobs, failedJobs } = (await this.batch())!;
    const { error, queue } = this.context!;
    const why = error instanceof Error ? ` ${error.name}: ${error.message}` : '';
    const where = queue === 'default' ? '' : ` on ${queue}`;
    ran.push(`${this.label}(${totalJobs},${pendingJobs},${failedJobs}${why})${where}`);
    if (failing.has(this.label)) throw new Error('a callback is broken');
  }
}

@Injectable()
class Desk {
  @Callable() note(what: string): void {
    ran.push(`called ${what}`);
  }
}

const providers = [Step, Again, Considerate, Only, Late, Back, Desk];

beforeEach(() => {
  ran = [];
  failing = new Set();
  during = {};
});
afterEach(closeApps);

const BATCH_EVENTS = new Set(['BatchDispatched', 'BatchStarted', 'BatchCancelled', 'BatchFinished']);

onStores('a batch', (connection) => flows(connection));
describe('a batch in memory', () => {
  flows(() => ({ driver: 'memory' }));
});

function flows(connection: () => object): void {
  const open = (more: object = {}, options: object = {}): Promise<Opened> =>
    openApp('database', {
      providers,
      options: { default: 'store', connections: { store: connection() as never, ...more }, ...options },
    });
  /** The callbacks of each kind, noted as they run. */
  const watched = (batch: PendingBatch): PendingBatch =>
    batch
      .before(new Back('before'))
      .progress(new Back('progress'))
      .then(new Back('then'))
      .catch(new Back('catch'))
      .finally(new Back('finally'));
  const counts = ({ totalJobs, pendingJobs, failedJobs }: Batch): number[] => [totalJobs, pendingJobs, failedJobs];
  const stands = async (at: Opened, id: string): Promise<number[]> => counts((await at.bus.findBatch(id))!);
  /** Runs one job: the next one in its queue. */
  const next = async (at: Opened): Promise<string[]> => {
    const before = ran.length;
    await at.drain({ maxJobs: 1 });
    return ran.slice(before);
  };
  const told = (at: Opened): string[] => at.names().filter((name) => BATCH_EVENTS.has(name));

  it('counts its members and calls back, step by step, when one of them fails', async () => {
    const at = await open();
    failing.add('b');
    const batch = await watched(at.bus.batch([new Step('a'), new Step('b'), new Step('c')]).name('trace')).dispatch();
    expect(counts(batch)).toEqual([3, 3, 0]);
    expect(told(at)).toEqual(['BatchDispatched']);
    expect(await next(at)).toEqual(['before(3,3,0)']);
    expect([await next(at), await stands(at, batch.id), told(at)]).toEqual([['a'], [3, 2, 0], ['BatchStarted']]);
    expect([await next(at), await stands(at, batch.id), told(at)]).toEqual([['b'], [3, 2, 1], ['BatchCancelled']]);
    const cancelled = (await batch.fresh())!;
    expect([cancelled.cancelled(), cancelled.finished(), cancelled.failedJobIds.length]).toEqual([true, false, 1]);
    expect([await next(at), await stands(at, batch.id), told(at)]).toEqual([['c'], [3, 1, 1], ['BatchFinished']]);
    await at.drain();
    expect(ran.slice(4)).toEqual([
      'progress(3,1,1)',
      'catch(3,1,1 RangeError: b is broken)',
      'progress(3,1,1)',
      'finally(3,1,1)',
    ]);
    failing.clear();
    ran = [];
    await at.failed.retry(cancelled.failedJobIds[0]!);
    await at.drain();
    expect(ran).toEqual(['b', 'progress(3,0,0)']);
    expect(told(at)).toEqual([]);
    const done = (await batch.fresh())!;
    expect([done.hasFailures(), done.failedJobIds, done.progress()]).toEqual([false, [], 100]);
  });

  it('goes on past failures where they are allowed, and tells of each', async () => {
    const at = await open();
    failing.add('b');
    const pending = watched(at.bus.batch([new Step('a'), new Step('b'), new Step('c')]));
    const batch = await pending.allowFailures([new Back('failure'), call(Desk, 'note', 'failure')]).dispatch();
    await at.drain({ maxJobs: 4 });
    expect(await stands(at, batch.id)).toEqual([3, 1, 1]);
    expect(told(at)).toEqual(['BatchDispatched', 'BatchStarted', 'BatchFinished']);
    await at.drain();
    expect(ran.slice(4).toSorted()).toEqual([
      'called failure',
      'catch(3,1,1 RangeError: b is broken)',
      'failure(3,1,1 RangeError: b is broken)',
      'finally(3,1,1)',
      'progress(3,1,1 RangeError: b is broken)',
      'progress(3,1,1)',
      'progress(3,1,1)',
    ]);
    const ended = (await batch.fresh())!;
    expect([ended.cancelled(), ended.finished(), ended.allowsFailures(), ended.progress()]).toEqual([
      false,
      true,
      true,
      67,
    ]);
    ran = [];
    failing.clear();
    await at.failed.retry(ended.failedJobIds[0]!);
    await at.drain();
    expect(ran).toEqual(['b', 'progress(3,0,0)', 'then(3,0,0)']);
  });

  it('ends a chain in it that breaks, with what stands behind the broken step', async () => {
    const at = await open();
    failing.add('x');
    const batch = await watched(at.bus.batch([[new Step('x'), new Step('y'), new Step('w')], new Step('z')]))
      .allowFailures()
      .dispatch();
    expect(batch.totalJobs).toBe(4);
    await at.drain();
    expect(await stands(at, batch.id)).toEqual([4, 3, 1]);
    expect((await batch.fresh())!.finished()).toBe(true);
    expect(ran.filter((one) => one.startsWith('finally'))).toEqual(['finally(4,3,1)']);
    ran = [];
    failing.clear();
    await at.failed.retry((await batch.fresh())!.failedJobIds[0]!);
    await at.drain();
    expect(await stands(at, batch.id)).toEqual([4, 0, 0]);
    expect(ran.filter((one) => !one.startsWith('progress'))).toEqual(['x', 'y', 'w', 'then(4,0,0)']);
  });

  it('cancelled by hand, has its members skip themselves if they ask; then does not come, finally does', async () => {
    const at = await open();
    const jobs = ['a', 'b', 'c'].map((label) => new Considerate(label));
    const batch = await watched(at.bus.batch([...jobs, new Step('rude')])).dispatch();
    await batch.cancel();
    await batch.cancel();
    await at.drain();
    expect(await stands(at, batch.id)).toEqual([4, 0, 0]);
    expect(told(at).toSorted()).toEqual(['BatchCancelled', 'BatchDispatched', 'BatchFinished', 'BatchStarted']);
    expect((at.seen.find((one) => one instanceof BatchCancelled) as BatchCancelled).error).toBe(null);
    const kinds = ran.map((one) => one.replace(/\(.*/, '')).toSorted();
    expect(kinds).toEqual(['before', 'finally', 'progress', 'progress', 'progress', 'progress', 'rude']);
  });

  it('grows from inside a member, whose second run adds nothing more, and from outside until it has ended', async () => {
    const at = await open();
    let runs = 0;
    during['a'] = async (job) => {
      const grown = await (await job.batch())!.add([new Step('d'), [new Step('e'), new Step('f')]]);
      ran.push(`grown to ${counts(grown).join()}`);
      runs += 1;
      if (runs === 1) job.release();
    };
    const batch = await watched(at.bus.batch([new Again('a')])).dispatch();
    await at.drain({ maxJobs: 2 });
    expect(await stands(at, batch.id)).toEqual([4, 4, 0]);
    expect((await batch.add([new Step('outside'), false as never])).totalJobs).toBe(5);
    await at.drain();
    expect(await stands(at, batch.id)).toEqual([5, 0, 0]);
    for (const label of ['d', 'e', 'f', 'outside']) expect(ran.filter((one) => one === label)).toHaveLength(1);
    expect(ran.filter((one) => one.startsWith('grown to 5'))).toHaveLength(1);
    expect(ran.filter((one) => /^(then|finally)/.test(one)).toSorted()).toEqual(['finally(5,0,0)', 'then(5,0,0)']);
    await expect(batch.add([new Step('late')])).rejects.toThrow(BatchFinishedError);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('counts what its members put into their chains', async () => {
    const at = await open();
    during['a'] = (job) => job.prependToChain([new Step('p'), new Only('q')]).appendToChain(new Step('z'));
    const batch = await watched(at.bus.batch([[new Step('a'), new Step('b')]])).dispatch();
    await at.drain();
    expect(ran.filter((one) => /^[a-z]$/.test(one))).toEqual(['a', 'p', 'q', 'b', 'z']);
    expect(await stands(at, batch.id)).toEqual([5, 0, 0]);
  });

  it('finishes at once where it is empty', async () => {
    const at = await open();
    const batch = await watched(at.bus.batch([false as never, [] as never])).dispatch();
    expect([batch.finished(), batch.totalJobs, batch.progress(), batch.pendingJobs]).toEqual([true, 0, 0, 0]);
    await at.drain();
    expect(ran.toSorted()).toEqual(['before(0,0,0)', 'finally(0,0,0)', 'then(0,0,0)']);
    expect(told(at)).toEqual(['BatchFinished', 'BatchDispatched']);
  });

  it('is one member of the batch that it is in, which goes on when it has ended', async () => {
    const at = await open();
    const inner = watched(at.bus.batch([new Step('i1'), [new Step('i2'), new Step('i3')]]).name('inner'));
    const outer = await at.bus
      .batch([new Step('o1'), [new Step('o2'), inner, new Step('o3')]])
      .name('outer')
      .progress(call(Desk, 'note', 'outer progress'))
      .then(call(Desk, 'note', 'outer then'))
      .finally(call(Desk, 'note', 'outer finally'))
      .dispatch();
    expect(outer.totalJobs).toBe(4);
    await at.drain();
    expect(await stands(at, outer.id)).toEqual([4, 0, 0]);
    expect(ran.filter((one) => !one.includes('rogress'))).toEqual([
      'o1',
      'o2',
      'before(3,3,0)',
      'i1',
      'i2',
      'i3',
      'then(3,0,0)',
      'finally(3,0,0)',
      'o3',
      'called outer then',
      'called outer finally',
    ]);
    expect(ran.filter((one) => one === 'called outer progress')).toHaveLength(4);
  });

  it('fails the batch that it is in, when it has failed', async () => {
    const at = await open();
    failing.add('i1');
    const inner = at.bus.batch([new Step('i1'), new Step('i2')]).finally(call(Desk, 'note', 'inner finally'));
    const outer = await at.bus
      .batch([[inner, new Step('never')], new Step('o')])
      .catch(new Back('catch'))
      .finally(new Back('finally'))
      .dispatch();
    await at.drain();
    expect(await stands(at, outer.id)).toEqual([3, 2, 1]);
    expect(ran.toSorted()).toEqual([
      'called inner finally',
      'catch(3,2,1 RangeError: i1 is broken)',
      'finally(3,2,1)',
      'i1',
      'i2',
      'o',
    ]);
    expect((await outer.fresh())!.cancelled()).toBe(true);
  });

  it('as a step of a chain, has the chain go on when it has ended', async () => {
    const at = await open();
    const batch = at.bus.batch([new Step('m1'), new Step('m2')]).then(call(Desk, 'note', 'then'));
    await at.bus
      .chain([new Step('first'), batch, new Step('last')])
      .catch(call(Desk, 'note', 'catch'))
      .dispatch();
    await at.drain();
    expect(ran).toEqual(['first', 'm1', 'm2', 'called then', 'last']);
    ran = [];
    await at.bus.chain([at.bus.batch([new Step('m1')]), at.bus.batch([]), new Step('last')]).dispatch();
    await at.drain();
    expect(ran).toEqual(['m1', 'last']);
  });

  it('as a step of a chain, breaks the chain when it has failed, unless it may', async () => {
    const at = await open();
    failing.add('m');
    const chain = (allow: boolean): Promise<unknown> =>
      at.bus
        .chain([
          at.bus
            .batch([new Step('m'), new Step('n')])
            .catch(new Back('own'))
            .allowFailures(allow),
          new Step('last'),
        ])
        .catch(new Back('chain'))
        .dispatch();
    await chain(false);
    await at.drain();
    expect(ran).toEqual(['m', 'n', 'own(2,1,1 RangeError: m is broken)']);
    expect(ran).not.toContain('last');
    ran = [];
    await chain(true);
    await at.drain();
    expect(ran).toEqual(['m', 'n', 'own(2,1,1 RangeError: m is broken)', 'last']);
  });

  it('goes where it says, with its steps and callbacks; else each goes where it says itself', async () => {
    const at = await open();
    const queues = async (): Promise<Record<string, number>> => {
      const names = ['default', 'imports', 'own', 'far'];
      const sizes = await at.manager.connection().sizes(names);
      return Object.fromEntries(names.map((name, index) => [name, sizes[index]!.total]));
    };
    during['a'] = (job) => void job.prependToChain(new Step('p').onQueue('far'));
    await at.bus
      .batch([new Step('a'), new Step('b').onQueue('own')])
      .onQueue('imports')
      .then(new Back('then'))
      .finally(new Back('finally').onQueue('far'))
      .dispatch();
    expect(await queues()).toEqual({ default: 0, imports: 2, own: 0, far: 0 });
    await at.drain({ queues: ['imports'] });
    expect(ran).toEqual(['a', 'b', 'p', 'then(3,0,0) on imports']);
    expect(await queues()).toEqual({ default: 0, imports: 0, own: 0, far: 1 });
    await at.drain({ queues: ['far'] });
    await at.bus.batch([new Step('a'), new Step('b').onQueue('own')]).dispatch();
    expect(await queues()).toEqual({ default: 1, imports: 0, own: 1, far: 0 });
    for (const queue of ['default', 'own', 'far']) await at.drain({ queues: [queue] });
  });

  it('knows no locks, and keeps the delay of a member', async () => {
    const at = await open();
    const batch = await at.bus
      .batch([new Only('one'), new Only('two'), new Late('late'), new Step('delayed').delay('1h')])
      .dispatch();
    await at.drain();
    expect(ran).toEqual(['one', 'two', 'late']);
    expect(await stands(at, batch.id)).toEqual([4, 1, 0]);
    await at.manager.connection().clear();
  });

  it('refuses what is wrong with a member, saying which, and stores nothing', async () => {
    const at = await open();
    class NoJob {
      handle(): void {}
    }
    const before = at.names().length;
    for (const [wrong, message] of [
      [new NoJob(), 'Member number 2 of the batch: NoJob is not a job'],
      [[new Step('x'), new NoJob()], 'Member number 2 of the batch: Step number 1 of the chain: NoJob is not a job'],
      [new Step('x').onConnection('nowhere'), 'Member number 2 of the batch: '],
      [new Step('x'.repeat(2_000_000)), 'Member number 2 of the batch: '],
    ] as const) {
      const pending = at.bus.batch([new Step('a'), new Step('b'), wrong as Step]);
      await expect(pending.dispatch()).rejects.toThrow(message);
    }
    const badCallback = at.bus.batch([new Step('a')]).then(new NoJob());
    await expect(badCallback.dispatch()).rejects.toThrow("Job number 0 of the batch's then(): NoJob is not a job");
    expect((await at.manager.connection().size()).total).toBe(0);
    expect(at.names()).toHaveLength(before);
    expect(await at.bus.pruneBatches({ hours: 0, unfinished: 0, cancelled: 0 })).toBeGreaterThanOrEqual(0);
  });

  it('is left as it is by a callback that fails, and is found, shown, deleted and pruned', async () => {
    const at = await open();
    failing.add('then');
    const { id } = await watched(at.bus.batch([new Step('a')]))
      .name('shown')
      .withOption('colour', { r: 1 })
      .dispatch();
    await at.drain();
    const batch = (await at.bus.findBatch(id))!;
    expect(JSON.parse(JSON.stringify(batch))).toEqual({
      id,
      name: 'shown',
      totalJobs: 1,
      pendingJobs: 0,
      processedJobs: 1,
      progress: 100,
      failedJobs: 0,
      failedJobIds: [],
      options: { name: 'shown', allowFailures: false, colour: { r: 1 } },
      createdAt: batch.createdAt.toISOString(),
      cancelledAt: null,
      finishedAt: batch.finishedAt!.toISOString(),
    });
    expect(ran.filter((one) => one.startsWith('then'))).toHaveLength(1);
    await batch.delete();
    expect(await batch.fresh()).toBe(null);
    expect(await at.bus.findBatch(id)).toBe(null);
    await expect(batch.add([new Step('x')])).rejects.toThrow(`There is no batch ${id}`);
    const open1 = await at.bus.batch([new Step('waits')]).dispatch();
    await at.bus.pruneBatches({ hours: 0, cancelled: 0 });
    expect(await open1.fresh()).not.toBe(null);
    expect(await at.bus.pruneBatches({ unfinished: 0 })).toBe(1);
    expect(await open1.fresh()).toBe(null);
    await at.drain();
  });

  it('is sent with its calls and encrypted callbacks signed', async () => {
    const at = await open({}, { key: 'a key of more than thirty-two characters', signing: 'require' });
    const inner = at.bus.batch([call(Desk, 'note', 'inner')]);
    const batch = await at.bus
      .batch([call(Desk, 'note', 'member'), [new Step('a'), inner, call(Desk, 'note', 'last')]])
      .progress(call(Desk, 'note', 'progress'))
      .then(call(Desk, 'note', 'then'))
      .dispatch();
    during['a'] = (job) => job.appendToChain(call(Desk, 'note', 'appended'));
    await at.drain();
    expect(ran.filter((one) => one !== 'called progress')).toEqual([
      'called member',
      'a',
      'called inner',
      'called last',
      'called appended',
      'called then',
    ]);
    expect(await stands(at, batch.id)).toEqual([5, 0, 0]);
    expect((await at.failed.all()).filter(({ displayName }) => displayName.startsWith('Desk'))).toEqual([]);
  });

  it('of five thousand members is counted to the last one', async () => {
    const at = await open();
    const batch = await at.bus
      .batch(Array.from({ length: 5_000 }, (_, n) => new Step(`${n}`)))
      .then(new Back('then'))
      .finally(new Back('finally'))
      .dispatch();
    expect(batch.totalJobs).toBe(5_000);
    await at.drain({ concurrency: 50 });
    expect(await stands(at, batch.id)).toEqual([5_000, 0, 0]);
    expect(new Set(ran).size).toBe(5_002);
    expect(ran).toHaveLength(5_002);
  }, 120_000);
}
