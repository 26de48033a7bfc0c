import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import libsql from 'libsql';
import { DataSource } from 'typeorm';
import {
  AbilityMissingError,
  BulkDispatchError,
  DispatchTimeoutError,
  Encrypted,
  InvalidOptionError,
  InvalidQueueNameError,
  Job,
  JobQueued,
  JobQueueing,
  NotAJobError,
  PayloadTooLargeError,
  Queueable,
  Tries,
  UnknownConnectionError,
  UnserializableError,
  type QueueableJob,
} from 'nestjs-queue';
import { BrittleStore } from './brittle-store.js';
import { closeApps, openApp, STORES, type Opened } from './open-app.js';

let made = 0;

@Job()
class Note extends Queueable {
  constructor(readonly text = 'note') {
    super();
    made += 1;
  }
  handle() {}
}
@Job({ name: 'billing.invoice', queue: 'billing', delay: '1m' })
class Invoice extends Note {}
@Job({ connection: 'memory', queue: 'declared' })
class Declared extends Note {}
@Job()
class Routed extends Note {}
@Job()
class Picky extends Note {
  prepareForDispatch() {
    return this.text === 'later' ? Promise.resolve(false) : this.text !== 'no';
  }
}
@Injectable()
class Service {
  readonly here = true;
}
@Job()
@Tries(9)
class Policed extends Queueable {
  tries = 4;
  backoff = [1, '2s'];
  timeout = '90s';
  maxExceptions = 2;
  failOnTimeout = true;
  queue = 'by-field';
  @Inject(Service) readonly service!: Service;
  constructor(readonly carried = 'carried') {
    super();
  }
  displayName() {
    return `Policed ${this.carried}`;
  }
  tags() {
    return ['a', `b:${this.carried}`];
  }
  retryUntil() {
    return '1h';
  }
  handle() {
    seen.push([Object.keys(this).sort(), this.service.here]);
  }
}
let seen: unknown[] = [];

const JOBS = [Note, Invoice, Declared, Routed, Policed, Service];

beforeEach(() => {
  made = 0;
  seen = [];
});
afterEach(closeApps);

