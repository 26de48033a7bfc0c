import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import {
  AfterCommit,
  Job,
  JobQueued,
  JobQueueing,
  PayloadTooLargeError,
  Queueable,
  UnserializableError,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { DataSource, EntitySchema, type EntityManager, type EntitySubscriberInterface } from 'typeorm';
import { closeApps, openApp, sleep, type Opened } from './open-app.js';

interface Order {
  id: number;
  state: string;
}
const OrderSchema = new EntitySchema<Order>({
  name: 'order',
  tableName: 'orders',
  columns: { id: { type: Number, primary: true }, state: { type: String } },
});

const ran: string[] = [];

@Job()
class Ship extends Queueable {
  constructor(public order: string) {
    super();
  }
  handle() {
    ran.push(this.order);
    if (this.order === 'bad') throw new Error('no such address');
  }
}
@Job()
@AfterCommit()
class Bill extends Ship {}

let dir: string;
let at: Opened;
let app: DataSource;
let other: DataSource;
let logged: string[];

const database = (name: string, file: string): object => ({
  name,
  type: 'better-sqlite3',
  driver: libsql,
  database: join(dir, file),
  enableWAL: true,
  entities: [OrderSchema],
  synchronize: true,
});

async function open(options: Partial<QueueModuleOptions> = {}): Promise<void> {
  const log = (...message: unknown[]): void => void logged.push(message.map(String).join(' '));
  at = await openApp('database', {
    dir,
    logger: { log() {}, error: log, warn: log },
    providers: [Ship, Bill],
    imports: [
      TypeOrmModule.forRoot(database('default', 'app.sqlite')),
      TypeOrmModule.forRoot(database('b', 'b.sqlite')),
    ],
    options: {
      ...options,
      connections: {
        database: { driver: 'database', dataSource: 'default' },
        b: { driver: 'database', dataSource: 'b' },
        late: { driver: 'memory', afterCommit: true },
        lateSync: { driver: 'sync', afterCommit: true },
        lateDatabase: { driver: 'database', dataSource: 'default', table: 'late_jobs', afterCommit: true },
        ...options.connections,
      } as never,
    },
  });
  app = at.app.get(DataSource);
  other = at.app.get(getDataSourceToken('b'));
}

/** What a connection holds, by the orders that its jobs carry. */
async function queued(connection?: string): Promise<string[]> {
  const jobs = await at.manager.connection(connection).pendingJobs();
  return jobs.map(({ payload }) => (payload as { data: { order: string } }).data.order);
}
const orders = (of = app): Promise<number> => of.getRepository(OrderSchema).count();
const order = (manager: EntityManager, id: number): Promise<unknown> => manager.save(OrderSchema, { id, state: 'new' });
const rollBack = (): never => {
  throw new Error('rolled back');
};
/** Runs `work` as another request would be run: not inside anything that the test opens later. */
function elsewhere(): { run: <T>(work: () => Promise<T>) => Promise<T> } {
  let go!: (work: () => Promise<unknown>) => void;
  const done = new Promise<() => Promise<unknown>>((resolve) => (go = resolve)).then((work) => work());
  return {
    run: <T>(work: () => Promise<T>) => {
      go(work);
      return done as Promise<T>;
    },
  };
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'queue-transactions-'));
  ran.length = 0;
  logged = [];
});
afterEach(async () => {
  await closeApps();
  rmSync(dir, { recursive: true, force: true });
});

