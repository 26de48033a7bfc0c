import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { queueMigrationsFor } from 'nestjs-queue/migrations';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import type { DatabaseConnectionOptions } from '../../lib/backends/database/database-options.js';
import type { Backend } from '../../lib/contracts/backend.js';
import { describeSql, SQL_KINDS } from '../flows/sql-sources.js';
import { backendContext } from './sqlite-harness.js';

const OUTBOX = ['queue_outbox', 'queue_outbox_cancelled', 'queue_outbox_locks'];
const TABLES = {
  sqlite: `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
  postgres: `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  mariadb: 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
};
const signal = new AbortController().signal;

describeSql('the tables of an outbox', SQL_KINDS, (source) => {
  let data: DataSource;
  const open: Backend[] = [];

  function backend(options: Partial<DatabaseConnectionOptions> = {}): Backend {
    const dataSource = source.options('x') as never;
    const made = databaseBackend(
      { driver: 'database', dataSource, table: 'queue_outbox', outbox: true, ...options },
      backendContext({ connection: 'redis outbox' }),
    );
    open.push(made);
    return made;
  }
  async function tables(): Promise<string[]> {
    const rows: { name: string }[] = await data.query(TABLES[source.kind]);
    return rows
      .map(({ name }) => name)
      .filter((name) => name !== 'orders')
      .sort();
  }

  beforeEach(async () => {
    data = await new DataSource(source.options('x')).initialize();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    for (const one of open.splice(0)) await one.close();
    for (const name of await tables()) await data.query(`DROP TABLE ${name}`);
    await data.destroy();
  });

  it('are three, and are made once', async () => {
    expect((await backend().schema!.install()).applied).toEqual(['queue_outbox']);
    expect((await backend().schema!.install()).applied).toEqual([]);
    expect(await tables()).toEqual([...OUTBOX, 'queue_schema']);
    await backend({ migrate: false }).check!();
  });

  it('are all that a relay needs, and are tidied', async () => {
    // The first claim tidies.
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const { queue, locks, schema } = backend();
    await schema!.install();
    expect(await locks!.acquire('gone', 'me', 1)).toBe(true);
    const cancelled = `INSERT INTO queue_outbox_cancelled (token, expires_at) VALUES ('gone', 1)`;
    await data.query(cancelled);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const ids = [1, 2].map((n) => `0190b0e5-0000-7000-8000-00000000000${n}`);
    const entries = ids.map((id) => ({ id, queue: 'redis', body: 'x', delayMs: 0 }));
    expect(await queue!.push(entries)).toEqual([{ stored: true }, { stored: true }]);
    const request = { queues: ['redis'], limit: 10, leaseMs: 5_000, waitMs: 0, signal };
    const jobs = await queue!.reserve(request);
    expect(jobs.map(({ id }) => id)).toEqual(ids);
    expect(await queue!.leases!.renew(jobs, 1)).toEqual([{ ok: true }, { ok: true }]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Given back by the end of their lease they have their old place.
    await queue!.push([{ id: '0190b0e5-0000-7000-8000-000000000003', queue: 'redis', body: 'x', delayMs: 0 }]);
    const again = await queue!.reserve(request);
    expect(again.map(({ id }) => id.slice(-1))).toEqual(['1', '2', '3']);
    const settled = await queue!.settle(again.map((job) => ({ kind: 'ack', job })));
    expect(settled.every(({ ok }) => ok)).toBe(true);
    for (let look = 0; look < 50; look++) {
      const [{ n }] = await data.query('SELECT count(*) AS n FROM queue_outbox_cancelled');
      const [{ m }] = await data.query('SELECT count(*) AS m FROM queue_outbox_locks');
      if (Number(n) + Number(m) === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('What had expired was not forgotten.');
  });

  it('live beside those of a queue', async () => {
    const queue = backend({ table: 'jobs', outbox: undefined as never });
    await queue.schema!.install();
    await backend().schema!.install();
    await queue.check!();
    await backend({ migrate: false }).check!();
    expect(await tables()).toEqual(expect.arrayContaining([...OUTBOX, 'jobs', 'failed_jobs', 'job_batches']));
  });

  it('can be printed, and written as a migration', async () => {
    const { schema } = backend();
    expect(schema!.script().join('\n')).toMatch(/queue_outbox_locks/);
    expect(schema!.script().join('\n')).not.toMatch(/failed_jobs|queue_outbox_(once|effects|limits|control)/);
    expect(schema!.migration('jobs').table).toBe('queue_outbox');
    expect(() => schema!.migration('failed')).toThrow(
      'An outbox has no tables for failed: name a database connection.',
    );
  });

  it.each([
    [true, OUTBOX, 'CreateQueueOutbox1795305600004'],
    ['post', ['post', 'post_cancelled', 'post_locks'], 'CreateQueueOutbox_post1795305600004'],
  ] as const)('are made and undone by TypeORM’s migrations: %j', async (outbox, expected, name) => {
    const migrations = queueMigrationsFor({ outbox });
    expect(migrations.map((one) => one.name).slice(-1)).toEqual([name]);
    expect(queueMigrationsFor().map((one) => one.name)).toEqual(migrations.map((one) => one.name).slice(0, 3));
    const options = { ...source.options('x'), migrations: migrations.slice(-1), synchronize: false };
    const migrating = await new DataSource(options as DataSourceOptions).initialize();
    try {
      await migrating.runMigrations();
      expect(await tables()).toEqual([...expected, 'migrations', 'queue_schema'].sort());
      await backend({ table: expected[0], migrate: false }).check!();
      await migrating.undoLastMigration();
      expect(await tables()).toEqual(['migrations']);
    } finally {
      await migrating.destroy();
    }
  });
});
