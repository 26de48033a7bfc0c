import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import { QueueBus, QueueModule, type ConnectionOptions } from 'nestjs-queue';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import { DataSource, EntityManager } from 'typeorm';
import { ImportRates, JOBS, KEY, Rebuild, ShipOrder } from './fake-jobs.js';

const order = (id: number): ShipOrder => new ShipOrder({ id });

const CONNECTIONS: Record<string, ConnectionOptions> = {
  // In the application's own file, which the open transaction writes.
  joined: { driver: 'database', dataSource: 'default' },
  redis: { driver: 'redis', url: 'redis://127.0.0.1:1', outbox: true },
  postgres: {
    driver: 'database',
    dataSource: { type: 'postgres', host: '127.0.0.1', port: 1, username: 'u', database: 'd' },
  },
};

const WHEN = [true, false].flatMap((init) => Object.keys(CONNECTIONS).map((name) => [name, init] as const));

describe.each(WHEN)('a faked queue on %s, in transactions of the application, after init(): %s', (name, init) => {
  let dir: string;
  let moduleRef: TestingModule;
  let bus: QueueBus;
  let queue: QueueFake;
  let app: DataSource;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'queue-fake-'));
    const database = { type: 'better-sqlite3' as const, driver: libsql, database: join(dir, 'app.sqlite') };
    const builder = Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot(database),
        QueueModule.forRoot({ default: name, connections: CONNECTIONS, key: KEY }),
      ],
      providers: JOBS,
    });
    moduleRef = await fakeQueue(builder).compile();
    if (init) await moduleRef.init();
    bus = moduleRef.get(QueueBus);
    queue = moduleRef.get(QueueFake);
    app = moduleRef.get<DataSource>(getDataSourceToken());
  });
  afterEach(async () => {
    await moduleRef.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('knows what waits for a commit when that comes', async () => {
    await app.transaction(async () => {
      await bus.dispatch(order(1)).afterCommit();
      await bus.dispatch(new ImportRates('a')).afterCommit();
      expect(await bus.dispatch(new ImportRates('a')).afterCommit()).toBeNull();
      if (name !== 'redis') queue.assertNothingPushed();
    });
    queue.assertPushed(ShipOrder, 1);
    queue.assertPushed(ImportRates, 1);
    expect(queue.records.map(({ connection }) => connection)).toEqual([name, name]);
  });

  it('forgets what waited for a commit that never came', async () => {
    const failing = app.transaction(async () => {
      await bus.dispatch(order(1)).afterCommit().delay(60);
      await bus.dispatch(new Rebuild()).afterCommit();
      throw new Error('no stock');
    });
    await expect(failing).rejects.toThrow('no stock');
    queue.assertNothingPushed();
    expect(await bus.dispatch(new Rebuild())).not.toBeNull();
  });

  it('listens to no DataSource once it is closed', async () => {
    const before = [...app.subscribers];
    expect(before).toHaveLength(1);
    // As it stands where the application closes it later, or never.
    const { subscribers } = app;
    await moduleRef.close();
    expect(subscribers).toEqual([]);
  });

  it('writes nothing to any file', async () => {
    await bus.bulk([order(1), new Rebuild()]);
    await bus.batch([order(1)]).dispatch();
    const tables = await app.query<object[]>("SELECT name FROM sqlite_master WHERE type = 'table'");
    expect(tables).toEqual([]);
    expect(readdirSync(dir).filter((file) => !file.startsWith('app.sqlite'))).toEqual([]);
  });

  if (name === 'postgres') {
    it('refuses the manager of another database', async () => {
      const sent = app.transaction(async (manager) => void (await bus.dispatch(order(1)).within(manager)));
      await expect(sent).rejects.toThrow('an EntityManager of another database');
      queue.assertNothingPushed();
    });
    return;
  }

  it('keeps what was stored within a transaction that commits, and forgets it with one that does not', async () => {
    const sending = async (manager: EntityManager, id: number): Promise<void> => {
      const receipt = await bus.dispatch(order(id)).within(manager).delay('5m');
      await bus.dispatch(new ImportRates(`day ${id}`)).within(manager);
      expect(receipt).toMatchObject({ connection: name });
    };
    await app.transaction((manager) => sending(manager, 1));
    queue.assertPushed(ShipOrder, 1);
    expect(queue.records[0]).toMatchObject({ connection: name, queue: 'default' });
    expect(Math.round(queue.records[0]!.delayMs / 10_000)).toBe(30);
    const failing = app.transaction(async (manager) => {
      await sending(manager, 2);
      throw new Error('no stock');
    });
    await expect(failing).rejects.toThrow('no stock');
    queue.assertPushed(ShipOrder, 1);
    queue.assertPushed(ImportRates, 1);
    expect(await bus.dispatch(new ImportRates('day 1'))).toBeNull();
    expect(await bus.dispatch(new ImportRates('day 2'))).not.toBeNull();
  });

  if (name === 'joined') {
    it('forgets plain dispatches that had joined a transaction', async () => {
      const failing = app.transaction(async () => {
        await bus.dispatch(order(1));
        await bus.bulk([order(2), new Rebuild()]);
        queue.assertCount(3);
        throw new Error('no stock');
      });
      await expect(failing).rejects.toThrow('no stock');
      queue.assertNothingPushed();
      expect(await bus.dispatch(new Rebuild())).not.toBeNull();
      await app.transaction(async () => void (await bus.dispatch(order(3))));
      queue.assertPushed(ShipOrder, 1);
    });

    it('refuses a batch inside one', async () => {
      const sent = app.transaction(async () => void (await bus.batch([order(1)]).dispatch()));
      await expect(sent).rejects.toThrow('A batch cannot be stored inside an open transaction');
      queue.assertNothingPlaced();
    });
  }
});
