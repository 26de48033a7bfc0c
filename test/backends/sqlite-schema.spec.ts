import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SchemaError } from '../../lib/backends/database/schema-error.js';
import { StoreUnusableError } from '../../lib/backends/store-state-errors.js';
import { job, jobs, request, SqliteFiles } from './sqlite-harness.js';

const files = new SqliteFiles();
afterEach(() => files.close());

describe('the tables of a SQLite file', () => {
  it('are made with the first verb, and nothing is opened before it', async () => {
    const backend = await files.backend();
    expect(existsSync(await files.path())).toBe(false);
    await backend.queue!.push([job()]);
    expect(existsSync(await files.path())).toBe(true);
    const unused = await files.backend(
      {},
      { dataSource: { type: 'better-sqlite3', database: await files.path('other') } },
    );
    await unused.close();
    expect(existsSync(await files.path('other'))).toBe(false);
  });

  it('cannot be in a directory, or in a file of something else: that is said at once', async () => {
    const path = await files.path('notes');
    writeFileSync(path, 'Not a database, but long enough to be taken for one. '.repeat(40));
    for (const database of [path, dirname(path)]) {
      const backend = await files.backend({}, { dataSource: { type: 'better-sqlite3', database } });
      await expect(backend.check!()).rejects.toThrow(StoreUnusableError);
      await expect(backend.queue!.push([job()])).rejects.toThrow(database);
    }
  });

  it('are made once by many that come at the same time', async () => {
    const backends = await Promise.all(Array.from({ length: 8 }, () => files.backend()));
    await Promise.all(backends.map((backend) => backend.check!()));
    const raw = await files.raw();
    expect(raw.prepare('SELECT name, version FROM queue_schema ORDER BY name').all()).toEqual([
      { name: 'failed_jobs', version: 1 },
      { name: 'job_batches', version: 1 },
      { name: 'jobs', version: 2 },
      { name: 'jobs:since', version: 1 },
    ]);
    for (const backend of backends) await backend.queue!.push([job()]);
    expect((await backends[0]!.queue!.size(['default']))[0]!.pending).toBe(8);
  });

  it('of a newer version are refused, with what to do', async () => {
    await (
      await files.backend()
    ).check!();
    (await files.raw()).exec(
      `UPDATE queue_schema SET version = 7 WHERE name = 'jobs'; UPDATE queue_schema SET version = 7 WHERE name = 'jobs:since'`,
    );
    const backend = await files.backend();
    await expect(backend.check!()).rejects.toBeInstanceOf(SchemaError);
    await expect(backend.queue!.push([job()])).rejects.toThrow(
      /\[jobs\] in .*queue\.sqlite was made by a newer version .*schema 7, this one knows 2.* Update nestjs-queue/,
    );
    await expect(backend.locks!.acquire('a', 'b', 1_000)).rejects.toMatchObject({ code: 'ERR_QUEUE_SCHEMA' });
  });

  it('that are missing are named with the command, where they are not to be made', async () => {
    const backend = await files.backend({}, { migrate: false });
    await expect(backend.check!()).rejects.toThrow(/\[jobs\] .* is missing. Run: npx nestjs-queue queue:install/);
    await expect(backend.queue!.push([job()])).rejects.toMatchObject({ code: 'ERR_QUEUE_SCHEMA' });
    await (
      await files.backend()
    ).check!();
    expect(await backend.queue!.push([job()])).toEqual([{ stored: true }]);
  });

  it('are made again when they were dropped under an open handle', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job()]);
    (await files.raw()).exec(
      'DROP TABLE jobs; DROP TABLE jobs_once; DROP TABLE jobs_cancelled; DROP TABLE jobs_effects; DROP TABLE jobs_locks; DROP TABLE jobs_limits; DROP TABLE jobs_control',
    );
    await expect(queue.push([job()])).rejects.toThrow('no such table');
    expect(await queue.push([job()])).toEqual([{ stored: true }]);
  });

  it('of somebody else are not touched', async () => {
    const raw = await files.raw();
    raw.exec('CREATE TABLE jobs (title TEXT)');
    const backend = await files.backend();
    await expect(backend.check!()).rejects.toThrow(/a table \[jobs\] .* that nestjs-queue did not make/);
    expect(raw.prepare(`SELECT count(*) AS tables FROM sqlite_master WHERE type = 'table'`).get()).toMatchObject({
      tables: 1,
    });
    const renamed = await files.backend({}, { table: 'queued_jobs' });
    expect(await renamed.queue!.push([job()])).toEqual([{ stored: true }]);
  });

  it('of which one is gone are refused, with the name of that one', async () => {
    await (
      await files.backend()
    ).check!();
    (await files.raw()).exec('DROP TABLE jobs_locks');
    for (const migrate of [true, false]) {
      const backend = await files.backend({}, { migrate });
      await expect(backend.check!()).rejects.toThrow(/\[jobs_locks\] in .* is missing, while others of the same queue/);
    }
  });

  it('of a newer version are used where that version says that this one can', async () => {
    await (
      await files.backend()
    ).check!();
    (await files.raw()).exec(
      `UPDATE queue_schema SET version = 3 WHERE name = 'jobs'; UPDATE queue_schema SET version = 2 WHERE name = 'jobs:since'`,
    );
    const backend = await files.backend();
    expect(await backend.queue!.push([job()])).toEqual([{ stored: true }]);
    expect(await backend.schema!.install()).toEqual({ applied: [] });
  });

  it('of the first version are brought up to date with all that is in them', async () => {
    const first = await files.backend();
    const raw = await files.raw();
    await first.check!();
    await first.queue!.push(jobs(4));
    const taken = await first.queue!.reserve(request({ limit: 1 }));
    // As it was then: rows numbered by a sequence, tokens that tell no row.
    const made = raw.prepare(`SELECT sql FROM sqlite_master WHERE name = 'jobs'`).get() as { sql: string };
    raw.exec(`CREATE TABLE old ${made.sql.slice(made.sql.indexOf('(')).replace('PRIMARY KEY', 'PRIMARY KEY AUTOINCREMENT')};
      INSERT INTO old SELECT * FROM jobs; DROP TABLE jobs; ALTER TABLE old RENAME TO jobs;
      CREATE INDEX jobs_claim ON jobs (queue, priority DESC, available_at, seq) WHERE leased_until IS NULL;
      CREATE INDEX jobs_leases ON jobs (leased_until) WHERE leased_until IS NOT NULL;
      UPDATE jobs SET token = 'f00d' WHERE token IS NOT NULL;
      UPDATE queue_schema SET version = 1 WHERE name = 'jobs'; DELETE FROM queue_schema WHERE name = 'jobs:since'`);
    const before = raw.prepare('SELECT * FROM jobs ORDER BY seq').raw().all();
    const queue = (await files.backend()).queue!;
    expect(await queue.size(['default'])).toMatchObject([{ pending: 3, reserved: 1 }]);
    expect(raw.prepare('SELECT * FROM jobs ORDER BY seq').raw().all()).toEqual(before);
    const now = raw.prepare(`SELECT sql FROM sqlite_master WHERE name = 'jobs'`).get() as { sql: string };
    expect(now.sql).not.toContain('AUTOINCREMENT');
    expect(await queue.settle([{ kind: 'ack', job: { ...taken[0]!, token: 'f00d' } }])).toEqual([{ ok: true }]);
    await first.queue!.push([job({ id: 'last' })]);
    const rest = await queue.reserve(request({ limit: 5 }));
    expect(rest.map(({ id }) => id)).toEqual([...before.slice(1).map((row) => (row as unknown[])[1]), 'last']);
    expect(await queue.settle(rest.map((one) => ({ kind: 'ack', job: one })))).toEqual(rest.map(() => ({ ok: true })));
  });

  it('of two connections in one file are kept apart', async () => {
    const one = await files.backend({}, { table: 'mails' });
    const two = await files.backend(
      {},
      { table: 'reports', failedTable: 'failed_reports', batchesTable: 'report_batches' },
    );
    await one.queue!.push([job({ id: 'same' })]);
    expect(await two.queue!.push([job({ id: 'same' })])).toEqual([{ stored: true }]);
    await one.locks!.acquire('key', 'a', 60_000);
    expect(await two.locks!.acquire('key', 'b', 60_000)).toBe(true);
  });

  it('refuses names that are no identifiers', async () => {
    for (const table of ['jobs; DROP TABLE users', 'a"b', '', '1st', 'sqlite_jobs', 'x'.repeat(60)]) {
      await expect(files.backend({}, { table })).rejects.toThrow('table of a database connection is');
    }
    await expect(files.backend({}, { table: 'a', failedTable: 'A' })).rejects.toThrow('two tables would have one name');
  });

  it('are made afresh when the file is removed under an open handle', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push(jobs(3));
    for (const end of ['', '-wal', '-shm']) rmSync((await files.path()) + end, { force: true });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const [one] = jobs(1);
    await queue.push([one!]);
    const seen = await (await files.backend()).queue!.reserve(request());
    expect(seen.map((found) => found.id)).toEqual([one!.id]);
  });
});