describe('a plain dispatch inside a transaction on the queue’s own file', () => {
  beforeEach(() => open());

  it('commits with it, without waiting for it', async () => {
    const began = performance.now();
    await app.transaction(async (manager) => {
      await order(manager, 1);
      const receipt = await at.bus.dispatch(new Ship('1'));
      expect(receipt?.connection).toBe('database');
      await at.bus.dispatch(new Ship('2')).beforeCommit();
    });
    // One that waited for the transaction's end would wait until dispatchTimeout, 5 s.
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(await queued()).toEqual(['1', '2']);
    expect(await orders()).toBe(1);
    await at.drain();
    expect(ran).toEqual(['1', '2']);
  });

  it('rolls back with it', async () => {
    await at.bus.dispatch(new Ship('before'));
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('lost'));
      await at.bus.bulk([new Ship('too'), new Ship('and this')]);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    await at.bus.dispatch(new Ship('after'));
    expect(await queued()).toEqual(['before', 'after']);
    expect(await orders()).toBe(0);
  });

  it('is sent by the statement alone as well', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      void at.bus.dispatch(new Ship('1'));
    });
    expect(await queued()).toEqual(['1']);
    const lost = app.transaction(async (manager) => {
      await order(manager, 2);
      void at.bus.dispatch(new Ship('2'));
      void at.bus.bulk([new Ship('3'), new Ship('4')]);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await queued()).toEqual(['1']);
  });

  it('joins before anything was written too, and a bulk does', async () => {
    await app.transaction(async (manager) => {
      await manager.find(OrderSchema);
      const receipts = await at.bus.bulk([new Ship('1'), new Ship('2').onConnection('memory')]);
      expect(receipts.map((one) => one?.connection)).toEqual(['database', 'memory']);
      await order(manager, 1);
    });
    expect([await queued(), await queued('memory'), await orders()]).toEqual([['1'], ['2'], 1]);
  });

  it('belongs to its savepoint', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('outer'));
      const inner = manager.transaction(async (nested) => {
        await order(nested, 2);
        await at.bus.dispatch(new Ship('inner'));
        rollBack();
      });
      await expect(inner).rejects.toThrow('rolled back');
      await manager.transaction(async () => void (await at.bus.dispatch(new Ship('second inner'))));
      await at.bus.dispatch(new Ship('outer again'));
    });
    expect(await queued()).toEqual(['outer', 'second inner', 'outer again']);
    expect(await orders()).toBe(1);
  });

  it('knows a QueryRunner’s transaction', async () => {
    const runner = app.createQueryRunner();
    await runner.startTransaction();
    await order(runner.manager, 1);
    await at.bus.dispatch(new Ship('lost'));
    await runner.rollbackTransaction();
    await at.bus.dispatch(new Ship('between'));
    await runner.startTransaction();
    await order(runner.manager, 2);
    await at.bus.dispatch(new Ship('kept'));
    await runner.commitTransaction();
    await runner.release();
    await at.bus.dispatch(new Ship('behind')).afterCommit();
    expect(await queued()).toEqual(['between', 'kept', 'behind']);
  });

  it('goes to the file of its own DataSource where two have transactions at a time', async () => {
    const one = app.transaction(async (manager) => {
      await order(manager, 1);
      await sleep(20);
      await at.bus.dispatch(new Ship('a'));
      await sleep(20);
    });
    const two = other.transaction(async (manager) => {
      await order(manager, 1);
      await sleep(10);
      await at.bus.dispatch(new Ship('b')).onConnection('b');
      await sleep(20);
      rollBack();
    });
    expect((await Promise.allSettled([one, two])).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect([await queued(), await queued('b'), await orders(), await orders(other)]).toEqual([['a'], [], 1, 0]);
  });

  it('goes beside a transaction on another file, and joins the one around that', async () => {
    const lost = other.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('beside'));
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await queued()).toEqual(['beside']);
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await other.transaction(async (within) => {
        await order(within, 2);
        // Waits for the inner commit, and is then inside the outer transaction, whose file it goes to.
        await at.bus.dispatch(new Ship('around')).afterCommit();
      });
      await at.bus.dispatch(new Ship('outer'));
    });
    expect(await queued()).toEqual(['beside', 'around', 'outer']);
  });

  it.each([true, false])('a bystander waits for it and is stored when it ends (commit: %p)', async (commits) => {
    const request = elsewhere();
    let bystander: Promise<unknown> | undefined;
    let stored = false;
    const transaction = app.transaction(async (manager) => {
      await order(manager, 1);
      bystander = request.run(async () => {
        await at.bus.dispatch(new Ship('bystander'));
        stored = true;
      });
      await sleep(100);
      expect(stored).toBe(false);
      if (!commits) rollBack();
    });
    await transaction.catch(() => undefined);
    await bystander;
    expect(await queued()).toEqual(['bystander']);
    expect(await orders()).toBe(commits ? 1 : 0);
  });

  it('what its caller dispatches beside it is a bystander too', async () => {
    const transaction = app.transaction(async (manager) => {
      await order(manager, 1);
      await sleep(100);
      rollBack();
    });
    await sleep(20);
    const sent = Promise.all([
      at.bus.dispatch(new Ship('beside')),
      at.bus.dispatch(new Ship('late')).onConnection('late'),
    ]);
    await expect(transaction).rejects.toThrow('rolled back');
    await sent;
    expect([await queued(), await queued('late')]).toEqual([['beside'], ['late']]);
  });
});

