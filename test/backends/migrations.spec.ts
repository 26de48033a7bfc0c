import { symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import libsql from 'libsql';
import { queueMigrations, queueMigrationsFor } from 'nestjs-queue/migrations';
import { DataSource, type DataSourceOptions } from 'typeorm';
import ts from 'typescript';
import { sqliteBackend } from '../../lib/backends/database/sqlite/sqlite-backend.js';
import { migrationText, migrationThatMakes, writeMigration } from '../../lib/cli/migration-file.js';
import type { SchemaPart } from '../../lib/contracts/backend.js';
import { describeServer, freshDatabase, START_LIMIT_MS } from '../support/shared-servers.js';
import { plainLink, serverSchema, type ServerKind } from './schema-harness.js';
import { backendContext } from './sqlite-harness.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS: readonly SchemaPart[] = ['jobs', 'failed', 'batches'];
interface Names {
  readonly table?: string;
  readonly failedTable?: string;
  readonly batchesTable?: string;
}

const TABLES: Readonly<Record<string, string>> = {
  'better-sqlite3': `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
  postgres: `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  mariadb: 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
};

/** A database that a TypeORM DataSource and the queue both reach. */
interface Place {
  readonly options: DataSourceOptions;
  /** Rejects unless the tables are as they should be. */
  check(names?: Names): Promise<void>;
  install(names?: Names): Promise<readonly string[]>;
  migration(part: SchemaPart, names?: Names): Parameters<typeof migrationText>[0];
  close(): Promise<void>;
}

async function sqlitePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'queue-migrations-'));
  const options = { type: 'better-sqlite3', database: join(folder, 'app.sqlite'), driver: libsql } as const;
  const backend = (names: Names = {}) =>
    sqliteBackend({ driver: 'database', dataSource: options, migrate: false, ...names }, backendContext());
  const using = async <T>(
    names: Names | undefined,
    work: (one: ReturnType<typeof backend>) => Promise<T>,
  ): Promise<T> => {
    const one = backend(names);
    try {
      return await work(one);
    } finally {
      await one.close();
    }
  };
  return {
    options,
    check: (names) => using(names, (one) => one.check!()),
    install: (names) => using(names, async (one) => (await one.schema!.install()).applied),
    migration: (part, names) => backend(names).schema!.migration(part),
    close: () => rm(folder, { recursive: true }),
  };
}

async function serverPlace(kind: ServerKind): Promise<Place> {
  const database = await freshDatabase(kind);
  const link = await plainLink(kind, database.url);
  return {
    options: { type: kind === 'postgres' ? 'postgres' : 'mariadb', url: database.url },
    check: (names) => serverSchema(kind, names).check(link),
    install: async (names) => (await serverSchema(kind, names).install(link)).applied,
    migration: (part, names) => serverSchema(kind, names).migration(part),
    close: async () => {
      await link.close();
      await database.drop();
    },
  };
}

