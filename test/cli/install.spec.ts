import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import libsql from 'libsql';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { describeServer, freshDatabase, START_LIMIT_MS, type FreshDatabase } from '../support/shared-servers.js';
import { NodeProcess, temporaryFolder, type Ended } from './processes.js';

const ALL = ['jobs', 'failed_jobs', 'job_batches'];

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
let here: string;
let env: Record<string, string>;

beforeAll(async () => {
  fixture = await buildFixture('cli', 'test/cli/fixture');
}, 60_000);
beforeEach(() => {
  folder = temporaryFolder();
  here = realpathSync(folder.path);
  env = {};
});
afterEach(() => folder.remove());

function run(...args: string[]): Promise<Ended> {
  return runApp('app.module.js', ...args);
}
function runApp(app: string, ...args: string[]): Promise<Ended> {
  return new NodeProcess([fixture.bin, ...args, `--app=${join(fixture.folder, app)}`], here, env).ended;
}
const stores = (...args: string[]): Promise<Ended> => runApp('stores.module.js', ...args);

describe('queue:install', () => {
  it('makes the tables of every database connection in use, once', async () => {
    const missing = await stores('queue:work', '--stop-when-empty');
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(
      /^ERROR {2}The table \[jobs\] in .*main\.sqlite is missing\.\n {7}Run: npx nestjs-queue queue:install\n$/,
    );

    expect(await stores('queue:install')).toMatchObject({
      code: 0,
      err: '',
      out:
        `[database] installed jobs, failed_jobs, job_batches in ${join(here, 'main.sqlite')}\n` +
        `[reports] installed mails, broken_jobs, job_batches in ${join(here, 'reports.sqlite')}\n`,
    });
    expect((await stores('queue:install')).out).toBe(
      `[database] already up to date in ${join(here, 'main.sqlite')}\n` +
        `[reports] already up to date in ${join(here, 'reports.sqlite')}\n`,
    );
    expect(await stores('queue:work', '--stop-when-empty', '--quiet')).toMatchObject({ code: 0, err: '' });
    // Nobody mentions the connection that always exists.
    expect(existsSync(join(here, 'queue.sqlite'))).toBe(false);
  }, 60_000);

  it('makes those of the one that is named, also one that nobody configured', async () => {
    const { code, out } = await stores('queue:install', 'reports', '--json');
    expect([code, JSON.parse(out)]).toEqual([
      0,
      [
        {
          connection: 'reports',
          kind: 'sqlite',
          store: join(here, 'reports.sqlite'),
          applied: ['mails', 'broken_jobs', 'job_batches'],
        },
      ],
    ]);
    expect(existsSync(join(here, 'main.sqlite'))).toBe(false);
    expect((await run('queue:install')).out).toBe(
      `[database] installed ${ALL.join(', ')} in ${join(here, 'queue.sqlite')}\n`,
    );
  }, 60_000);

  it('refuses a connection without tables, and one that is not there', async () => {
    const sync = await stores('queue:install', 'now');
    expect(sync).toMatchObject({ code: 1, out: '' });
    expect(sync.err).toMatch(
      /^ERROR {2}The \[now\] connection has no tables: its driver is sync\.\n {7}Name a connection with the driver database\.\n$/,
    );
    expect((await stores('queue:install', 'nowhere')).err).toContain(
      'The [nowhere] queue connection has not been configured.',
    );
    expect((await stores('queue:install', 'now', '--print')).code).toBe(1);
  }, 60_000);

  it('makes the table of an outbox', async () => {
    const outbox = (...args: string[]): Promise<Ended> => runApp('outbox.module.js', ...args);
    const file = join(here, 'orders.sqlite');
    expect((await outbox('queue:install', '--print')).out).toMatch(
      new RegExp(`^-- here: ${file}\nBEGIN;\n[^]*CREATE TABLE "queue_outbox" [^]*COMMIT;\n$`),
    );
    expect(existsSync(file)).toBe(false);
    expect(await outbox('queue:install')).toMatchObject({
      code: 0,
      err: '',
      out: `[here] installed queue_outbox in ${file}\n`,
    });
    expect((await outbox('queue:install', 'here')).out).toBe(`[here] already up to date in ${file}\n`);
    const written = await outbox('queue:table', '--connection=here', '--dir=migrations');
    expect(written.out).toMatch(
      /^Migration created: migrations\/\d{13}-create-queue-outbox-table\.ts \(sqlite, for \[here\]\)\n$/,
    );
  }, 60_000);

  it('goes on behind a connection that cannot be reached, and ends in 1', async () => {
    writeFileSync(join(here, 'notes.txt'), 'Not a database, but long enough to be taken for one. '.repeat(40));
    env['MORE_FILES'] = 'notes.txt';
    const { code, out, err } = await stores('queue:install', '--json');
    expect([code, (JSON.parse(out) as { connection: string }[]).map(({ connection }) => connection)]).toEqual([
      1,
      ['database', 'reports'],
    ]);
    expect(err).toMatch(/^ERROR {2}.*notes\.txt cannot be used as a queue's file/);
  }, 60_000);

  it('--print prints the SQL and changes nothing', async () => {
    const { code, out, err } = await stores('queue:install', '--print');
    expect([code, err]).toEqual([0, '']);
    expect(readdirSync(here)).toEqual([]);
    const [main, reports] = out.split('-- reports: ');
    expect(main).toMatch(/^-- database: .*main\.sqlite\nBEGIN;\n/);
    expect(main).toContain('CREATE TABLE "failed_jobs"');
    expect(reports).toContain('CREATE TABLE "broken_jobs"');

    const file = new libsql(join(here, 'main.sqlite'));
    file.exec(main!);
    file.close();
    expect((await stores('queue:install', 'database')).out).toContain('already up to date');
    const [printed] = JSON.parse((await stores('queue:install', 'database', '--print', '--json')).out) as {
      sql: string[];
    }[];
    expect(printed).toMatchObject({ connection: 'database', kind: 'sqlite', store: join(here, 'main.sqlite') });
    expect(printed!.sql).toContain('COMMIT');
  }, 60_000);

  it('by eight processes at once makes them once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => run('queue:install', '--json')));
    expect(appliedBy(all)).toEqual([ALL]);
  }, 60_000);
});

