import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { postgresDialect } from '../../lib/backends/database/postgres/postgres-dialect.js';
import { openWatch, type PostgresWatchData } from '../../lib/backends/database/postgres/postgres-watch.js';
import { LostLinkError } from '../../lib/backends/database/server/link.js';
import { describeServer, useDatabase } from '../support/shared-servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { fill, Links, request, statements, tables } from './postgres-harness.js';

const one = { name: 'one', text: 'SELECT $1::bigint AS one' };
const SLEEP = { name: 'sleep', text: 'SELECT pg_sleep(20)' };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeServer('postgres', 'a connection to Postgres', () => {
  const database = useDatabase('postgres');
  const links = new Links(() => database.url);
  afterEach(() => links.close());

  const backend = async (link: Awaited<ReturnType<Links['open']>>): Promise<number> =>
    Number((await link.query({ name: 'pid', text: 'SELECT pg_backend_pid()' }, [])).rows[0]![0]);
  const terminate = async (pid: number): Promise<void> => {
    const admin = await links.open(database.adminUrl);
    await admin.query({ name: 'end', text: 'SELECT pg_terminate_backend($1)::text' }, [pid]);
  };

  it('reads whole numbers of 64 bits as numbers, and leaves the application its own types', async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const link = await postgresDialect.link(client, () => {});
    expect((await link.query(one, [1_790_000_000_000])).rows).toEqual([[1_790_000_000_000]]);
    expect((await client.query('SELECT 5::bigint AS five')).rows).toEqual([{ five: '5' }]);
    await client.end();
  });

  it('sends nothing that is no text, whole number, null or list', async () => {
    const link = await links.open();
    for (const unfit of [1.5, Number.NaN, undefined, true, {}]) {
      await expect(link.query(one, [unfit as never])).rejects.toThrow(TypeError);
    }
    expect(link.alive).toBe(true);
  });

  it('tells a lost connection from a refused statement', async () => {
    const link = await links.open();
    const wrong = await link.query({ name: 'wrong', text: 'SELECT nothing' }, []).catch((error: unknown) => error);
    expect([postgresDialect.faults.of(wrong), link.alive]).toEqual(['schema', true]);
    const sleeping = link.query(SLEEP, []).catch((error: unknown) => error);
    expect(link.busySince).toBeLessThanOrEqual(performance.now());
    await terminate(await sleeperOf(database.adminUrl));
    expect(await sleeping).toBeInstanceOf(LostLinkError);
    expect([link.alive, link.busySince]).toEqual([false, undefined]);
    await expect(link.query(one, [1])).rejects.toThrow(LostLinkError);
  });

  it('shows that an idle connection was ended', async () => {
    const link = await links.open();
    await terminate(await backend(link));
    for (let waited = 0; link.alive && waited < 2_000; waited += 10) await pause(10);
    expect(link.alive).toBe(false);
  });

  it('destroyed, it rejects what waits at once', async () => {
    const link = await links.open();
    const sleeping = link.query(SLEEP, []).catch((error: unknown) => error);
    const start = performance.now();
    link.destroy(new Error('it took too long'));
    const error = (await sleeping) as Error;
    expect(error).toBeInstanceOf(LostLinkError);
    expect(error.message).toContain('it took too long');
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('has its session set up: time limits, and plans that need no statistics', async () => {
    const link = await links.open();
    const names = ['statement_timeout', 'lock_timeout', 'enable_seqscan', 'plan_cache_mode'];
    const text = `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`;
    const { rows } = await link.query({ name: 'settings', text }, []);
    expect(rows[0]).toEqual(['10s', '5s', 'off', 'force_generic_plan']);
  });

  describe('for a watchdog thread', () => {
    const dataOf = (url: string): PostgresWatchData => {
      const found = postgresDialect.watch({ type: 'postgres', url }, tables);
      expect(found?.entry.pathname).toMatch(/postgres-watch\.js$/);
      return structuredClone(found!.data) as PostgresWatchData;
    };

    it('renews and releases, fenced by token, also after its connection was lost', async () => {
      const link = await links.open();
      await links.install(link);
      await fill(link, 3);
      const [a, b, c] = (await statements.claim(link, request({ leaseMs: 1_000 }))).jobs;
      const watch = await openWatch(dataOf(database.url));
      const lost = { ok: false, reason: 'lease-lost' };
      expect(await watch.renew([a!, { ...b!, token: 'made up' }], 60_000)).toEqual([{ ok: true }, lost]);
      await terminate(await sleeperOf(database.adminUrl, 'nestjs-queue watchdog%'));
      await pause(50);
      const release = { ...c!, delayMs: 0, countAttempt: false, memo: 'blocked' };
      expect(await watch.release([release, release])).toEqual([{ ok: true }, lost]);
      const [back] = (await statements.claim(link, request())).jobs;
      expect([back!.id, back!.attempts, back!.memo]).toEqual([c!.id, 1, 'blocked']);
      await watch.close();
      expect(await watch.renew([a!], 1_000)).toMatchObject([{ ok: false, reason: 'error' }]);
    });

    it('answers with an error where the server is away, and goes on when it is back', async () => {
      const link = await links.open();
      await links.install(link);
      await fill(link, 1);
      const { jobs } = await statements.claim(link, request());
      const proxy = await TcpProxy.to(Number(new URL(database.url).port));
      const watch = await openWatch(dataOf(proxy.url(database.url)));
      proxy.refuse();
      expect(await watch.renew(jobs, 60_000)).toMatchObject([{ ok: false, reason: 'error' }]);
      proxy.restore();
      expect(await watch.renew(jobs, 60_000)).toEqual([{ ok: true }]);
      await watch.close();
      await proxy.close();
    });

    it('is not offered where the way to the server cannot be cloned', () => {
      const unfit = [
        { url: database.url, password: () => 'secret' },
        { url: database.url, ssl: { checkServerIdentity: () => undefined } },
        { url: database.url, extra: { stream: () => undefined } },
        { url: database.url, driver: {} },
      ];
      for (const options of unfit)
        expect(postgresDialect.watch({ type: 'postgres', ...options }, tables)).toBeUndefined();
    });
  });
});

/** The process of the server that serves the one sleeping, or the application of that name. */
async function sleeperOf(url: string, application?: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const where = application
    ? `application_name LIKE '${application}'`
    : `query LIKE 'SELECT pg_sleep%' AND state = 'active'`;
  try {
    for (let tries = 0; tries < 100; tries++) {
      const { rows } = await client.query(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND ${where}`,
      );
      if (rows[0]) return Number(rows[0].pid);
      await pause(20);
    }
    throw new Error('Nobody sleeps.');
  } finally {
    await client.end();
  }
}