function tests(open: () => Promise<Place>): void {
  let place: Place;
  let sources: DataSource[];

  beforeEach(async () => {
    place = await open();
    sources = [];
  }, START_LIMIT_MS);
  afterEach(async () => {
    for (const one of sources) await one.destroy();
    await place.close();
  }, START_LIMIT_MS);

  async function dataSource(migrations: Function[]): Promise<DataSource> {
    const one = new DataSource({ ...place.options, migrations });
    await one.initialize();
    sources.push(one);
    return one;
  }
  const tables = async (one: DataSource): Promise<string[]> => {
    const rows: { name: string }[] = await one.query(TABLES[one.options.type]!);
    return rows.map(({ name }) => name).sort();
  };

  it('run, satisfy the check, and are undone', async () => {
    const source = await dataSource(queueMigrations);
    const ran = await source.runMigrations();
    expect(ran.map(({ name }) => name)).toEqual([
      'CreateQueueJobs1795305600001',
      'CreateQueueFailedJobs1795305600002',
      'CreateQueueJobBatches1795305600003',
    ]);
    await place.check();
    expect(await place.install()).toEqual([]);
    expect(await source.showMigrations()).toBe(false);
    for (const _ of ran) await source.undoLastMigration();
    expect(await tables(source)).toEqual(['migrations']);
    await expect(place.check()).rejects.toMatchObject({ code: 'ERR_QUEUE_SCHEMA' });
    await source.runMigrations();
    await place.check();
  });

  it('leave alone what queue:install has made, and go with tables of other names', async () => {
    const other = { table: 'mails', failedTable: 'failed_mails', batchesTable: 'mail_batches' };
    expect(await place.install()).toEqual(['jobs', 'failed_jobs', 'job_batches']);
    const source = await dataSource([...queueMigrations, ...queueMigrationsFor(other)]);
    const ran = await source.runMigrations();
    expect(ran.map(({ name }) => name)).toContain('CreateQueueJobs_mails1795305600001');
    expect(ran).toHaveLength(6);
    await place.check();
    await place.check(other);
    for (const _ of ran) await source.undoLastMigration();
    expect(await tables(source)).toEqual(['migrations']);
  });

  it('written into a project compile, run, satisfy the check, and are undone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'queue-written-'));
    try {
      symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      const names = { table: 'mails', failedTable: 'failed_mails' };
      const files = PARTS.map((part, index) =>
        writeMigration(join(folder, 'src'), place.migration(part, names), 'typescript', 1_767_225_600_000 + index),
      );
      expect(files[0]).toBe(join(folder, 'src', '1767225600000-create-mails-table.ts'));
      expect(compile(files, join(folder, 'out'))).toEqual([]);
      const classes = await Promise.all(
        files.map(async (file) => {
          const module = (await import(file.replace('/src/', '/out/').replace(/ts$/, 'js'))) as Record<
            string,
            Function
          >;
          return Object.values(module)[0]!;
        }),
      );
      const source = await dataSource(classes);
      expect((await source.runMigrations()).map(({ name }) => name)).toEqual([
        'CreateMailsTable1767225600000',
        'CreateFailedMailsTable1767225600001',
        'CreateJobBatchesTable1767225600002',
      ]);
      await place.check(names);
      expect(await place.install(names)).toEqual([]);
      for (const _ of classes) await source.undoLastMigration();
      expect(await tables(source)).toEqual(['migrations']);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);
}

/** What the compiler has to say, under the options of a strict project. */
function compile(files: readonly string[], outDir: string): string[] {
  const program = ts.createProgram(files, {
    strict: true,
    noUnusedLocals: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
    outDir,
  });
  const faults = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the migrations on SQLite', () => {
  tests(sqlitePlace);
});
describeServer('postgres', 'the migrations on Postgres', () => tests(() => serverPlace('postgres')));
describeServer('mysql', 'the migrations on MySQL', () => tests(() => serverPlace('mysql')));

describe('the migrations', () => {
  it('refuse a database that the queue does not know, and names that are none', async () => {
    const [first] = queueMigrations;
    const runner = { dataSource: { options: { type: 'mssql' } }, query: async () => [] };
    await expect(new first!().up(runner)).rejects.toThrow(
      'DataSource of type mssql. Use one of better-sqlite3, postgres',
    );
    expect(() => queueMigrationsFor({ table: 'jobs; DROP' })).toThrow('table of a database connection is');
  });

  it('written as JavaScript are loaded by Node in either kind of package', async () => {
    const place = await sqlitePlace();
    const made = place.migration('failed');
    expect(migrationText(made, 'esm', 1)).toMatch(/^export class CreateFailedJobsTable1 \{\n/);
    expect(migrationText(made, 'commonjs', 1)).toMatch(/^class .*module\.exports = \{ CreateFailedJobsTable1 \};\n$/s);
    await place.close();
  });

  it('are found in a folder by the table they create, however that is written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'queue-found-'));
    const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
    put('1-a.ts', 'await q.query(`CREATE TABLE "jobs_old" (id int)`)');
    put('2-b.txt', 'CREATE TABLE jobs (id int)');
    expect(migrationThatMakes('jobs', folder)).toBeUndefined();
    expect(migrationThatMakes('jobs', join(folder, 'none'))).toBeUndefined();
    for (const text of [
      'await q.query(`CREATE TABLE "jobs" (id int)`)',
      'await q.query("create table if not exists jobs(id int)")',
      'await q.query(`CREATE TABLE \\`jobs\\` (id int)`)',
      "await q.createTable(new Table({ name: 'jobs', columns }), true)",
    ]) {
      put('3-c.js', text);
      expect(migrationThatMakes('jobs', folder)).toBe(join(folder, '3-c.js'));
    }
    await rm(folder, { recursive: true });
  });
});
