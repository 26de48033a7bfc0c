import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get } from '@nestjs/common';
import { TypeOrmModule, getDataSourceToken } from '@nestjs/typeorm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BatchCancelled,
  BatchDispatched,
  BatchFinished,
  InvalidOptionError,
  Job,
  JobQueued,
  NotAJobError,
  PendingBatch,
  Queueable,
  QueueBus,
  Tries,
  type Batch,
} from 'nestjs-queue';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { BrittleStore } from './brittle-store.js';
import { closeApps, openApp, sqliteOptions, until, type Opened } from './open-app.js';

let ran: string[] = [];
let failing = new Set<string>();
let during: Record<string, (job: Step) => unknown> = {};

@Job()
@Tries(1)
class Step extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  async handle(): Promise<void> {
    ran.push(this.label);
    await during[this.label]?.(this);
    if (failing.has(this.label)) throw new RangeError(`${this.label} is broken`);
  }
}

@Job()
class Back extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  async handle(): Promise<void> {
    const batch = await this.batch();
    const { error, connection } = this.context!;
    const why = error instanceof Error ? `: ${error.message}` : '';
    ran.push(`${this.label} of ${batch?.name} on ${connection}${why}`);
  }
}

const providers = [Step, Back];
let dir: string;
beforeEach(() => {
  ran = [];
  failing = new Set();
  during = {};
  dir = mkdtempSync(join(tmpdir(), 'queue-batches-'));
});
afterEach(async () => {
  await closeApps();
  rmSync(dir, { recursive: true, force: true });
});

const counts = ({ totalJobs, pendingJobs, failedJobs }: Batch): number[] => [totalJobs, pendingJobs, failedJobs];
const fresh = async (batch: Batch): Promise<Batch> => (await batch.fresh())!;
const runtimeOf = (at: Opened): QueueRuntime => at.app.get<QueueRuntime>(QUEUE_RUNTIME);

describe('a pending batch', () => {
  it('is no promise: awaiting it rejects with one line that says what to write', async () => {
    const { bus } = await openApp('memory', { providers });
    const pending = bus.batch([new Step('a')]);
    const awaited = (async (): Promise<unknown> => await (pending as unknown as Promise<unknown>))();
    await expect(awaited).rejects.toThrow('A pending batch was awaited. Send it: await bus.batch([…]).dispatch().');
    await expect(awaited).rejects.toBeInstanceOf(InvalidOptionError);
  });

  it('takes more members and settings, and refuses what is none', async () => {
    const { bus } = await openApp('memory', { providers });
    const pending = bus.batch([null, new Step('a'), [false, new Step('b')], []]);
    expect(pending).toBeInstanceOf(PendingBatch);
    pending.add(new Step('c')).add([new Step('d'), [new Step('e'), new Step('f')]]);
    expect(pending.jobs.map((one) => (Array.isArray(one) ? one.length : 1))).toEqual([1, 1, 1, 1, 2]);
    pending.name('n').onConnection('c').onQueue('q').allowFailures();
    expect(pending.options).toEqual({ name: 'n', connection: 'c', queue: 'q', allowFailures: true });
    expect(() => pending.then((() => {}) as never)).toThrow('then() was given a function');
    expect(() => pending.progress((() => {}) as never)).toThrow('progress() of a batch was given');
    expect(() => pending.name('')).toThrow('A batch’s name is'.replace('’', "'"));
    expect(() => pending.withOption('x', () => {})).toThrow('withOption("x")');
    const cyclic: { self?: object } = {};
    cyclic.self = cyclic;
    expect(() => pending.withOption('x', cyclic)).toThrow('withOption("x")');
    expect(await pending.dispatchIf(false)).toBe(null);
    expect(await pending.dispatchUnless(() => true)).toBe(null);
    await expect(bus.dispatch(class {} as never)).rejects.toThrow(NotAJobError);
  });

  it('tells how many of its entries have been stored', async () => {
    const at = await openApp('memory', { providers });
    const heard: string[] = [];
    const many = Array.from({ length: 2_500 }, (_, n) => (n === 7 ? [new Step('x'), new Step('y')] : new Step('x')));
    const batch = await at.bus
      .batch(many)
      .onStored((stored, total) => heard.push(`${stored} of ${total}`))
      .onStored(() => {
        throw new Error('a listener');
      })
      .dispatch();
    expect(heard).toEqual(['1000 of 2500', '2000 of 2500', '2500 of 2500']);
    expect(batch.totalJobs).toBe(2_501);
    expect(() => at.bus.batch([]).onStored('loud' as never)).toThrow('onStored() of a batch was given');
  });

  it('may not be a part of itself', async () => {
    const { bus } = await openApp('memory', { providers });
    const pending = bus.batch([new Step('a')]);
    pending.add([bus.batch([pending])]);
    await expect(pending.dispatch()).rejects.toThrow('A batch is a part of itself');
  });

  it('may be sent again, as another batch', async () => {
    const at = await openApp('memory', { providers });
    const pending = at.bus.batch([new Step('a')]).then(new Back('then'));
    const [one, two] = [await pending.dispatch(), await pending.dispatch()];
    expect(one.id).not.toBe(two.id);
    await at.drain();
    expect(ran.filter((label) => label === 'a')).toHaveLength(2);
    expect(ran.filter((label) => label !== 'a')).toHaveLength(2);
  });
});