describe.each(STORES)('dispatching to %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: JOBS, options: { routes: [[Routed, { queue: 'routed' }]] } });
  });
  const only = async (queue = 'default') => (await at.manager.connection().pendingJobs(queue))[0]!;

  it('gives the receipt of what is stored', async () => {
    const receipt = await at.bus.dispatch(new Note());
    expect(receipt).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), connection: store, queue: 'default' });
    expect(await only()).toMatchObject({ id: receipt!.id, name: 'Note', attempts: 0 });
    expect((await only()).payload).toEqual({
      v: 1,
      uuid: receipt!.id,
      name: 'Note',
      displayName: 'Note',
      createdAt: expect.any(Number),
      data: { text: 'note' },
    });
  });

  it('raises its events with what was asked for', async () => {
    const events: (JobQueueing | JobQueued)[] = [];
    at.manager.on(JobQueueing, (event) => void events.push(event));
    at.manager.on(JobQueued, (event) => void events.push(event));
    const job = new Note();
    const receipt = await at.bus.dispatch(job).delay('1m');
    await at.bus.dispatch(new Note()).onQueue('high');
    expect(events.map((one) => [one.constructor.name, one.connectionName, one.queue, one.delay])).toEqual([
      ['JobQueueing', store, null, 60],
      ['JobQueued', store, null, 60],
      ['JobQueueing', store, 'high', null],
      ['JobQueued', store, 'high', null],
    ]);
    expect(events[1]).toMatchObject({ id: receipt!.id, job });
    expect(JSON.parse(events[1]!.payload)).toMatchObject({ uuid: receipt!.id });
  });

  it.each([
    ['seconds', () => 120, 120_000],
    ['a text', () => '2m', 120_000],
    ['a date', () => new Date(Date.now() + 120_000), 120_000],
    ['fifty days', () => '50d', 50 * 86_400_000],
  ])('delays by %s', async (_, delay, ms) => {
    const before = Date.now();
    await at.bus.dispatch(new Note()).delay(delay());
    const driver = await at.manager.connection().inspection();
    const { jobs } = await driver.page('default', 'delayed', { limit: 2 });
    expect(jobs).toHaveLength(1);
    expect(Math.abs(jobs[0]!.availableAt - before - ms)).toBeLessThan(1_000);
  });

  it.each([[-5], [0], [new Date(0)]])('takes a delay of %p for now', async (delay) => {
    await at.bus.dispatch(new Note()).delay(delay);
    expect(await at.manager.connection().size()).toMatchObject({ pending: 1, delayed: 0 });
  });

  it.each([[Number.NaN], [Infinity], ['5'], [new Date(Number.NaN)], [1e20], [{}]])(
    'refuses a delay of %p and stores nothing',
    async (delay) => {
      const sent = at.bus.dispatch(new Note()).delay(delay as never);
      await expect(sent).rejects.toThrow(InvalidOptionError);
      expect((await at.manager.connection().size()).total).toBe(0);
    },
  );

  it('declared defaults hold until somebody says otherwise', async () => {
    expect(await at.bus.dispatch(new Invoice())).toMatchObject({ queue: 'billing' });
    expect(await at.manager.connection().size('billing')).toMatchObject({ delayed: 1 });
    await at.bus.dispatch(new Invoice()).withoutDelay().onQueue('now');
    expect((await only('now')).payload).toMatchObject({ name: 'billing.invoice' });
    await at.bus.dispatch(new Invoice().withoutDelay().onQueue('job'));
    expect(await at.manager.connection().size('job')).toMatchObject({ pending: 1 });
    // The dispatch has the last word over the job.
    await at.bus.dispatch(new Invoice().onQueue('job').delay('1h')).onQueue('last').withoutDelay();
    expect(await at.manager.connection().size('last')).toMatchObject({ pending: 1 });
  });

  it('finds the connection: call, declaration, default', async () => {
    expect(await at.bus.dispatch(new Declared())).toMatchObject({ connection: 'memory', queue: 'declared' });
    expect(await at.bus.dispatch(new Declared()).onConnection('null')).toMatchObject({ connection: 'null' });
    await expect(at.bus.dispatch(new Note()).onConnection('nowhere')).rejects.toThrow(UnknownConnectionError);
    await expect(at.bus.dispatch(new Note()).onQueue('a b')).rejects.toThrow(InvalidQueueNameError);
    await expect(at.bus.dispatch(new Note()).onQueue('')).rejects.toThrow(InvalidQueueNameError);
  });

  it('follows routes and forwards', async () => {
    expect(await at.bus.dispatch(new Routed())).toMatchObject({ queue: 'routed' });
    at.manager.route(Routed, { queue: 'elsewhere' });
    expect(await at.bus.dispatch(new Routed())).toMatchObject({ queue: 'elsewhere' });
    expect(await at.bus.dispatch(new Routed()).onQueue('own')).toMatchObject({ queue: 'own' });
    at.manager.forward('old', 'new');
    expect(await at.bus.dispatch(new Note()).onQueue('old')).toMatchObject({ queue: 'new' });
    expect(await at.manager.connection().size('new')).toMatchObject({ pending: 1 });
    // A worker of the old name works the new one.
    await at.drain({ queues: ['old'] });
    expect(await at.manager.connection().size('new')).toMatchObject({ pending: 0 });
  });

  it('freezes fields and methods, which beat decorators, and lets neither them nor what is injected travel', async () => {
    await at.bus.dispatch(new Policed());
    const job = await only('by-field');
    expect(job.name).toBe('Policed carried');
    expect(job.payload).toMatchObject({
      displayName: 'Policed carried',
      maxTries: 4,
      backoff: [1_000, 2_000],
      timeout: 90_000,
      maxExceptions: 2,
      failOnTimeout: true,
      tags: ['a', 'b:carried'],
      data: { carried: 'carried' },
    });
    const { retryUntil } = job.payload as { retryUntil: number };
    expect(Math.abs(retryUntil - Date.now() - 3_600_000)).toBeLessThan(2_000);
    expect((job.payload as { data: object }).data).toEqual({ carried: 'carried' });
    await at.drain({ queues: ['by-field'] });
    expect(seen).toEqual([[['carried', 'service'], true]]);
  });

  it('dispatchIf and dispatchUnless make the job only when it is sent', async () => {
    expect(await at.bus.dispatchIf(false, () => new Note())).toBeNull();
    expect(
      await at.bus
        .dispatchUnless(
          () => true,
          () => new Note(),
        )
        .onQueue('x')
        .delay(5),
    ).toBeNull();
    expect(made).toBe(0);
    expect(
      await at.bus.dispatchIf(
        () => true,
        () => new Note(),
      ),
    ).toMatchObject({ queue: 'default' });
    expect(await at.bus.dispatchUnless(false, new Note()).onQueue('high')).toMatchObject({ queue: 'high' });
    expect(made).toBe(2);
    expect((await at.manager.connection().size()).total).toBe(1);
  });

  it('a dispatch that nobody awaits is sent all the same, with what was said in its statement', async () => {
    at.bus.dispatch(new Note()).onQueue('unseen').delay('1h');
    const late = at.bus.dispatch(new Note());
    await at.bus.flush();
    expect(await at.manager.connection().size('unseen')).toMatchObject({ delayed: 1 });
    expect(() => late.onQueue('too-late')).toThrow(InvalidOptionError);
    expect(await late).toMatchObject({ queue: 'default' });
    expect((await at.manager.connection().size()).total).toBe(1);
  });

  it('sends once, however often it is awaited', async () => {
    const pending = at.bus.dispatch(new Note());
    expect((await pending)!.id).toBe((await pending)!.id);
    expect((await at.manager.connection().size()).total).toBe(1);
  });

  it('payload hooks add up under `extra`', async () => {
    at.manager.createPayloadUsing((connection, queue) => ({ where: `${connection}:${queue}` }));
    at.manager.createPayloadUsing((_connection, _queue, payload) => ({ again: (payload as { where: string }).where }));
    await at.bus.dispatch(new Note());
    expect((await only()).payload).toMatchObject({ extra: { where: `${store}:default`, again: `${store}:default` } });
    at.manager.createPayloadUsing(null);
    await at.bus.dispatch(new Note()).onQueue('plain');
    expect((await only('plain')).payload).not.toHaveProperty('extra');
  });

  it('asks a job whether it wants to be sent at all', async () => {
    expect(await at.bus.dispatch(new Picky('no'))).toBeNull();
    expect(await at.bus.dispatch(new Picky('later'))).toBeNull();
    expect(await at.bus.dispatch(new Picky('yes'))).not.toBeNull();
    expect((await at.manager.connection().size()).total).toBe(1);
  });

  describe('bulk', () => {
    it('aligns its receipts, keeps the order, and raises the events of each', async () => {
      const queued: JobQueued[] = [];
      at.manager.on(JobQueued, (event) => void queued.push(event));
      const jobs = [new Note('a'), new Declared('b'), new Note('c').onQueue('high'), new Note('d').delay('1h')];
      const receipts = await at.bus.bulk(jobs);
      expect(receipts.map((one) => [one!.connection, one!.queue])).toEqual([
        [store, 'default'],
        ['memory', 'declared'],
        [store, 'high'],
        [store, 'default'],
      ]);
      expect(new Set(queued.map((one) => one.id))).toEqual(new Set(receipts.map((one) => one!.id)));
      for (const [index, job] of jobs.entries()) {
        expect(queued.find((one) => one.job === job)!.id).toBe(receipts[index]!.id);
      }
      expect(await at.manager.connection().size()).toMatchObject({ pending: 1, delayed: 1 });
      expect(await at.bus.bulk([])).toEqual([]);
    });

    it('checks everything before it stores anything, and says which one is wrong', async () => {
      const bad = Object.assign(new Note(), { socket: new WeakMap() });
      const sent = at.bus.bulk([new Note(), new Note(), bad]);
      await expect(sent).rejects.toThrow(UnserializableError);
      await expect(sent).rejects.toThrow('Job number 2 of the bulk');
      await expect(at.bus.bulk([new Note(), {} as QueueableJob])).rejects.toThrow(NotAJobError);
      expect((await at.manager.connection().size()).total).toBe(0);
    });

    it('checks all of thousands, and stores none where one is wrong', async () => {
      const jobs = Array.from({ length: 5_000 }, () => new Note());
      Object.assign(jobs[3_456]!, { socket: new WeakMap() });
      await expect(at.bus.bulk(jobs)).rejects.toThrow('Job number 3456 of the bulk');
      expect((await at.manager.connection().size()).total).toBe(0);
    });

    it('leaves out those that decline', async () => {
      const receipts = await at.bus.bulk([new Note('a'), new Picky('no'), new Picky('yes')]);
      expect(receipts.map((one) => one !== null)).toEqual([true, false, true]);
      expect((await at.manager.connection().size()).total).toBe(2);
    });

    it('names the ones that the store did not take', async () => {
      const big = new Note('x'.repeat(2_000_000));
      const sent = at.bus.bulk([new Note(), big]);
      await expect(sent).rejects.toThrow(BulkDispatchError);
      await expect(sent).rejects.toMatchObject({ failures: [{ index: 1, error: expect.any(PayloadTooLargeError) }] });
      expect((await at.manager.connection().size()).total).toBe(1);
    });
  });

  it.each([
    ['a plain object', { handle() {} }],
    ['nothing', null],
    ['a text', 'Note'],
    ['a class', Note],
    ['a function', () => {}],
    ['a list', [new Note()]],
    [
      'an undecorated class',
      new (class Bare {
        handle() {}
      })(),
    ],
    ['a subclass without @Job()', new (class Sub extends Note {})()],
    ['no prototype', Object.create(null)],
  ])('refuses what is no job: %s', async (_, job) => {
    await expect(at.bus.dispatch(job as QueueableJob)).rejects.toThrow(NotAJobError);
    await expect(
      at.bus.dispatchSync(job as QueueableJob).then((answer) => {
        // An inline function runs as it is.
        if (typeof job === 'function' && job !== Note) throw new NotAJobError('ran inline');
        return answer;
      }),
    ).rejects.toThrow(NotAJobError);
  });

  it.each([
    ['tries', Number.NaN],
    ['tries', -1],
    ['tries', 1.5],
    ['tries', '3'],
    ['maxExceptions', 0],
    ['backoff', []],
    ['backoff', [Number.NaN]],
    ['backoff', [-1]],
    ['timeout', -1],
    ['timeout', '5'],
    ['timeout', true],
    ['retryUntil', new Date(Number.NaN)],
    ['failOnTimeout', 'yes'],
    ['tags', 'one'],
    ['tags', [1]],
    ['queue', 7],
    ['displayName', ''],
    ['middleware', []],
  ])('refuses a job whose %s is %p, by name, and stores nothing', async (field, value) => {
    const job = Object.assign(new Note(), { [field]: value });
    const sent = at.bus.dispatch(job);
    await expect(sent).rejects.toThrow(InvalidOptionError);
    await expect(sent).rejects.toThrow(`Note.${field}`);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it.each(['tries', 'backoff', 'timeout', 'maxExceptions', 'retryUntil', 'failOnTimeout', 'tags', 'queue'])(
    'takes a %s of null or undefined for not set',
    async (field) => {
      for (const value of [null, undefined]) await at.bus.dispatch(Object.assign(new Note(), { [field]: value }));
      const jobs = await at.manager.connection().pendingJobs();
      expect(jobs.map(({ payload }) => Object.keys(payload).sort())).toEqual(
        Array(2).fill(['createdAt', 'data', 'displayName', 'name', 'uuid', 'v']),
      );
    },
  );

  it('refuses what is too large, with its size', async () => {
    const sent = at.bus.dispatch(new Note('é'.repeat(600_000)));
    await expect(sent).rejects.toThrow(PayloadTooLargeError);
    await expect(sent).rejects.toMatchObject({ limit: 1_048_576, size: expect.any(Number) });
    expect((await at.manager.connection().size()).total).toBe(0);
  });
});