describe('the transaction that save() opens by itself', () => {
  it('is over when save() is, and is one for those inside it', async () => {
    await open();
    const subscriber: EntitySubscriberInterface = {
      afterInsert: async ({ entity }: { entity: Order }) => {
        await at.bus.dispatch(new Ship(`inserted ${entity.id}`));
        await at.bus.dispatch(new Bill(`committed ${entity.id}`)).onConnection('memory');
        expect(await queued('memory')).toEqual([]);
      },
    };
    await app.getRepository(OrderSchema).save({ id: 1, state: 'new' });
    await at.bus.dispatch(new Ship('plain'));
    await at.bus.dispatch(new Bill('late'));
    expect(await queued()).toEqual(['plain', 'late']);
    app.subscribers.push(subscriber);
    await app.getRepository(OrderSchema).save({ id: 2, state: 'new' });
    expect([await queued(), await queued('memory')]).toEqual([['plain', 'late', 'inserted 2'], ['committed 2']]);
  });
});

describe('afterCommit', () => {
  beforeEach(() => open());

  const forms: [string, () => PromiseLike<unknown>, string][] = [
    ['said of the dispatch', () => at.bus.dispatch(new Ship('1')).onConnection('memory').afterCommit(), 'memory'],
    ['said of the job', () => at.bus.dispatch(new Ship('1').onConnection('memory').afterCommit()), 'memory'],
    ['declared by the class', () => at.bus.dispatch(new Bill('1')).onConnection('memory'), 'memory'],
    ['the connection’s', () => at.bus.dispatch(new Ship('1')).onConnection('late'), 'late'],
    ['on the database', () => at.bus.dispatch(new Bill('1')), 'database'],
    ['the database connection’s', () => at.bus.dispatch(new Ship('1')).onConnection('lateDatabase'), 'lateDatabase'],
    ['of a bulk', () => at.bus.bulk([new Bill('1').onConnection('memory')]), 'memory'],
  ];
  it.each(forms)('%s: sent by the commit, gone with a rollback, at once outside', async (_form, send, connection) => {
    const events: string[] = [];
    at.manager.on(JobQueueing, () => void events.push('queueing'));
    at.manager.on(JobQueued, () => void events.push('queued'));
    await app.transaction(async (manager) => {
      await order(manager, 1);
      const sent = await send();
      const receipt = Array.isArray(sent) ? sent[0] : sent;
      expect(receipt).toMatchObject({ connection, id: expect.any(String) });
      expect(events).toEqual([]);
      // To look into a file for the first time is to make its tables, which waits for the transaction.
      const inStore = connection.toLowerCase().endsWith('database') ? [] : await queued(connection);
      expect(inStore).toEqual([]);
    });
    expect(events).toEqual(['queueing', 'queued']);
    expect(await queued(connection)).toEqual(['1']);
    const lost = app.transaction(async (manager) => {
      await order(manager, 2);
      await send();
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await queued(connection)).toEqual(['1']);
    await send();
    expect(await queued(connection)).toEqual(['1', '1']);
  });

  const stops: [string, () => PromiseLike<unknown>, string][] = [
    [
      'of the dispatch beats the class',
      () => at.bus.dispatch(new Bill('1')).onConnection('memory').beforeCommit(),
      'memory',
    ],
    [
      'of the job beats the class',
      () => at.bus.dispatch(new Bill('1').onConnection('memory').beforeCommit()),
      'memory',
    ],
    ['beats the connection', () => at.bus.dispatch(new Ship('1')).onConnection('late').beforeCommit(), 'late'],
    [
      'of the dispatch beats the job',
      () => at.bus.dispatch(new Ship('1').afterCommit()).onConnection('memory').beforeCommit(),
      'memory',
    ],
  ];
  it.each(stops)('beforeCommit() %s', async (_form, send, connection) => {
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      await send();
      expect(await queued(connection)).toEqual(['1']);
      rollBack();
    });
    await expect(lost).rejects.toThrow('rolled back');
    expect(await queued(connection)).toEqual(['1']);
  });

  it('takes the job as it stands at dispatch, and refuses there what cannot travel', async () => {
    await app.transaction(async () => {
      const job = new Ship('as dispatched');
      await at.bus.dispatch(job).afterCommit();
      job.order = 'changed';
      const wrong = Object.assign(new Ship('wrong'), { socket: Symbol('no data') });
      await expect(at.bus.dispatch(wrong).afterCommit()).rejects.toThrow(UnserializableError);
      const large = new Ship('x'.repeat(1_100_000));
      await expect(at.bus.dispatch(large).afterCommit()).rejects.toThrow(PayloadTooLargeError);
      const bulk = at.bus.bulk([new Bill('good'), large, new Bill('good too'), large.afterCommit()]);
      await expect(bulk).rejects.toMatchObject({ failures: [{ index: 1 }, { index: 3 }] });
    });
    expect(await queued()).toEqual(['as dispatched', 'good', 'good too']);
  });

  it('waits for the outermost commit, in the order of the dispatches', async () => {
    await app.transaction(async (manager) => {
      await at.bus.dispatch(new Bill('1')).onConnection('memory');
      await manager.transaction(async () => void (await at.bus.dispatch(new Bill('2')).onConnection('memory')));
      expect(await queued('memory')).toEqual([]);
      const inner = manager.transaction(async (nested) => {
        await at.bus.dispatch(new Bill('dropped')).onConnection('memory');
        await nested.transaction(async () => void (await at.bus.dispatch(new Bill('too')).onConnection('memory')));
        rollBack();
      });
      await expect(inner).rejects.toThrow('rolled back');
      await at.bus.bulk([new Bill('3').onConnection('memory'), new Ship('now').onConnection('memory')]);
      await at.bus.dispatch(new Bill('4')).onConnection('memory');
      expect(await queued('memory')).toEqual(['now']);
    });
    expect(await queued('memory')).toEqual(['now', '1', '2', '3', '4']);
  });

  it('on the sync connection the job runs once the transaction has committed', async () => {
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('1')).onConnection('lateSync');
      await at.bus.dispatch(new Ship('bad')).onConnection('lateSync');
      expect(ran).toEqual([]);
    });
    expect(ran).toEqual(['1', 'bad']);
    // The transaction has committed: the job's error is nobody's to catch.
    expect(logged.filter((line) => line.includes('waited for a commit'))).toEqual([
      expect.stringMatching(/Ship \[[0-9a-f-]{36}\] .*\[lateSync\] connection.*no such address/s),
    ]);
  });

  it('what comes behind a transaction that could not begin is outside', async () => {
    const runner = app.createQueryRunner();
    await app.query('BEGIN');
    await expect(runner.startTransaction()).rejects.toThrow(/within a transaction/);
    await app.query('ROLLBACK');
    await at.bus.dispatch(new Bill('1')).onConnection('memory');
    expect(await queued('memory')).toEqual(['1']);
  });
});