/** What those installed that found something to do. */
function appliedBy(all: readonly Ended[]): string[][] {
  expect(all.map(({ code, err }) => [code, err])).toEqual(all.map(() => [0, '']));
  const applied = all.map(({ out }) => (JSON.parse(out) as [{ applied: string[] }])[0].applied);
  return applied.filter((names) => names.length > 0);
}

for (const kind of ['postgres', 'mysql'] as const) {
  describeServer(kind, `queue:install on ${kind}`, () => {
    let database: FreshDatabase;
    beforeEach(async () => {
      database = await freshDatabase(kind);
      env['QUEUE_DATABASE_URL'] = database.url;
    }, START_LIMIT_MS);
    afterEach(() => database.drop());

    it('by eight processes at once makes the tables once; before it a worker names the command', async () => {
      const before = await run('queue:work', '--stop-when-empty');
      expect(before.code).toBe(1);
      expect(before.err).toMatch(
        /^ERROR {2}The table \[jobs\] in .* is missing\.\n {7}Run: npx nestjs-queue queue:install\n$/,
      );
      const all = await Promise.all(Array.from({ length: 8 }, () => run('queue:install', '--json')));
      expect(appliedBy(all)).toEqual([ALL]);
      expect(await run('queue:work', '--stop-when-empty', '--quiet')).toMatchObject({ code: 0, err: '' });
    }, 90_000);

    it('says where, without the password', async () => {
      const url = new URL(database.url);
      const { out } = await run('queue:install');
      expect(out).toMatch(
        new RegExp(
          `^\\[database\\] installed ${ALL.join(', ')} in \\w+ at 127\\.0\\.0\\.1:${url.port}${url.pathname}\n$`,
        ),
      );
      // Postgres lets anybody in here; MariaDB says that the password is wrong.
      env['QUEUE_DATABASE_URL'] = database.url.replace('//app@', '//app:secret@');
      const told = await run('queue:install', '-v');
      expect(told.out + told.err).toContain('127.0.0.1');
      expect(told.out + told.err).not.toContain('secret');
    }, 60_000);

    it('prints the SQL while the server is down', async () => {
      const url = new URL(database.url);
      url.port = '1';
      env['QUEUE_DATABASE_URL'] = url.href;
      const { code, out, err } = await run('queue:install', '--print');
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/CREATE TABLE ["`]jobs["`] \(/);
      const written = await run('queue:table');
      expect(written).toMatchObject({ code: 0, err: '' });
      const down = await run('queue:install');
      expect([down.code, down.out]).toEqual([1, '']);
      expect(down.err).toMatch(/^ERROR {2}.*cannot be reached/);
      expect(down.took).toBeLessThan(15_000);
    }, 60_000);
  });
}

describe('queue:table, queue:failed-table and queue:batches-table', () => {
  it('write a migration with the names of the tables, and not twice', async () => {
    mkdirSync(join(here, 'src'));
    writeFileSync(join(here, 'package.json'), '{}');
    const written = await stores('queue:table');
    expect(written).toMatchObject({ code: 0, err: '' });
    expect(written.out).toMatch(
      /^Migration created: src\/migrations\/\d{13}-create-jobs-table\.ts \(sqlite, for \[database\]\)\n$/,
    );
    // Failed jobs are kept by another connection.
    expect((await stores('queue:failed-table')).out).toMatch(
      /-create-broken-jobs-table\.ts \(sqlite, for \[reports\]\)/,
    );
    expect((await stores('make:queue-batches-table')).out).toMatch(
      /-create-job-batches-table\.ts \(sqlite, for \[database\]\)/,
    );
    expect((await stores('queue:table', '--connection=reports')).out).toMatch(/-create-mails-table\.ts/);
    expect(readdirSync(join(here, 'src', 'migrations'))).toHaveLength(4);
    expect(existsSync(join(here, 'main.sqlite'))).toBe(false);

    const again = await stores('queue:table');
    expect([again.code, again.out]).toEqual([1, '']);
    expect(again.err).toMatch(
      /^ERROR {2}There is a migration already that creates the table jobs: src\/migrations\/\d{13}-create-jobs-table\.ts\n {7}Use that one/,
    );
    expect(readdirSync(join(here, 'src', 'migrations'))).toHaveLength(4);
  }, 60_000);

  it('write where they are told to, in TypeScript or JavaScript', async () => {
    const plain = JSON.parse((await run('queue:table', '--json', '--js')).out) as { file: string };
    expect(plain).toMatchObject({ connection: 'database', kind: 'sqlite', table: 'jobs' });
    expect(plain.file.startsWith(join(here, 'migrations'))).toBe(true);
    expect(readFileSync(plain.file, 'utf8')).toContain('module.exports = { CreateJobsTable');
    const { file } = JSON.parse((await run('queue:table', '--json', '--dir=db/steps')).out) as { file: string };
    expect(file).toMatch(new RegExp(`^${join(here, 'db', 'steps')}/\\d{13}-create-jobs-table\\.ts$`));
    expect(readFileSync(file, 'utf8')).toMatch(
      /^import type \{ MigrationInterface, QueryRunner \} from 'typeorm';\n\nexport class CreateJobsTable\d{13} implements/,
    );
  }, 60_000);

  it('refuse a connection without tables', async () => {
    const { code, err } = await stores('queue:table', '--connection=now');
    expect([code, existsSync(join(here, 'migrations'))]).toEqual([1, false]);
    expect(err).toContain('The [now] connection has no tables');
  }, 30_000);
});