describe('a dispatch inside the caller’s transaction', () => {
  it('is stored with it, and gone with it', async () => {
    const { mkdtempSync, rmSync } = await import('node:fs');
    const dir = mkdtempSync(`${(await import('node:os')).tmpdir()}/queue-within-`);
    const dataSource = await new DataSource({
      type: 'better-sqlite3',
      driver: libsql,
      database: `${dir}/app.sqlite`,
      entities: [],
    }).initialize();
    try {
      const at = await openApp('database', {
        providers: JOBS,
        options: { connections: { database: { driver: 'database', dataSource } as never } },
      });
      await at.bus.dispatch(new Note('outside'));
      await dataSource.transaction(async (manager) => {
        await at.bus.dispatch(new Note('kept')).within(manager);
      });
      const lost = dataSource.transaction(async (manager) => {
        await at.bus.dispatch(new Note('lost')).within(manager);
        throw new Error('rolled back');
      });
      await expect(lost).rejects.toThrow('rolled back');
      const jobs = await at.manager.connection().pendingJobs();
      expect(jobs.map(({ payload }) => (payload as { data: { text: string } }).data.text)).toEqual(['outside', 'kept']);
      await expect(at.bus.dispatch(new Note()).onConnection('memory').within(dataSource.manager)).rejects.toThrow(
        AbilityMissingError,
      );
    } finally {
      await closeApps();
      await dataSource.destroy();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a dispatch that takes too long', () => {
  it('rejects after dispatchTimeout, saying that it is not known what became of it', async () => {
    const store = new BrittleStore();
    const queue = { ...store.backend.queue!, push: () => new Promise<never>(() => {}) };
    const at = await openApp('memory', {
      providers: JOBS,
      options: {
        connections: { slow: { driver: 'slow' } as never },
        drivers: { slow: () => ({ ...store.backend, queue }) },
        dispatchTimeout: '100ms',
      },
    });
    const before = Date.now();
    const sent = at.bus.dispatch(new Note()).onConnection('slow');
    await expect(sent).rejects.toThrow(DispatchTimeoutError);
    await expect(sent).rejects.toMatchObject({ outcome: 'unknown' });
    expect(Date.now() - before).toBeLessThan(1_000);
  });
});

describe('an encrypted job without a key', () => {
  @Job()
  @Encrypted()
  class Secret extends Queueable {
    handle() {}
  }
  it('that is registered ends the boot', async () => {
    await expect(openApp('memory', { providers: [Secret] })).rejects.toThrow(
      /Secret is @Encrypted\(\), and QueueModule has no key/,
    );
  });
  it('is not sent in the clear', async () => {
    const at = await openApp('memory', { providers: [Note] });
    await expect(at.bus.dispatch(new Secret())).rejects.toThrow(InvalidOptionError);
    await expect(at.bus.dispatch(Object.assign(new Note(), { shouldBeEncrypted: true }))).rejects.toThrow(
      InvalidOptionError,
    );
    expect((await at.manager.connection().size()).total).toBe(0);
  });
});