describe('a store that fails after the commit', () => {
  it('is reported, job by job; the transaction has committed and says so', async () => {
    await open({
      connections: { gone: { driver: 'gone', afterCommit: true } as never },
      drivers: {
        gone: () => {
          throw new Error('nobody at home');
        },
      },
    });
    await app.transaction(async (manager) => {
      await order(manager, 1);
      await at.bus.dispatch(new Ship('1')).onConnection('gone');
      await at.bus.dispatch(new Ship('2')).onConnection('late');
    });
    expect(await orders()).toBe(1);
    expect(await queued('late')).toEqual(['2']);
    expect(logged.filter((line) => line.includes('[gone]'))).toEqual([expect.stringContaining('nobody at home')]);
  });
});

describe('a DataSource that the module was given itself', () => {
  it('is listened to while the module lives', async () => {
    const given = await new DataSource(database('own', 'own.sqlite') as never).initialize();
    try {
      const before = given.subscribers.length;
      await open({ connections: { own: { driver: 'database', dataSource: given } as never } });
      await given.transaction(async (manager) => {
        await order(manager, 1);
        await at.bus.dispatch(new Ship('1')).onConnection('own');
      });
      expect(await queued('own')).toEqual(['1']);
      await closeApps();
      expect(given.subscribers).toHaveLength(before);
      expect(Object.hasOwn(given.manager, 'transaction')).toBe(false);
    } finally {
      await given.destroy();
    }
  });
});
