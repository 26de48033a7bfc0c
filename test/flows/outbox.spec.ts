import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  AfterCommit,
  Job,
  JobQueued,
  JobQueueing,
  JobProcessed,
  PayloadTooLargeError,
  Queueable,
  Unique,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { installSchema } from '../../lib/operations/install-schema.js';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import type { DataSource, EntityManager } from 'typeorm';
import { freshRedis, type FreshRedis } from '../support/shared-redis.js';
import { closeApps, openApp, until, type Opened } from './open-app.js';
import { describeSql, OrderSchema, SQL_KINDS } from './sql-sources.js';

const ran: string[] = [];

@Job()
class Ship extends Queueable {
  constructor(public order: string) {
    super();
  }
  handle() {
    ran.push(this.order);
  }
}
@Job()
@AfterCommit()
class Bill extends Ship {}

@Job()
@Unique()
class Once extends Ship {
  uniqueId() {
    return this.order;
  }
}

const rollBack = (): never => {
  throw new Error('rolled back');
};

describeSql('an outbox in front of Redis', SQL_KINDS, (source) => {
  let redis: FreshRedis;
  let at: Opened;
  let app: DataSource;
  let logged: string[];
  let events: string[];

  async function open(options: Partial<QueueModuleOptions> = {}, ready = true): Promise<Opened> {
    const log = (...message: unknown[]): void => void logged.push(message.map(String).join(' '));
    const outbox = { dataSource: 'orders' };
    const place = { driver: 'redis', url: redis.url, prefix: redis.prefix, retryAfter: '2s' };
    const opened = await openApp('memory', {
      logger: { log() {}, error: log, warn: log },
      providers: [Ship, Bill, Once],
      imports: [TypeOrmModule.forRoot(source.options('orders'))],
      options: {
        default: 'redis',
        failed: { driver: 'memory' },
        ...options,
        connections: {
          redis: { ...place, outbox },
          late: { ...place, outbox, afterCommit: true, queue: 'late' },
          bare: { ...place, queue: 'bare' },
          here: { driver: 'memory', queue: 'here', outbox },
          ...options.connections,
        } as never,
      },
    });
    const runtime = opened.app.get<QueueRuntime>(QUEUE_RUNTIME);
    if (ready) for (const name of ['redis']) await installSchema(runtime.connections, name);
    return opened;
  }

  beforeEach(async () => {
    redis = await freshRedis();
    ran.length = 0;
    logged = [];
    events = [];
    at = await open();
    app = at.app.get(getDataSourceToken('orders'));
    await app.query('DELETE FROM orders');
    await app.query('DELETE FROM queue_outbox');
    at.manager.on(JobQueueing, ({ job }) => void events.push(`queueing ${(job as Ship).order}`));
    at.manager.on(
      JobQueued,
      ({ job, connectionName }) => void events.push(`queued ${(job as Ship).order} ${connectionName}`),
    );
  });
  afterEach(async () => {
    await closeApps();
    await redis.drop();
  });

  const order = (manager: EntityManager, id: number): Promise<unknown> =>
    manager.save(OrderSchema, { id, state: 'new' });
  const waiting = async (): Promise<number> => Number((await app.query('SELECT count(*) AS n FROM queue_outbox'))[0].n);
  async function queued(connection = 'redis', queue?: string): Promise<string[]> {
    const jobs = await at.manager.connection(connection).pendingJobs(queue, { limit: 10_000 });
    return jobs.map(({ payload }) => (payload as { data: { order: string } }).data.order);
  }
  /** Runs a worker of another queue: relays are for all of the module. */
  async function relayed(): Promise<void> {
    const work = at.workers.work({ connection: 'redis', queues: ['other'] });
    try {
      await until(async () => (await waiting()) === 0, 'an empty outbox', 10_000);
    } finally {
      await at.workers.stop();
      await work;
    }
  }

  it('takes part in the commit, and is emptied in order by any worker', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      const receipt = await at.bus.dispatch(new Ship('1')).afterCommit();
      expect(receipt).toMatchObject({ connection: 'redis', queue: 'default' });
      await at.bus.dispatch(new Bill('2'));
      await at.bus.bulk([new Bill('3'), new Bill('4'), new Ship('at once')]);
      await at.bus.dispatch(new Ship('5')).within(manager);
      await at.bus.dispatch(new Ship('other')).onConnection('late');
      expect(events).toEqual([
        'queueing 1',
        'queueing 2',
        'queueing 3',
        'queueing 4',
        'queueing at once',
        'queued at once redis',
        'queueing 5',
        'queueing other',
      ]);
    });
    expect(events.slice(8)).toEqual(
      ['1', '2', '3', '4', '5'].map((one) => `queued ${one} redis`).concat('queued other late'),
    );
    expect([await queued(), await queued('late'), await waiting()]).toEqual([['at once'], [], 6]);
    events.length = 0;
    await relayed();
    expect(await queued()).toEqual(['at once', '1', '2', '3', '4', '5']);
    expect(await queued('late')).toEqual(['other']);
    expect(events).toEqual([]);
    await at.drain();
    expect(ran).toEqual(['at once', '1', '2', '3', '4', '5']);
    expect(logged).toEqual([]);
  });

  it('keeps nothing of what was rolled back, a savepoint’s alone too', async () => {
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('lost'));
      await at.bus.dispatch(new Ship('lost')).within(manager);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await waiting()).toBe(0);
    await app.transaction(async (manager) => {
      await at.bus.dispatch(new Bill('outer'));
      const inner = manager.transaction(async (nested) => {
        await order(nested, 2);
        await at.bus.dispatch(new Bill('inner'));
        rollBack();
      });
      await expect(inner).rejects.toThrow('rolled back');
      await manager.transaction(async () => void (await at.bus.dispatch(new Bill('second inner'))));
      void at.bus.dispatch(new Bill('not awaited'));
      void at.bus.bulk([new Bill('nor'), new Bill('these')]);
    });
    expect(events.filter((one) => one.startsWith('queued'))).toEqual(
      ['outer', 'second inner', 'not awaited', 'nor', 'these'].map((one) => `queued ${one} redis`),
    );
    await relayed();
    expect(await queued()).toEqual(['outer', 'second inner', 'not awaited', 'nor', 'these']);
  });

  it('is not asked where no transaction of its database is open', async () => {
    await at.bus.dispatch(new Bill('plain'));
    expect([await queued(), await waiting()]).toEqual([['plain'], 0]);
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('at once'));
      await at.bus.dispatch(new Bill('not now')).beforeCommit();
      expect(await queued()).toEqual(['plain', 'at once', 'not now']);
      await expect(at.bus.dispatch(new Ship('no')).onConnection('bare').within(manager)).rejects.toThrow(
        'For .within(manager) name a database connection, or give this one an outbox.',
      );
      // In memory, as without an outbox.
      await at.bus.dispatch(new Bill('late')).onConnection('bare');
      expect(await queued('bare')).toEqual([]);
    });
    expect(await queued('bare')).toEqual(['late']);
  });

  it('knows a QueryRunner’s transaction', async () => {
    const runner = app.createQueryRunner();
    await runner.startTransaction();
    await at.bus.dispatch(new Bill('lost'));
    await runner.rollbackTransaction();
    await runner.startTransaction();
    await order(runner.manager, 1);
    await at.bus.dispatch(new Bill('kept'));
    await runner.commitTransaction();
    await runner.release();
    await relayed();
    expect(await queued()).toEqual(['kept']);
  });

  it('counts a delay from the dispatch, and keeps priority and queue', async () => {
    await app.transaction(async () => {
      await at.bus.dispatch(new Bill('delayed')).delay(1);
      await at.bus.dispatch(new Bill('elsewhere')).onQueue('elsewhere');
    });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await relayed();
    expect([await queued(), await queued('redis', 'elsewhere')]).toEqual([['delayed'], ['elsewhere']]);
  });

  it('refuses at dispatch what its connection would refuse, and its transaction goes on', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      const large = new Ship('x'.repeat(1_100_000));
      await expect(at.bus.dispatch(large).afterCommit()).rejects.toThrow(PayloadTooLargeError);
      await expect(at.bus.dispatch(large).within(manager)).rejects.toThrow(PayloadTooLargeError);
      await expect(at.bus.dispatch(new Ship('x')).within({})).rejects.toThrow(
        /Give it the EntityManager|another database/,
      );
      const bulk = at.bus.bulk([new Bill('good'), large.afterCommit(), new Bill('good too')]);
      await expect(bulk).rejects.toMatchObject({ failures: [{ index: 1 }] });
    });
    await relayed();
    expect(await queued()).toEqual(['good', 'good too']);
  });

  it('stands before a store in memory too', async () => {
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('here')).onConnection('here')));
    expect([await queued('here'), await waiting()]).toEqual([[], 1]);
    await relayed();
    expect(await queued('here')).toEqual(['here']);
  });

  it.each([
    ['afterCommit', (one: Once) => at.bus.dispatch(one).afterCommit()],
    ['within', (one: Once, manager: EntityManager) => at.bus.dispatch(one).within(manager)],
  ] as const)(
    'holds the lock of a unique job from its dispatch on, and a rollback gives it back: %s',
    async (_, send) => {
      const dispatch = (manager: EntityManager): PromiseLike<unknown> => send(new Once('one'), manager);
      const lost = app.transaction(async (manager) => {
        expect(await dispatch(manager)).not.toBeNull();
        expect(await dispatch(manager)).toBeNull();
        rollBack();
      });
      await expect(lost).rejects.toThrow('rolled back');
      await app.transaction(async (manager) => expect(await dispatch(manager)).not.toBeNull());
      await app.transaction(async (manager) => expect(await dispatch(manager)).toBeNull());
      expect(await waiting()).toBe(1);
      await relayed();
      await app.transaction(async (manager) => expect(await dispatch(manager)).toBeNull());
      await at.drain();
      expect(ran).toEqual(['one']);
      await app.transaction(async (manager) => expect(await dispatch(manager)).not.toBeNull());
    },
  );

  it('is relayed by one of several workers at a time, each job once and in order', async () => {
    const others = [await open({}, false), await open({}, false)];
    const works = [at, ...others].map((one) => one.workers.work({ connection: 'redis', queues: ['other'] }));
    const all: string[] = [];
    for (let n = 0; n < 40; n++) {
      await app.transaction(async () => {
        await at.bus.bulk(Array.from({ length: 10 }, (_, one) => new Bill(`${n}.${one}`)));
        all.push(...Array.from({ length: 10 }, (_, one) => `${n}.${one}`));
      });
    }
    await until(async () => (await waiting()) === 0, 'an empty outbox', 20_000);
    // Whoever relays ends; another one takes over.
    await at.workers.stop();
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('last'))));
    all.push('last');
    await until(async () => (await waiting()) === 0, 'an empty outbox once more', 20_000);
    for (const one of others) await one.workers.stop();
    await Promise.all(works);
    expect(await queued()).toEqual(all);
    await at.drain();
    expect(ran).toEqual(all);
    expect(at.seen.filter((one) => one instanceof JobProcessed)).toHaveLength(all.length);
  }, 60_000);

  it('hears of a commit in its own process at once', async () => {
    const work = at.workers.work({ connection: 'redis', queues: ['other'] });
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('first'))));
    await until(async () => (await waiting()) === 0, 'the first', 10_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const took: number[] = [];
    for (let n = 0; n < 5; n++) {
      await app.transaction(async (manager) => {
        await order(manager, 100 + n);
        await at.bus.dispatch(new Bill('next'));
        await new Promise((resolve) => setTimeout(resolve, 60));
      });
      const began = performance.now();
      await until(async () => (await waiting()) === 0, 'the next', 10_000);
      took.push(performance.now() - began);
    }
    await at.workers.stop();
    await work;
    expect(took.sort((a, b) => a - b)[2]).toBeLessThan(500);
  }, 30_000);

  if (source.kind !== 'sqlite') return;

  it('makes its tables within the first transaction that needs them', async () => {
    for (const table of ['queue_outbox', 'queue_outbox_locks', 'queue_outbox_cancelled', 'queue_schema'])
      await app.query(`DROP TABLE ${table}`);
    await closeApps();
    at = await open({}, false);
    app = at.app.get(getDataSourceToken('orders'));
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('lost'));
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    await expect(waiting()).rejects.toThrow('no such table');
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('kept'))));
    await relayed();
    expect(await queued()).toEqual(['kept']);
  });
});