describe('a batch whose ledger is elsewhere than its queue', () => {
  const open = async (): Promise<Opened & { brittle: BrittleStore }> => {
    const brittle = new BrittleStore();
    const at = await openApp('database', {
      providers,
      options: {
        default: 'brittle',
        batching: { driver: 'database', connection: 'database' },
        connections: { brittle: { driver: 'brittle', retryAfter: 2 } as never },
        drivers: { brittle: () => brittle.backend },
      },
    });
    return { ...at, brittle };
  };

  it('counts, calls back and goes on all the same', async () => {
    const at = await open();
    failing.add('c');
    const batch = await at.bus
      .batch([new Step('a'), [new Step('b'), new Step('b2')], new Step('c'), at.bus.batch([new Step('i')])])
      .name('far')
      .progress(new Back('progress'))
      .catch(new Back('catch').onConnection('database'))
      .finally(new Back('finally'))
      .dispatch();
    during['a'] = (job) => job.appendToChain(new Step('a2'));
    await at.drain();
    expect(counts(await fresh(batch))).toEqual([6, 1, 1]);
    expect(ran).toContain('finally of far on brittle');
    expect(ran.filter((one) => one.startsWith('progress'))).toHaveLength(5);
    await at.drain({ connection: 'database' });
    expect(ran.at(-1)).toBe('catch of far on database: c is broken');
    const names = at.names();
    for (const name of ['BatchDispatched', 'BatchStarted', 'BatchCancelled', 'BatchFinished']) {
      expect([name, names.filter((one) => one === name).length]).toEqual([
        name,
        name === 'BatchDispatched' ? 2 : name === 'BatchCancelled' ? 1 : 2,
      ]);
    }
  });

  it('counts once what had to be settled twice', async () => {
    const at = await open();
    const batch = await at.bus
      .batch([new Step('a'), new Step('b')])
      .finally(new Back('finally'))
      .dispatch();
    at.brittle.down.add('settle').add('exchange');
    const draining = at.drain({ maxJobs: 2, concurrency: 2 });
    await until(async () => (await fresh(batch)).finished(), 'the ledger');
    at.brittle.down.clear();
    await draining;
    await at.drain();
    expect(counts(await fresh(batch))).toEqual([2, 0, 0]);
    expect(ran.filter((one) => one.startsWith('finally'))).toHaveLength(1);
  });
});

describe('a batch of jobs that run in this process', () => {
  it('has ended when its dispatch has, on a sync connection', async () => {
    const at = await openApp('memory', { providers });
    failing.add('b');
    const batch = await at.bus
      .batch([
        [new Step('a'), new Step('a2')],
        new Step('b'),
        [new Step('c'), at.bus.batch([new Step('i')]), new Step('d')],
      ])
      .name('here')
      .onConnection('sync')
      .allowFailures()
      .progress(new Back('progress'))
      .catch(new Back('catch'))
      .then(new Back('then'))
      .finally(new Back('finally'))
      .dispatch();
    expect(counts(batch)).toEqual([6, 1, 1]);
    expect(batch.finished()).toBe(true);
    expect(ran.filter((one) => !one.startsWith('progress'))).toEqual([
      'a',
      'a2',
      'b',
      'catch of here on sync: b is broken',
      'c',
      'i',
      'd',
      'finally of here on sync',
    ]);
    expect(ran.filter((one) => one.startsWith('progress'))).toHaveLength(6);
    expect(at.names().filter((name) => name === 'BatchFinished')).toHaveLength(2);
  });

  it('ends after the response on a deferred one', async () => {
    const at = await openApp('memory', { providers });
    const batch = await at.bus
      .batch([new Step('a'), new Step('b')])
      .onConnection('deferred')
      .dispatch();
    await until(async () => (await fresh(batch)).finished());
    expect(ran).toEqual(['a', 'b']);
  });
});

