import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { AfterCommit, Job, JobQueued, JobQueueing, Queueable, type QueueModuleOptions } from 'nestjs-queue';
import type { DataSource, EntityManager } from 'typeorm';
import { closeApps, openApp, sleep, until, type Opened } from './open-app.js';
import { describeSql, OrderSchema } from './sql-sources.js';

@Job()
class Ship extends Queueable {
  constructor(public order: string) {
    super();
  }
  handle() {}
}
@Job()
@AfterCommit()
class Bill extends Ship {}

const rollBack = (): never => {
  throw new Error('rolled back');
};
const order = (manager: EntityManager, id: number): Promise<unknown> => manager.save(OrderSchema, { id, state: 'new' });

describeSql('transactions', ['postgres', 'mariadb'], (source) => {
  let at: Opened;
  let app: DataSource;
  let other: DataSource;
  let logged: string[];
  let events: string[];

  async function open(options: Partial<QueueModuleOptions> = {}): Promise<void> {
    logged = [];
    events = [];
    const log = (...message: unknown[]): void => void logged.push(message.map(String).join(' '));
    at = await openApp('memory', {
      logger: { log() {}, error: log, warn: log },
      providers: [Ship, Bill],
      // None has the default name: what is listened to does not depend on it.
      imports: [
        TypeOrmModule.forRoot(source.options('orders')),
        TypeOrmModule.forRoot({ ...source.options('reports'), synchronize: false }),
      ],
      options: {
        ...options,
        connections: {
          database: { driver: 'database', dataSource: 'orders', migrate: true },
          late: { driver: 'memory', afterCommit: true },
          ...options.connections,
        } as never,
      },
    });
    app = at.app.get(getDataSourceToken('orders'));
    other = at.app.get(getDataSourceToken('reports'));
    at.manager.on(JobQueueing, ({ job }) => void events.push(`queueing ${(job as Ship).order}`));
    at.manager.on(JobQueued, ({ job }) => void events.push(`queued ${(job as Ship).order}`));
    await app.query('DELETE FROM orders');
    await at.manager.connection('database').clear();
  }
  beforeEach(() => open());
  afterEach(closeApps);

  async function queued(connection = 'memory'): Promise<string[]> {
    const jobs = await at.manager.connection(connection).pendingJobs(undefined, { limit: 10_000 });
    return jobs.map(({ payload }) => (payload as { data: { order: string } }).data.order);
  }
  const orders = (): Promise<number> => app.getRepository(OrderSchema).count();

  it('a job that waits is sent by the commit, in the order of the dispatches, with its events', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('1'));
      void at.bus.dispatch(new Bill('2'));
      await at.bus.bulk([new Bill('3'), new Ship('at once'), new Bill('4')]);
      await at.bus.dispatch(new Ship('5').afterCommit());
      await at.bus.dispatch(new Ship('elsewhere')).onConnection('late');
      expect(events).toEqual(['queueing at once', 'queued at once']);
      expect([await queued(), await queued('late')]).toEqual([['at once'], []]);
    });
    expect(await queued()).toEqual(['at once', '1', '2', '3', '4', '5']);
    expect(await queued('late')).toEqual(['elsewhere']);
    expect(events).toHaveLength(14);
    await at.bus.dispatch(new Bill('outside'));
    expect(await queued()).toContain('outside');
  });

  it('is gone with a rollback, a savepoint’s alone as well', async () => {
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('lost'));
      void at.bus.bulk([new Bill('lost too')]);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    await app.transaction(async (manager) => {
      await at.bus.dispatch(new Bill('outer'));
      const inner = manager.transaction(async (nested) => {
        await order(nested, 2);
        await at.bus.dispatch(new Bill('inner'));
        await nested.transaction(async () => void (await at.bus.dispatch(new Bill('innermost'))));
        rollBack();
      });
      await expect(inner).rejects.toThrow('rolled back');
      await manager.transaction(async () => void (await at.bus.dispatch(new Bill('second inner'))));
      await at.bus.dispatch(new Bill('outer again'));
    });
    expect(await queued()).toEqual(['outer', 'second inner', 'outer again']);
    expect(events.some((one) => one.includes('lost'))).toBe(false);
  });

  it('knows QueryRunners, used again and again, with savepoints of their own', async () => {
    const runner = app.createQueryRunner();
    await runner.startTransaction();
    await at.bus.dispatch(new Bill('lost'));
    await runner.rollbackTransaction();
    await at.bus.dispatch(new Bill('between'));
    await runner.startTransaction();
    await at.bus.dispatch(new Bill('outer'));
    await runner.startTransaction();
    await at.bus.dispatch(new Bill('inner'));
    await runner.rollbackTransaction();
    await order(runner.manager, 1);
    await runner.commitTransaction();
    await runner.release();
    await at.bus.dispatch(new Bill('behind'));
    expect([await queued(), await orders()]).toEqual([['between', 'outer', 'behind'], 1]);
  });

  it('does not mix up many transactions at a time, on two DataSources', async () => {
    const expected: string[] = [];
    await Promise.allSettled(
      Array.from({ length: 60 }, async (_, n) => {
        const commits = n % 3 !== 0;
        const innerCommits = n % 4 !== 0;
        if (commits) expected.push(`${n} first`, `${n} last`);
        if (commits && innerCommits) expected.push(`${n} inner`);
        await (n % 2 === 0 ? app : other).transaction(async (manager) => {
          await at.bus.dispatch(new Bill(`${n} first`));
          await order(manager, n);
          await sleep(Math.random() * 10);
          await manager
            .transaction(async (nested) => {
              await nested.query('SELECT 1');
              await at.bus.dispatch(new Bill(`${n} inner`));
              await sleep(Math.random() * 5);
              if (!innerCommits) rollBack();
            })
            .catch(() => undefined);
          await at.bus.dispatch(new Bill(`${n} last`));
          if (!commits) rollBack();
        });
      }),
    );
    expect((await queued()).sort()).toEqual(expected.sort());
    expect(await orders()).toBe(40);
  });

  it('what is beside a transaction is outside', async () => {
    let running = Promise.resolve();
    const started = new Promise<void>((resolve) => {
      running = app.transaction(async (manager) => {
        await order(manager, 1);
        resolve();
        await sleep(150);
        rollBack();
      });
    });
    await Promise.all([started, at.bus.dispatch(new Bill('beside'))]);
    await at.bus.dispatch(new Bill('during'));
    expect(await queued()).toEqual(['beside', 'during']);
    await expect(running).rejects.toThrow('rolled back');
  });

  it('a plain dispatch goes beside the transaction, and stays when that is rolled back', async () => {
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('plain')).onConnection('database');
      await at.bus.dispatch(new Bill('not now')).onConnection('database').beforeCommit();
      expect(await queued('database')).toEqual(['plain', 'not now']);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect([await queued('database'), await orders()]).toEqual([['plain', 'not now'], 0]);
  });

  it('within() commits and rolls back with the caller’s rows, by savepoint too', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('1')).onConnection('database').within(manager);
      const inner = manager.transaction(async (nested) => {
        await order(nested, 2);
        await at.bus.dispatch(new Ship('inner')).onConnection('database').within(nested);
        rollBack();
      });
      await expect(inner).rejects.toThrow('rolled back');
      expect(await queued('database')).toEqual([]);
      void at.bus.dispatch(new Bill('2')).onConnection('database').within(manager);
    });
    expect([await queued('database'), await orders()]).toEqual([['1', '2'], 1]);
    const lost = app.transaction(async (manager) => {
      await order(manager, 3);
      await at.bus.dispatch(new Ship('lost')).onConnection('database').within(manager);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect([await queued('database'), await orders()]).toEqual([['1', '2'], 1]);
  });

  it('waits on the database itself too', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('1')).onConnection('database');
      await at.bus.bulk([new Bill('2').onConnection('database'), new Bill('3').onConnection('database')]);
      expect(await queued('database')).toEqual([]);
    });
    expect(await queued('database')).toEqual(['1', '2', '3']);
  });

  it('a store that is away at the commit is reported by the job’s name and id; the transaction has committed', async () => {
    await closeApps();
    const away = { driver: 'redis', url: 'redis://127.0.0.1:1', afterCommit: true };
    await open({ dispatchTimeout: '300ms', connections: { away: away as never } });
    let id: string | undefined;
    await app.transaction(async (manager) => {
      await order(manager, 1);
      id = (await at.bus.dispatch(new Ship('x')).onConnection('away'))?.id;
    });
    expect(await orders()).toBe(1);
    expect(logged.filter((line) => line.includes(`Ship [${id}] waited for a commit and then failed`))).toHaveLength(1);
  });

  it('a lost connection before the COMMIT is a rollback', async () => {
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Bill('lost'));
      const [{ id }] = await manager.query(
        source.kind === 'postgres' ? 'SELECT pg_backend_pid() AS id' : 'SELECT connection_id() AS id',
      );
      await other.query(source.kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
      await order(manager, 2);
    });
    await expect(lost).rejects.toThrow(/terminat|closed|lost|released|ended by|ECONNRESET/i);
    await until(async () => (await orders()) === 0, 'the end of the transaction');
    await at.bus.dispatch(new Bill('outside'));
    await sleep(500);
    expect(await queued()).toEqual(['outside']);
    expect(logged.filter((line) => line.includes('waited for'))).toEqual([]);
  });

  if (source.kind !== 'postgres') return;

  it('a COMMIT that the database refuses is a rollback', async () => {
    await app.query(
      'CREATE TABLE parts (id int PRIMARY KEY, whole int REFERENCES parts DEFERRABLE INITIALLY DEFERRED)',
    );
    const lost = app.transaction(async (manager) => {
      await manager.query('INSERT INTO parts VALUES (1, 2)');
      await at.bus.dispatch(new Bill('lost'));
    });
    await expect(lost).rejects.toThrow(/foreign key/);
    await sleep(500);
    expect(await queued()).toEqual([]);
    expect(logged).toEqual([]);
    await app.query('DROP TABLE parts');
  });
});
