import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'libsql';
import { DataSource } from 'typeorm';
import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import { backendContext, job, jobs, request, SqliteFiles } from './sqlite-harness.js';

const files = new SqliteFiles();
afterEach(() => files.close());

async function dataSourceOf(database: string): Promise<DataSource> {
  const dataSource = new DataSource({ type: 'better-sqlite3', driver: Database, database, enableWAL: true });
  files.closeWith({ close: () => dataSource.destroy() });
  return dataSource.initialize();
}

describe("an application's DataSource", () => {
  it('lends its file by instance and by name, never its connection', async () => {
    const dataSource = await dataSourceOf(await files.path());
    const one = await files.backend({}, { dataSource });
    const named = await files.backend(
      { dataSource: (name) => (name === 'default' ? dataSource : undefined) },
      { dataSource: 'default' },
    );
    await dataSource.transaction(async () => {
      // Its transaction has written nothing yet: the queue writes beside it.
      expect(await one.queue!.push([job()])).toEqual([{ stored: true }]);
    });
    expect(await named.queue!.reserve(request())).toHaveLength(1);
    const wrong = await files.backend({}, { dataSource: 'nobody' });
    await expect(wrong.queue!.push([job()])).rejects.toThrow(
      /names the DataSource ".+", and the application has none of that name/,
    );
  });

  it('of another kind is refused', async () => {
    const dataSource = { type: 'mssql', database: 'app' };
    expect(() => databaseBackend({ driver: 'database', dataSource }, backendContext())).toThrow(
      /of type "mssql".*Use a DataSource of type 'postgres'/,
    );
  });
});

describe('within(entityManager)', () => {
  it('stores the jobs with the commit, and not when it is rolled back', async () => {
    const dataSource = await dataSourceOf(await files.path());
    const queue = (await files.backend({}, { dataSource })).queue!;
    await queue.push([job({ id: 'before' })]);
    await dataSource.transaction(async (manager) => {
      const inside = queue.transactions!.within(manager);
      expect(await inside.push([...jobs(2), job({ id: 'before' })])).toEqual([
        { stored: true },
        { stored: true },
        { stored: false, reason: 'exists' },
      ]);
      expect((await queue.size(['default']))[0]!.pending).toBe(1);
    });
    expect((await queue.size(['default']))[0]!.pending).toBe(3);
    const rolledBack = dataSource.transaction(async (manager) => {
      await queue.transactions!.within(manager).push(jobs(5));
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    expect((await queue.size(['default']))[0]!.pending).toBe(3);
  });

  it('makes the tables in a fresh file, in the same transaction', async () => {
    const dataSource = await dataSourceOf(await files.path());
    const queue = (await files.backend({}, { dataSource })).queue!;
    const failed = dataSource.transaction(async (manager) => {
      expect(await queue.transactions!.within(manager).push(jobs(1))).toEqual([{ stored: true }]);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    await dataSource.transaction((manager) => queue.transactions!.within(manager).push(jobs(2)));
    expect(await queue.reserve(request())).toHaveLength(2);
  });

  it('takes locks, remembers ids and refuses bad entries as a push does', async () => {
    const dataSource = await dataSourceOf(await files.path());
    const backend = await files.backend({}, { dataSource });
    const queue = backend.queue!;
    const lock = { key: 'nul \0 inside', owner: 'a \ud800', ttlMs: 60_000 };
    await dataSource.transaction(async (manager) => {
      const answers = await queue
        .transactions!.within(manager)
        .push([
          job({ lock }),
          job({ lock: { ...lock, owner: 'b' } }),
          job({ delayMs: NaN }),
          job({ id: 'once', once: { ttlMs: 60_000 } }),
        ]);
      expect(answers).toMatchObject([
        { stored: true },
        { stored: false, reason: 'locked', by: lock.owner },
        { stored: false, reason: 'error' },
        { stored: true },
      ]);
    });
    expect(await backend.locks!.owner(lock.key)).toBe(lock.owner);
    const taken = await queue.reserve(request());
    await queue.settle(taken.map((one) => ({ kind: 'ack', job: one })));
    await dataSource.transaction(async (manager) => {
      expect(await queue.transactions!.within(manager).push([job({ id: 'once', once: { ttlMs: 60_000 } })])).toEqual([
        { stored: false, reason: 'exists' },
      ]);
    });
  });

  it('wakes a waiting worker with the commit', async () => {
    const dataSource = await dataSourceOf(await files.path());
    const queue = (await files.backend({}, { dataSource })).queue!;
    const waiting = queue.reserve(request({ waitMs: 10_000 }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    await dataSource.transaction((manager) => queue.transactions!.within(manager).push(jobs(1)));
    expect(await waiting).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('refuses the manager of another file, and what is no manager', async () => {
    const queue = (await files.backend()).queue!;
    const elsewhere = await dataSourceOf(await files.path('app.sqlite'));
    expect(() => queue.transactions!.within(elsewhere.manager)).toThrow('an EntityManager of another database');
    expect(() => queue.transactions!.within({})).toThrow('Give it the EntityManager');
    expect(() => queue.transactions!.within(undefined)).toThrow('was given undefined');
  });
});

describe('a database in memory', () => {
  it('is shared with the DataSource, by its only connection', async () => {
    const dataSource = await dataSourceOf(':memory:');
    const one = await files.backend({}, { dataSource });
    const two = await files.backend({}, { dataSource });
    await one.queue!.push(jobs(2));
    expect(await dataSource.query('SELECT count(*) AS jobs FROM jobs')).toEqual([{ jobs: 2 }]);
    const waiting = two.queue!.reserve(request({ queues: ['later'], waitMs: 5_000 }));
    await one.queue!.push([job({ queue: 'later' })]);
    expect(await waiting).toHaveLength(1);
    await one.close();
    expect(await two.queue!.reserve(request())).toHaveLength(2);
  });

  it('lets a push join an open transaction, and a worker wait for its end', async () => {
    const dataSource = await dataSourceOf(':memory:');
    const queue = (await files.backend({}, { dataSource })).queue!;
    await queue.push([job({ id: 'kept' })]);
    let taking: Promise<readonly { id: string }[]> | undefined;
    const rolledBack = dataSource.transaction(async () => {
      await queue.push([job({ id: 'rolled back' })]);
      taking = queue.reserve(request({ waitMs: 5_000 }));
      await new Promise((resolve) => setTimeout(resolve, 30));
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    expect((await taking!).map((one) => one.id)).toEqual(['kept']);
  });

  it('of options alone is one of its own for each connection', async () => {
    const dataSource = { type: 'better-sqlite3', database: ':memory:', driver: Database };
    const one = await files.backend({}, { dataSource });
    const two = await files.backend({}, { dataSource });
    await one.queue!.push(jobs(1));
    expect(await two.queue!.reserve(request())).toEqual([]);
    expect(await one.queue!.reserve(request())).toHaveLength(1);
  });
});