describe('a batch', () => {
  it('is stored with the response and filled behind it', async () => {
    @Controller()
    class Imports {
      constructor(private readonly bus: QueueBus) {}
      @Get() async start(): Promise<Batch> {
        const batch = await this.bus
          .batch([new Step('a'), new Step('b')])
          .name('late')
          .dispatchAfterResponse();
        during['response'] = () => batch;
        return batch;
      }
    }
    Reflect.defineMetadata('design:paramtypes', [QueueBus], Imports);
    const at = await openApp('memory', { providers, controllers: [Imports] });
    const app = at.app.createNestApplication();
    await app.listen(0);
    try {
      const answer = await fetch(await app.getUrl());
      const body = (await answer.json()) as { id: string; name: string; totalJobs: number; finishedAt: null };
      expect(body).toMatchObject({ name: 'late', totalJobs: 0, finishedAt: null });
      await until(async () => (await at.bus.findBatch(body.id))!.totalJobs === 2);
      await at.drain();
      expect((await at.bus.findBatch(body.id))!.finished()).toBe(true);
    } finally {
      await app.close();
    }
  });

  it('is filled at once outside a request', async () => {
    const at = await openApp('memory', { providers });
    const batch = await at.bus.batch([new Step('a')]).dispatchAfterResponse();
    await at.bus.flush();
    expect((await fresh(batch)).totalJobs).toBe(1);
  });

  it('is not stored inside an open transaction on its own SQLite file, and says so', async () => {
    const file = join(dir, 'shared.sqlite');
    const at = await openApp('database', {
      providers,
      imports: [
        TypeOrmModule.forRoot({ type: 'better-sqlite3', database: file, driver: (await import('libsql')).default }),
      ],
      options: { connections: { database: { driver: 'database', dataSource: 'default' } as never } },
    });
    const source = at.app.get<{ transaction: (fn: () => Promise<unknown>) => Promise<unknown> }>(getDataSourceToken());
    await source.transaction(async () => {
      await expect(at.bus.batch([new Step('a')]).dispatch()).rejects.toThrow(
        'A batch cannot be stored inside an open transaction on its own SQLite file.',
      );
    });
    const batch = await at.bus.batch([new Step('a')]).dispatch();
    await source.transaction(async () => {
      await expect(batch.add([new Step('b')])).rejects.toThrow('Dispatch it, or add to it, after the commit');
    });
    await at.drain();
    expect(ran).toEqual(['a']);
  });

  it('of which a member cannot be pushed is not there, and its dispatch rejects', async () => {
    const brittle = new BrittleStore();
    const at = await openApp('database', {
      providers,
      options: {
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle: () => brittle.backend },
      },
    });
    brittle.down.add('push');
    await expect(at.bus.batch([new Step('a').onConnection('brittle')]).dispatch()).rejects.toThrow('is down');
    expect(await (await runtimeOf(at).connections.batches()).page({ limit: 5 })).toEqual([]);
    expect(at.seen.filter((one) => one instanceof BatchDispatched)).toEqual([]);
  });

  it('shows queue listeners the jobs themselves, members and callbacks', async () => {
    const at = await openApp('memory', { providers });
    const shown: string[] = [];
    at.manager.on(
      JobQueued,
      ({ job, id }) => void shown.push(`${job.constructor.name} ${(job as Step).label} ${id.length}`),
    );
    await at.bus
      .batch([new Step('a'), [new Step('b'), new Step('c')]])
      .progress(new Back('p'))
      .then(new Back('t'))
      .dispatch();
    await at.drain();
    expect(shown.toSorted()).toEqual([
      'Back p 36',
      'Back p 36',
      'Back p 36',
      'Back t 36',
      'Step a 36',
      'Step b 36',
      'Step c 36',
    ]);
  });

  it('counts a step that has no place to go to as failed, with what stands behind it', async () => {
    const first = await openApp('database', {
      providers,
      dir,
      options: { connections: { gone: sqliteOptions(dir, {}) as never } },
    });
    const batch = await first.bus
      .batch([[new Step('a'), new Step('b').onConnection('gone'), new Step('c')]])
      .name('lost')
      .catch(new Back('catch'))
      .finally(new Back('finally'))
      .dispatch();
    await closeApps();
    const at = await openApp('database', { providers, dir });
    await at.drain();
    const stands = (await at.bus.findBatch(batch.id))!;
    expect([...counts(stands), stands.finished()]).toEqual([3, 2, 1, true]);
    expect(ran).toHaveLength(3);
    expect(ran[1]).toMatch(/^catch of lost on database: .*gone/);
    expect(ran[2]).toBe('finally of lost on database');
  });

  it('counts a member whose body is refused', async () => {
    const at = await openApp('memory', { providers, options: { maxPayload: 3_000 } });
    const batch = await at.bus
      .batch([new Step('a')])
      .finally(new Back('finally'))
      .dispatch();
    const [job] = await at.manager.connection().pendingJobs();
    const { inspection } = (await at.manager.connection().queue()) as {
      inspection: { remove(id: string): Promise<boolean> };
    };
    await inspection.remove(job!.id);
    await at.manager.connection().pushRaw(JSON.stringify({ ...(job!.payload as object), v: 99 }));
    await at.drain();
    expect(counts(await fresh(batch))).toEqual([1, 1, 1]);
    expect(ran).toEqual(['finally of  on memory']);
  });

  it('as a callback is another one each time', async () => {
    const at = await openApp('memory', { providers });
    const inner = at.bus
      .batch([new Step('i')])
      .name('inner')
      .then(new Back('then'));
    await at.bus
      .batch([new Step('a'), new Step('b')])
      .progress(inner)
      .dispatch();
    await at.drain();
    expect(ran.toSorted()).toEqual(['a', 'b', 'i', 'i', 'then of inner on memory', 'then of inner on memory']);
  });

  it('is created once by the job that it waits in, however often that runs', async () => {
    const brittle = new BrittleStore();
    const at = await openApp('database', {
      providers,
      options: {
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle: () => brittle.backend },
      },
    });
    const inner = at.bus
      .batch([new Step('i1'), new Step('i2').onConnection('brittle')])
      .name('inner')
      .finally(new Back('finally'));
    const outer = await at.bus.batch([inner]).dispatch();
    brittle.down.add('push');
    await at.drain({ maxJobs: 2 });
    // Its first run got as far as the first member, which has ended by now.
    expect(ran).toEqual(['i1']);
    brittle.down.clear();
    await at.drain({ stopWhenEmpty: false, maxJobs: 1 });
    await at.drain();
    await at.drain({ connection: 'brittle' });
    await at.drain();
    expect(ran).toEqual(['i1', 'i2', 'finally of inner on database']);
    expect(counts(await fresh(outer))).toEqual([1, 0, 0]);
  });
});

