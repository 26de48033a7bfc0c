import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { SchemaError } from '../../lib/backends/database/schema-error.js';
import { POSTGRES_LOCK, MYSQL_LOCK } from '../../lib/backends/database/schema-lock.js';
import { describeServer, freshDatabase, START_LIMIT_MS, type FreshDatabase } from '../support/shared-servers.js';
import { plainLink, serverSchema, type PlainLink, type ServerKind } from './schema-harness.js';

const ALL = ['jobs', 'failed_jobs', 'job_batches'];

for (const kind of ['postgres', 'mysql'] as const) {
  describeServer(kind, `the tables on ${kind}`, () => {
    let database: FreshDatabase;
    let links: PlainLink[];
    let link: PlainLink;

    beforeEach(async () => {
      database = await freshDatabase(kind);
      links = [];
      link = await open();
    }, START_LIMIT_MS);
    afterEach(async () => {
      await Promise.all(links.map((one) => one.close()));
      await database.drop();
    }, START_LIMIT_MS);

    async function open(url = database.url): Promise<PlainLink> {
      const one = await plainLink(kind, url);
      links.push(one);
      return one;
    }
    const names = async (): Promise<string[]> => (await namesOfTables(link, kind)).sort();
    const versions = async (): Promise<Record<string, number>> => {
      const { rows } = await link.query({ name: 'versions', text: 'SELECT name, version FROM queue_schema' }, []);
      return Object.fromEntries(rows.map(([name, version]) => [name, Number(version)]));
    };

    it('are missing until they are installed, and that is said with the command', async () => {
      const schema = serverSchema(kind);
      await expect(schema.check(link)).rejects.toBeInstanceOf(SchemaError);
      await expect(schema.check(link)).rejects.toThrow(
        `The table [jobs] in ${kind} at db:1/app is missing. Run: npx nestjs-queue queue:install`,
      );
      expect(await names()).toEqual([]);
      expect(await schema.install(link)).toEqual({ applied: ALL });
      await schema.check(link);
      expect(await versions()).toEqual({ jobs: 1, failed_jobs: 1, job_batches: 2 });
      expect(await names()).toEqual([
        'failed_jobs',
        'job_batches',
        'job_batches_members',
        'jobs',
        'jobs_cancelled',
        'jobs_control',
        'jobs_effects',
        'jobs_limits',
        'jobs_locks',
        'jobs_once',
        'queue_schema',
      ]);
      expect(await schema.install(link)).toEqual({ applied: [] });
    });

    it('of an older version are brought up to this one, and bear it twice', async () => {
      const schema = serverSchema(kind);
      await schema.install(link);
      const indexes = async (): Promise<string> => {
        const text =
          kind === 'postgres'
            ? `SELECT indexdef FROM pg_indexes WHERE tablename = 'job_batches_members' ORDER BY indexdef`
            : `SELECT CONCAT(index_name, ' ', column_name) FROM information_schema.statistics
                WHERE table_schema = DATABASE() AND table_name = 'job_batches_members' ORDER BY index_name, seq_in_index`;
        return (await link.query({ name: 'indexes', text }, [])).rows.join('\n');
      };
      const made = await indexes();
      const older =
        kind === 'postgres'
          ? [
              'DROP INDEX job_batches_members_failed',
              `CREATE INDEX job_batches_members_failed ON job_batches_members (batch, ended_at) WHERE state = 'failed'`,
            ]
          : ['ALTER TABLE job_batches_members DROP INDEX failures, ADD KEY ends (batch, state, ended_at)'];
      const setBack = `UPDATE queue_schema SET version = 1 WHERE name = 'job_batches'`;
      for (const statement of [...older, setBack]) await link.run(statement);
      expect(await indexes()).not.toBe(made);
      await expect(schema.check(link)).rejects.toThrow('is of an older version');
      expect((await schema.install(link)).applied).toHaveLength(1);
      expect(await indexes()).toBe(made);
      await schema.check(link);
      // As after a crash between the two.
      await link.run(setBack);
      expect((await schema.install(link)).applied).toHaveLength(1);
      expect(await indexes()).toBe(made);
    });

    it('are made once by eight that come at the same time', async () => {
      const eight = await Promise.all(Array.from({ length: 8 }, () => open()));
      const done = await Promise.all(eight.map((one) => serverSchema(kind).install(one)));
      expect(done.filter(({ applied }) => applied.length > 0)).toEqual([{ applied: ALL }]);
      await serverSchema(kind).check(link);
    });

    it('gives up on another installation that does not end, and says so', async () => {
      const other = await open();
      await other.run(
        kind === 'postgres' ? `SELECT pg_advisory_lock(${POSTGRES_LOCK})` : `SELECT GET_LOCK(${MYSQL_LOCK}, 1)`,
      );
      const installing = serverSchema(kind, {}, 300).install(link);
      await expect(installing).rejects.toThrow(/Another process has been installing tables in .* for 0 seconds/);
      expect(await names()).toEqual([]);
      await other.close();
      links = links.filter((one) => one !== other);
      expect(await serverSchema(kind).install(link)).toEqual({ applied: ALL });
    });

    it('of a newer version are refused, unless that version says that older packages can work with it', async () => {
      const schema = serverSchema(kind);
      await schema.install(link);
      await link.run(`UPDATE queue_schema SET version = 7 WHERE name = 'jobs'`);
      const refusal = /\[jobs\] in .* was made by a newer version .*schema 7, this one knows 1.* Update nestjs-queue/;
      await expect(schema.check(link)).rejects.toThrow(refusal);
      await expect(schema.install(link)).rejects.toThrow(refusal);
      await link.run(`INSERT INTO queue_schema (name, version) VALUES ('jobs:since', 2)`);
      await expect(schema.check(link)).rejects.toThrow(refusal);
      await link.run(`UPDATE queue_schema SET version = 1 WHERE name = 'jobs:since'`);
      await schema.check(link);
      expect(await schema.install(link)).toEqual({ applied: [] });
    });

    it('of somebody else are not touched, whichever of the names it is', async () => {
      for (const [taken, named] of [
        ['jobs', 'jobs'],
        ['jobs_locks', 'jobs_locks'],
        ['failed_jobs', 'failed_jobs'],
      ] as const) {
        await link.run(`CREATE TABLE ${taken} (title char(1))`);
        const refusal = new RegExp(`a table \\[${named}\\] in .* that nestjs-queue did not make`);
        await expect(serverSchema(kind).check(link)).rejects.toThrow(refusal);
        await expect(serverSchema(kind).install(link)).rejects.toThrow(refusal);
        expect(await names()).toEqual([taken]);
        await link.run(`DROP TABLE ${taken}`);
      }
      await link.run('CREATE TABLE jobs (title char(1))');
      const renamed = serverSchema(kind, { table: 'queued' });
      expect(await renamed.install(link)).toEqual({ applied: ['queued', 'failed_jobs', 'job_batches'] });
      await renamed.check(link);
    });

    it('of two connections share the versions, and a part that is there is not made again', async () => {
      await serverSchema(kind).install(link);
      expect(await serverSchema(kind, { table: 'mails' }).install(link)).toEqual({ applied: ['mails'] });
      expect(await versions()).toEqual({ jobs: 1, mails: 1, failed_jobs: 1, job_batches: 2 });
    });

    it('that somebody dropped are made anew, and a part of them that is gone is named', async () => {
      const schema = serverSchema(kind);
      await schema.install(link);
      await link.run('DROP TABLE failed_jobs');
      await expect(schema.check(link)).rejects.toThrow('[failed_jobs]');
      expect(await schema.install(link)).toEqual({ applied: ['failed_jobs'] });
      await schema.check(link);
      await link.run('DROP TABLE jobs_locks');
      const other = await open();
      for (const ask of [() => schema.check(link), () => schema.install(other)]) {
        await expect(ask()).rejects.toThrow(
          /\[jobs_locks\] in .* is missing, while others of the same queue are there/,
        );
      }
    });

    it('that an interrupted installation left half made are made anew', async () => {
      const schema = serverSchema(kind);
      let left = 5;
      const failing: PlainLink = {
        ...link,
        run: (sql) => (--left === 0 ? Promise.reject(new Error('the power went')) : link.run(sql)),
      };
      await expect(schema.install(failing)).rejects.toThrow('the power went');
      const after = await names();
      // Postgres takes everything back; MySQL has committed each statement.
      expect(after.includes('jobs_once')).toBe(kind === 'mysql');
      const state = kind === 'mysql' ? 'half made' : 'missing';
      await expect(schema.check(link)).rejects.toThrow(
        `[jobs] in ${kind} at db:1/app is ${state}. Run: npx nestjs-queue queue:install`,
      );
      expect(await schema.install(link)).toEqual({ applied: ALL });
      await schema.check(link);
    });

    it('that are in use are safe from a script or migration that runs once more', async () => {
      const schema = serverSchema(kind);
      await schema.install(link);
      await link.run(`INSERT INTO jobs_control (mark, value) VALUES ('kept', 'yes')`);
      for (const statements of [schema.script(), schema.migration('jobs').up]) {
        const again = async () => {
          for (const statement of statements) await link.run(statement);
        };
        await expect(again()).rejects.toThrow(/exists/);
        if (kind === 'postgres') await link.run('ROLLBACK');
        expect(await schema.install(link)).toEqual({ applied: [] });
      }
      const { rows } = await link.query({ name: 'kept', text: 'SELECT COUNT(*) FROM jobs_control' }, []);
      expect(rows.map(([count]) => Number(count))).toEqual([1]);
    });

    it('can be made by the printed script', async () => {
      for (const statement of serverSchema(kind).script()) await link.run(statement);
      await serverSchema(kind).check(link);
      expect(await serverSchema(kind).install(link)).toEqual({ applied: [] });
    });

    if (kind === 'postgres') schemasOfPostgres();

    function schemasOfPostgres(): void {
      it('are looked for where the search path leads', async () => {
        await serverSchema(kind).install(link);
        await link.run('CREATE SCHEMA tenant');
        // A schema of the user's own that is first in the path hides nothing that was installed behind it.
        await link.run('SET search_path = tenant, public');
        await serverSchema(kind).check(link);
        expect(await serverSchema(kind, { table: 'mails' }).install(link)).toEqual({ applied: ['mails'] });
        const place = await link.query(
          { name: 'place', text: `SELECT schemaname FROM pg_tables WHERE tablename = 'mails'` },
          [],
        );
        expect(place.rows).toEqual([['public']]);
        expect((await link.query({ name: 'path', text: 'SHOW search_path' }, [])).rows).toEqual([['tenant, public']]);

        await link.run('SET search_path = tenant');
        await expect(serverSchema(kind).check(link)).rejects.toThrow('is missing');
        expect(await serverSchema(kind).install(link)).toEqual({ applied: ALL });

        await link.run('SET search_path = nowhere');
        await expect(serverSchema(kind).install(link)).rejects.toThrow(/search_path of .* names no schema that exists/);
      });
    }
  });
}

async function namesOfTables(link: PlainLink, kind: ServerKind): Promise<string[]> {
  const text =
    kind === 'postgres'
      ? "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
      : 'SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()';
  return (await link.query({ name: 'tables', text }, [])).rows.map(([name]) => String(name));
}
