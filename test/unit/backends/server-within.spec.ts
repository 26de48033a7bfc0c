import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import type { PushEntry } from '../../../lib/contracts/queue-driver.js';
import { mysqlDialect } from '../../../lib/backends/database/mysql/mysql-dialect.js';
import { postgresDialect } from '../../../lib/backends/database/postgres/postgres-dialect.js';
import { EffectRows } from '../../../lib/backends/database/server/effect-rows.js';
import { EntryRows } from '../../../lib/backends/database/server/entry-rows.js';
import type { ServerSource } from '../../../lib/backends/database/server/server-source.js';
import { ServerTransactions } from '../../../lib/backends/database/server/within.js';
import { describeServer, useDatabase } from '../../support/shared-servers.js';
import { SideStores, type SideKind } from './server-side-harness.js';

const minute = 60_000;
const unique = (key: string, owner: string) => ({ lock: { key, owner, ttlMs: minute } });

describeServer('postgres', 'pushes within a transaction on Postgres', () => within('postgres'));
describeServer('mysql', 'pushes within a transaction on MySQL', () => within('mysql'));

function within(kind: SideKind): void {
  const database = useDatabase(kind);
  const dialect = kind === 'postgres' ? postgresDialect : mysqlDialect;
  let side: SideStores;
  let app: DataSource;
  let entries: EntryRows;
  let transactions: ServerTransactions;
  let told: string[][];

  const typed = (url: string) => ({ type: kind, url: url.replace(/^mariadb:/, 'mysql:') });
  const make = (over: Partial<ServerSource> = {}): ServerTransactions => {
    const source: ServerSource = { kind, options: typed(database.url), store: `${kind} at here`, ...over };
    const statements = dialect.statements(side.tables);
    return new ServerTransactions(
      source,
      dialect,
      statements,
      entries,
      (queues) => void told.push([...queues]),
      () => Promise.resolve(),
    );
  };
  const idsStored = async (): Promise<string[]> => {
    const { rows } = await side.read((link) =>
      link.query<[string]>(side.flavour.statement(`SELECT id FROM ${side.tables.quoted.jobs} ORDER BY seq`), []),
    );
    return rows.map(([id]) => id);
  };

  beforeAll(async () => {
    side = new SideStores(kind, database.url);
    await side.install();
    app = await new DataSource({ ...typed(database.url), entities: [] }).initialize();
    entries = new EntryRows(dialect.statements(side.tables), side.lockRows, side.faults);
    transactions = make({ dataSource: app as unknown as ServerSource['dataSource'] });
  });
  beforeEach(async () => {
    told = [];
    await side.empty();
  });
  afterAll(async () => {
    await app.destroy();
    await side.close();
  });

  it('commits with the caller, in order, and tells of its queues', async () => {
    const all = [job(), job({ queue: 'other' }), job(unique('key', 'a')), job({ once: { ttlMs: minute } }), job()];
    await app.transaction(async (manager) => {
      const results = await transactions.within(manager).push(all);
      expect(results).toEqual(all.map(() => ({ stored: true })));
      expect(await idsStored()).toEqual([]);
    });
    expect(await idsStored()).toEqual(all.map(({ id }) => id));
    expect(told).toEqual([['default', 'other']]);
    expect(await side.locks.owner('key')).toBe('a');
  });

  it('rolls back with the caller, locks and all', async () => {
    const rolledBack = app.transaction(async (manager) => {
      await transactions.within(manager).push([job(), job(unique('key', 'a'))]);
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    expect(await idsStored()).toEqual([]);
    expect(await side.locks.owner('key')).toBeUndefined();
  });

  it('sends plain entries in one statement', async () => {
    const sent: string[] = [];
    await app.transaction(async (manager) => {
      const runner = manager.queryRunner!;
      const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
      Object.assign(runner, { query: (...args: unknown[]) => (sent.push(String(args[0])), query(...args)) });
      await transactions.within(manager).push(Array.from({ length: 200 }, () => job()));
    });
    expect(sent.filter((sql) => sql.includes('INSERT'))).toHaveLength(1);
    expect(await idsStored()).toHaveLength(200);
  });

  it('answers repeats, held locks and what cannot be stored, and the transaction goes on', async () => {
    await side.locks.acquire('held', 'b', minute);
    const there = job();
    const remembered = job({ once: { ttlMs: minute } });
    const bad = { ...job(), delayMs: NaN };
    const tooLong = job({ queue: 'q'.repeat(5_000) });
    const good = job();
    await app.transaction(async (manager) => {
      const joined = transactions.within(manager);
      expect(await joined.push([there, remembered])).toEqual([{ stored: true }, { stored: true }]);
      const results = await joined.push([there, remembered, job(unique('held', 'a')), bad, tooLong, good]);
      expect(results.map((one) => (one.stored ? 'stored' : one.reason))).toEqual([
        'exists',
        'exists',
        'locked',
        'error',
        'error',
        'stored',
      ]);
      expect(results[2]).toMatchObject({ by: 'b' });
      expect(await joined.push([there])).toEqual([{ stored: false, reason: 'exists' }]);
    });
    expect(await idsStored()).toEqual([there.id, remembered.id, good.id]);
  });

  it('takes a lock that was given back after the transaction began', async () => {
    await side.locks.acquire('key', 'b', minute);
    await app.transaction(async (manager) => {
      // Under MySQL's usual isolation reads stay at this moment.
      await manager.query(`SELECT * FROM ${side.tables.quoted.locks}`);
      await side.locks.release('key', 'b');
      expect(await transactions.within(manager).push([job(unique('key', 'a'))])).toEqual([{ stored: true }]);
    });
    expect(await side.locks.owner('key')).toBe('a');
  });

  it('makes a transaction of its own where the manager has none', async () => {
    const one = job(unique('key', 'a'));
    expect(await transactions.within(app.manager).push([one])).toEqual([{ stored: true }]);
    expect(await idsStored()).toEqual([one.id]);
    const runner = app.createQueryRunner();
    try {
      expect(await transactions.within(runner.manager).push([job(unique('key', 'b')), job()])).toEqual([
        { stored: false, reason: 'locked', by: 'a' },
        { stored: true },
      ]);
      expect(await idsStored()).toHaveLength(2);
    } finally {
      await runner.release();
    }
  });

  it('joins a transaction that TypeORM does not know of', async () => {
    const runner = app.createQueryRunner();
    try {
      await runner.query('START TRANSACTION');
      expect(await transactions.within(runner.manager).push([job()])).toEqual([{ stored: true }]);
      await runner.query('ROLLBACK');
      expect(await idsStored()).toEqual([]);
    } finally {
      await runner.release();
    }
  });

  it('tells the caller what TypeORM says of a transaction that cannot go on', async () => {
    const failing = app.transaction(async (manager) => {
      await manager.query(kind === 'postgres' ? 'SET LOCAL search_path TO nowhere' : 'SET @unused = 1');
      if (kind === 'mysql') await side.read((link) => link.run('RENAME TABLE jobs TO gone'));
      await transactions.within(manager).push([job()]);
    });
    await expect(failing).rejects.toMatchObject({ name: 'QueryFailedError' });
    if (kind === 'mysql') await side.read((link) => link.run('RENAME TABLE gone TO jobs'));
    expect(told).toEqual([]);
  });

  it('knows its own database, however it is written', async () => {
    const { hostname, port, username, pathname } = new URL(database.url.replace(/^mariadb:/, 'mysql:'));
    const name = pathname.slice(1);
    const parts = { type: kind, username, database: name, port: Number(port) };
    for (const host of [hostname, 'localhost', '127.0.0.1', 'LOCALHOST']) {
      expect(() => make({ options: { ...parts, host } }).within(app.manager)).not.toThrow();
    }
    for (const other of [{ host: 'elsewhere' }, { port: 1 }, { database: 'other' }]) {
      const strange = make({ options: { ...parts, host: hostname, ...other } });
      expect(() => strange.within(app.manager)).toThrow(/EntityManager of another database than the queue's/);
    }
  });

  it.each([undefined, null, 'manager', {}, { query: 1 }])('refuses %p, which is no EntityManager', (given) => {
    expect(() => transactions.within(given)).toThrow(/Give it the EntityManager of a TypeORM transaction/);
  });

  describe('effects', () => {
    it('a follow-up that cannot be stored takes everything with it', async () => {
      const effects = new EffectRows(entries, side.lockRows, side.batchRows, side.failedRows);
      await side.locks.acquire('key', 'a', minute);
      const applied = side.write((link) =>
        effects.apply(link, { unlock: [{ key: 'key', owner: 'a' }], push: [job(), { ...job(), delayMs: NaN }] }),
      );
      await expect(applied).rejects.toThrow(TypeError);
      expect(await side.locks.owner('key')).toBe('a');
      expect(await idsStored()).toEqual([]);
    });

    it('a lock is given back before the follow-up that wants it', async () => {
      const effects = new EffectRows(entries, side.lockRows, side.batchRows, side.failedRows);
      await side.locks.acquire('key', 'a', minute);
      await side.write((link) =>
        effects.apply(link, { unlock: [{ key: 'key', owner: 'a' }], push: [job(unique('key', 'b'))] }),
      );
      expect(await side.locks.owner('key')).toBe('b');
      expect(await idsStored()).toHaveLength(1);
    });
  });
}

function job(over: Partial<PushEntry> = {}): PushEntry {
  return { id: randomUUID(), queue: 'default', body: '{}', delayMs: 0, ...over };
}