describe('what a process leaves behind', () => {
  const HOUR = 3_600_000;

  it('callbacks that could not be sent are sent by a sweep, once', async () => {
    const brittle = new BrittleStore();
    const at = await openApp('memory', {
      providers,
      options: {
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle: () => brittle.backend },
      },
    });
    const { connections } = runtimeOf(at);
    const batch = await at.bus
      .batch([new Step('a')])
      .name('left')
      .then(new Back('then').onConnection('brittle'))
      .finally(new Back('finally'))
      .dispatch();
    brittle.down.add('push');
    await at.drain();
    expect(ran).toEqual(['a']);
    const store = await connections.batches();
    const [due] = await store.unconfirmed(Date.now() + HOUR, 5);
    expect([...due!.due].toSorted()).toEqual(['finally', 'then']);
    brittle.down.clear();
    const { sweep } = runtimeOf(at);
    // Not yet: whoever saw it end may be about to send them.
    await sweep.sweep();
    expect(await store.unconfirmed(Date.now() + HOUR, 5)).toHaveLength(1);
    const now = connections.clock.now.bind(connections.clock);
    (connections.clock as { now: () => number }).now = () => now() + 61_000;
    try {
      await sweep.sweep();
      await sweep.sweep();
    } finally {
      (connections.clock as { now: () => number }).now = now;
    }
    expect(await store.unconfirmed(Date.now() + HOUR, 5)).toEqual([]);
    await at.drain();
    await at.drain({ connection: 'brittle' });
    expect(ran).toEqual(['a', 'finally of left on memory', 'then of left on brittle']);
    expect(at.seen.filter((one) => one instanceof BatchFinished)).toHaveLength(2);
    expect((await fresh(batch)).finished()).toBe(true);
  });

  it('the end of a batch that nobody was told of is told by a sweep, with its error', async () => {
    const at = await openApp('memory', { providers });
    const { connections, sweep } = runtimeOf(at);
    const store = await connections.batches();
    const batch = await at.bus
      .batch([new Step('a')])
      .name('dead')
      .catch(new Back('catch'))
      .dispatch();
    const [job] = await at.manager.connection().pendingJobs();
    await at.manager.connection().clear();
    const failedAt = new Date();
    const record = {
      name: 'Step',
      displayName: 'Step',
      payload: '{}',
      connection: 'memory',
      queue: 'default',
      failedAt,
    };
    await (await connections.failed()).record([{ ...record, id: job!.id, exception: 'TypeError: no more\n    at x' }]);
    // What the settlement of a process does that dies at once.
    await store.recordEnd(batch.id, { jobId: job!.id, outcome: 'failed' });
    at.names();
    const now = connections.clock.now.bind(connections.clock);
    (connections.clock as { now: () => number }).now = () => now() + 61_000;
    try {
      await sweep.sweep();
    } finally {
      (connections.clock as { now: () => number }).now = now;
    }
    expect(at.names()).toEqual(['BatchFinished']);
    await at.drain();
    expect(ran).toEqual(['catch of dead on memory: no more']);
  });

  it('a batch that was never filled is cancelled after an hour, and ends', async () => {
    const at = await openApp('memory', { providers });
    const { connections, sweep } = runtimeOf(at);
    const store = await connections.batches();
    const made = (id: string) =>
      store.create({ id, name: id, options: '{}', memberIds: [], sealed: false, cancelOnFailure: true });
    await made('crashed');
    await sweep.sweep();
    expect((await at.bus.findBatch('crashed'))!.cancelled()).toBe(false);
    const now = connections.clock.now.bind(connections.clock);
    (connections.clock as { now: () => number }).now = () => now() + HOUR + 1_000;
    try {
      for (let n = 0; n < 10; n += 1) await sweep.sweep();
    } finally {
      (connections.clock as { now: () => number }).now = now;
    }
    const batch = (await at.bus.findBatch('crashed'))!;
    expect([batch.cancelled(), batch.finished()]).toEqual([true, true]);
    expect(at.seen.filter((one) => one instanceof BatchCancelled)).toHaveLength(1);
  });

  it('members that were counted and never sent have failed once nothing else of their batch is left', async () => {
    const brittle = new BrittleStore();
    const at = await openApp('memory', {
      providers,
      options: {
        connections: { brittle: { driver: 'brittle' } as never },
        drivers: { brittle: () => brittle.backend },
      },
    });
    const { connections, sweep } = runtimeOf(at);
    const store = await connections.batches();
    // What is left of a process that dies where it stands.
    brittle.down.add('push');
    store.delete = () => Promise.reject(new Error('gone'));
    const dispatching = at.bus
      .batch([[new Step('a'), new Step('b')], new Step('lost').onConnection('brittle')])
      .name('half')
      .then(new Back('then'))
      .catch(new Back('catch'))
      .finally(new Back('finally'))
      .dispatch();
    await expect(dispatching).rejects.toThrow('the store is down (push)');
    brittle.down.clear();
    const { id } = (await store.page({ limit: 1 }))[0]!;
    const now = connections.clock.now.bind(connections.clock);
    (connections.clock as { now: () => number }).now = () => now() + HOUR + 1_000;
    const stands = async () => {
      // As often as it takes for another look at what was not filled.
      for (let n = 0; n < 10; n += 1) await sweep.sweep();
      const batch = (await at.bus.findBatch(id))!;
      return [batch.cancelled(), batch.finished(), ...counts(batch)];
    };
    try {
      expect(await stands()).toEqual([true, false, 3, 3, 0]);
      await at.drain({ maxJobs: 1 });
      expect(ran).toEqual(['a']);
      // The second step of the chain waits.
      expect(await stands()).toEqual([true, false, 3, 2, 0]);
      expect(await stands()).toEqual([true, false, 3, 2, 0]);
      await at.drain();
      expect(await stands()).toEqual([true, true, 3, 1, 1]);
      expect(await stands()).toEqual([true, true, 3, 1, 1]);
    } finally {
      (connections.clock as { now: () => number }).now = now;
    }
    await at.drain();
    expect(ran).toEqual([
      'a',
      'b',
      'catch of half on memory: The process that stored the batch ended before this member of it was sent.',
      'finally of half on memory',
    ]);
    expect(at.seen.filter((one) => one instanceof BatchCancelled)).toHaveLength(1);
    expect(at.seen.filter((one) => one instanceof BatchFinished)).toHaveLength(1);
  });
});
