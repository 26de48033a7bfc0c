import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import type { DatabaseConnectionOptions } from '../../lib/backends/database/database-options.js';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import type { PushEntry, PushResult, ReservedJob } from '../../lib/contracts/queue-driver.js';
import type { QueueError } from '../../lib/support/queue-error.js';
import { rawSql, type RawSql } from '../support/raw-sql.js';
import type { SqlServer, SqlServerKind } from '../support/servers.mjs';
import {
  describeServer,
  freshDatabase,
  privateServer,
  START_LIMIT_MS,
  type FreshDatabase,
} from '../support/shared-servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { backendContext, job, request } from './sqlite-harness.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** A way that is cut in the middle of things takes a while to be found out. */
const LONG_MS = 60_000;

for (const kind of ['postgres', 'mariadb'] as const) {
  describeServer(kind, `${kind}: the way to the server`, () => {
    let database: FreshDatabase;
    let proxy: TcpProxy;
    let raw: RawSql;
    const open: Backend[] = [];
    const backend = (over: Partial<BackendContext> = {}, options: Partial<DatabaseConnectionOptions> = {}): Backend =>
      remembered(open, kind, proxy.url(database.url), over, options);

    beforeAll(async () => {
      database = await freshDatabase(kind);
      proxy = await TcpProxy.to(Number(new URL(database.url).port));
      raw = await rawSql(kind, database.url);
      await backend().check!();
    }, START_LIMIT_MS);
    afterEach(async () => {
      proxy.restore();
      await closeAll(open);
      await raw.sql('DELETE FROM jobs');
    }, LONG_MS);
    afterAll(async () => {
      await closeAll(open);
      await raw.close();
      await proxy.close();
      await database.drop();
    }, LONG_MS);
    const stored = async (): Promise<string[]> =>
      (await raw.sql<{ id: string }>('SELECT id FROM jobs ORDER BY seq')).map(({ id }) => id);

    it('a producer opens nothing before its first dispatch', async () => {
      const before = proxy.accepted;
      const quiet = backend();
      await sleep(50);
      expect(proxy.accepted).toBe(before);
      await push(quiet, entry());
      expect(proxy.accepted).toBeGreaterThan(before);
    });

    it(
      'a push that is cut at any byte is stored once or not at all, and says so',
      async () => {
        const sized = backend();
        await push(sized, entry());
        for (const from of ['client', 'server'] as const) {
          for (const after of [0, 1, 7, 40, 90, 200, 400]) {
            const cutting = backend({ dispatchTimeoutMs: 3_000 });
            // The connection is there and its statement prepared: what is cut is the push itself.
            await push(cutting, entry());
            const one = entry();
            proxy.cut({ from, after, once: true });
            const outcome = await settled(cutting.queue!.push([one]));
            proxy.restore();
            const rows = (await stored()).filter((id) => id === one.id).length;
            const { error } = outcome;
            const says = error === undefined ? 'stored' : (error as QueueError).outcome;
            expect([from, after, says]).toEqual([from, after, error === undefined ? 'stored' : 'unknown']);
            expect([from, after, rows]).toEqual([from, after, error === undefined ? 1 : Math.min(rows, 1)]);
            // The same dispatch again changes nothing where it was stored.
            await cutting.queue!.push([one]);
            expect((await stored()).filter((id) => id === one.id)).toHaveLength(1);
          }
        }
      },
      LONG_MS,
    );

    it(
      'a claim that is cut loses no job: what it took comes with the next one',
      async () => {
        for (const from of ['client', 'server'] as const) {
          for (const after of [0, 5, 60, 300]) {
            const worker = backend();
            const all = [entry(), entry(), entry()];
            await push(worker, ...all);
            expect(await worker.queue!.reserve(request({ queues: ['nothing'] }))).toEqual([]);
            proxy.cut({ from, after, once: true });
            const first = await settled(worker.queue!.reserve(request({ limit: 3 })));
            proxy.restore();
            const jobs = [...(first.value ?? [])];
            while (jobs.length < 3) {
              const more = await worker.queue!.reserve(request({ limit: 3 - jobs.length, waitMs: 2_000 }));
              expect(more.length).toBeGreaterThan(0);
              jobs.push(...more);
            }
            expect(jobs.map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
            expect(jobs.map(({ stalls }) => stalls)).toEqual([0, 0, 0]);
            await ackAll(worker, jobs);
            expect(await stored()).toEqual([]);
          }
        }
      },
      LONG_MS,
    );

    it(
      'an ack that is cut is handed in again, and is not taken for a lost lease',
      async () => {
        for (const from of ['client', 'server'] as const) {
          for (const after of [0, 5, 60, 300]) {
            const worker = backend();
            await push(worker, entry());
            const [taken] = await worker.queue!.reserve(request());
            proxy.cut({ from, after, once: true });
            const [first] = await worker.queue!.settle([{ kind: 'ack', job: taken! }]);
            proxy.restore();
            const again = first!.ok ? [first!] : await worker.queue!.settle([{ kind: 'ack', job: taken! }]);
            expect([from, after, again]).toEqual([from, after, [{ ok: true }]]);
            expect(await stored()).toEqual([]);
          }
        }
      },
      LONG_MS,
    );

    it('every connection reset at once: the next verbs succeed', async () => {
      const worker = backend();
      await push(worker, entry(), entry());
      const [first] = await worker.queue!.reserve(request({ limit: 1 }));
      proxy.reset();
      await sleep(20);
      expect(await worker.queue!.leases!.renew([first!], 30_000)).toEqual([{ ok: true }]);
      const { jobs } = await worker.queue!.exchange!([{ kind: 'ack', job: first! }], request({ limit: 1 }));
      expect(jobs).toHaveLength(1);
      await push(worker, entry());
      expect(await stored()).toHaveLength(2);
    });

    it(
      'a way that swallows everything is given up within seconds, and the next one taken',
      async () => {
        const worker = backend({ dispatchTimeoutMs: 1_000 });
        await push(worker, entry());
        const [taken] = await worker.queue!.reserve(request());
        proxy.blackhole();
        const began = performance.now();
        const dispatched = await settled(worker.queue!.push([entry()]));
        expect(dispatched.error).toMatchObject({ outcome: 'unknown' });
        expect(performance.now() - began).toBeLessThan(3_000);
        const [renewed] = await worker.queue!.leases!.renew([taken!], 6_000);
        expect(renewed).toMatchObject({ ok: false, reason: 'error' });
        proxy.restore();
        proxy.reset();
        expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
        await push(worker, entry());
      },
      LONG_MS,
    );

    it(
      'a store that takes two seconds to answer still takes jobs and renews leases',
      async () => {
        const worker = backend();
        await push(worker, entry());
        const [taken] = await worker.queue!.reserve(request());
        expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
        proxy.delay(1_000);
        expect(await worker.queue!.leases!.renew([taken!], 30_000)).toEqual([{ ok: true }]);
        await push(worker, entry());
        expect(await worker.queue!.settle([{ kind: 'ack', job: taken! }])).toEqual([{ ok: true }]);
      },
      LONG_MS,
    );

    it(
      'a server that is not there: a dispatch rejects in time and says why',
      async () => {
        const nowhere = await TcpProxy.to(1);
        await nowhere.close();
        const away = remembered(open, kind, nowhere.url(database.url), { dispatchTimeoutMs: 1_000 });
        const began = performance.now();
        const many = await Promise.all(Array.from({ length: 50 }, () => settled(away.queue!.push([entry()]))));
        expect(performance.now() - began).toBeLessThan(3_000);
        for (const { error } of many)
          expect(String(error)).toMatch(/did not take the job within 1000 ms. Nothing was stored.*ECONNREFUSED/);
        await expect(away.queue!.size(['default'])).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/);
      },
      LONG_MS,
    );

    it('credentials that are wrong are said at once, and are no outage', async () => {
      const url = new URL(database.url);
      url.pathname = '/not_there';
      const wrong = remembered(open, kind, url.href, {});
      const began = performance.now();
      await expect(wrong.check!()).rejects.toMatchObject({ code: 'ERR_QUEUE_STORE_REFUSED' });
      expect(performance.now() - began).toBeLessThan(4_000);
    });

    it(
      'connections that the server ends one by one are replaced',
      async () => {
        const worker = backend();
        const ended = new Set<string>();
        for (let round = 0; round < 5; round++) {
          await push(worker, entry());
          for (const id of await connectionsOf(kind, raw)) {
            ended.add(id);
            await raw.sql(kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
          }
          // Ended is when the server says so: the order alone is answered at once.
          do await sleep(50);
          while ((await connectionsOf(kind, raw)).some((id) => ended.has(id)));
          const jobs = await worker.queue!.reserve(request({ waitMs: 5_000 }));
          expect(jobs).toHaveLength(1);
          await ackAll(worker, jobs);
        }
        expect(ended.size).toBeGreaterThanOrEqual(5);
      },
      LONG_MS,
    );

    it(
      'a few connections are all it takes, and they have a name',
      async () => {
        const worker = backend();
        const waiting = new AbortController();
        const reserving = worker.queue!.reserve(request({ waitMs: 60_000, signal: waiting.signal }));
        await Promise.all(Array.from({ length: 200 }, () => push(worker, entry({ queue: 'other' }))));
        await Promise.all(Array.from({ length: 20 }, () => worker.queue!.size(['default'])));
        const own = await connectionsOf(kind, raw);
        expect(own.length).toBeGreaterThan(0);
        expect(own.length).toBeLessThanOrEqual(5);
        waiting.abort();
        await reserving;
        await worker.close();
        await sleep(50);
        expect(await connectionsOf(kind, raw)).toEqual([]);
      },
      LONG_MS,
    );

    it(
      'moments do not depend on the time zone of the session or the process',
      async () => {
        const zone = process.env['TZ'];
        try {
          process.env['TZ'] = 'America/St_Johns';
          const extra = kind === 'postgres' ? { options: '-c TimeZone=Asia/Kathmandu' } : {};
          const far = remembered(
            open,
            kind,
            database.url,
            {},
            {},
            kind === 'postgres' ? { extra } : { timezone: '+05:45' },
          );
          await push(far, entry({ delayMs: 1_500 }), entry({ delayMs: 50 * 86_400_000 }));
          const queue = far.queue!;
          expect((await queue.size(['default']))[0]).toMatchObject({ pending: 0, delayed: 2 });
          const { jobs } = await queue.inspection!.page('default', 'delayed', { limit: 5 });
          expect(Math.abs(jobs[0]!.availableAt - Date.now() - 1_500)).toBeLessThan(1_000);
          expect(Math.abs(jobs[1]!.availableAt - Date.now() - 50 * 86_400_000)).toBeLessThan(2_000);
          const began = performance.now();
          const [due] = await queue.reserve(request({ waitMs: 5_000 }));
          expect(due!.id).toBe(jobs[0]!.id);
          expect(performance.now() - began).toBeGreaterThan(1_000);
          expect(Math.abs(due!.leasedUntil - Date.now() - 30_000)).toBeLessThan(2_000);
        } finally {
          if (zone === undefined) delete process.env['TZ'];
          else process.env['TZ'] = zone;
        }
      },
      LONG_MS,
    );
  });

  describeServer(kind, `${kind}: the server itself`, () => {
    let server: SqlServer;
    let url: string;
    const open: Backend[] = [];
    beforeAll(async () => {
      // Just enough for one process of ours, and for whoever looks.
      const settings: Record<string, number> =
        kind === 'postgres' ? { max_connections: 14, superuser_reserved_connections: 3 } : { max_connections: 10 };
      server = await privateServer(kind, { settings });
      ({ url } = await server.createDatabase('faults'));
      await remembered(open, kind, url).check!();
    }, START_LIMIT_MS);
    afterEach(() => closeAll(open), LONG_MS);
    afterAll(() => server.close(), LONG_MS);

    it(
      'starts while it is down, and works once it is up',
      async () => {
        await server.stop();
        const early = remembered(open, kind, url, { dispatchTimeoutMs: 500 });
        const { error } = await settled(early.queue!.push([entry()]));
        expect((error as Error).message).toMatch(/Nothing was stored/);
        const reserving = settled(early.queue!.reserve(request({ waitMs: 100 })));
        expect((await reserving).error).toMatchObject({ code: 'ERR_QUEUE_STORE_UNREACHABLE', transient: true });
        await server.start();
        await push(early, entry());
        await ackAll(early, await early.queue!.reserve(request()));
      },
      LONG_MS,
    );

    it.each(['SIGTERM', 'SIGKILL'] as const)(
      'is restarted by %s while jobs are held: their leases go on',
      async (signal) => {
        const worker = remembered(open, kind, url);
        await push(worker, entry(), entry());
        const [held] = await worker.queue!.reserve(request({ limit: 1 }));
        // A claim is on the disk soon, not at once: a server that is killed before that gives the job to another.
        await sleep(700);
        await server.restart({ signal: signal === 'SIGTERM' && kind === 'postgres' ? 'SIGINT' : signal, downMs: 300 });
        expect(await worker.queue!.leases!.renew([held!], 30_000)).toEqual([{ ok: true }]);
        const {
          settled: [answer],
          jobs,
        } = await worker.queue!.exchange!([{ kind: 'ack', job: held! }], request());
        expect([answer, jobs.length]).toEqual([{ ok: true }, 1]);
        await ackAll(worker, jobs);
      },
      LONG_MS,
    );

    it(
      'is restarted while a worker waits: it is woken by the next job',
      async () => {
        const worker = remembered(open, kind, url);
        const waiting = worker.queue!.reserve(request({ waitMs: 30_000 }));
        await sleep(300);
        await server.restart({ ...(kind === 'postgres' && { signal: 'SIGINT' }) });
        const producer = remembered(open, kind, url);
        // An outage ends a wait by an error, and the worker asks again.
        const jobs = settled(waiting).then(
          async ({ value }) => value ?? (await worker.queue!.reserve(request({ waitMs: 30_000 }))),
        );
        await push(producer, entry());
        expect(await jobs).toHaveLength(1);
        await ackAll(worker, await jobs);
      },
      LONG_MS,
    );

    it(
      'has no connection left: leases are renewed all the same, and the rest goes on when there is one',
      async () => {
        const worker = remembered(open, kind, url);
        await push(worker, entry());
        const [held] = await worker.queue!.reserve(request());
        await sleep(100);
        const greedy: RawSql[] = [];
        for (;;) {
          const { value } = await settled(rawSql(kind, url));
          if (value === undefined) break;
          greedy.push(value);
        }
        const producer = remembered(open, kind, url, { dispatchTimeoutMs: 700 });
        expect((await settled(producer.queue!.push([entry()]))).error).toMatchObject({
          message: expect.stringMatching(/Nothing was stored/),
        });
        expect(await worker.queue!.leases!.renew([held!], 30_000)).toEqual([{ ok: true }]);
        expect(await worker.queue!.settle([{ kind: 'ack', job: held! }])).toEqual([{ ok: true }]);
        for (const one of greedy) await one.close();
        await push(producer, entry());
        await ackAll(worker, await worker.queue!.reserve(request({ waitMs: 5_000 })));
      },
      LONG_MS,
    );

    it(
      'takes no writes: said at the start of a worker, waited for by one that runs',
      async () => {
        const worker = remembered(open, kind, url, { dispatchTimeoutMs: 400 });
        await push(worker, entry());
        const readOnly = async (on: boolean): Promise<void> => {
          if (kind === 'postgres') {
            await server.sql(`ALTER DATABASE faults SET default_transaction_read_only = ${on ? 'on' : 'off'}`);
            // Sessions have their own since they began.
            await server.sql(
              `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'faults' AND pid <> pg_backend_pid()`,
            );
          } else {
            await server.sql(`SET GLOBAL read_only = ${on ? 1 : 0}`);
          }
        };
        await readOnly(true);
        try {
          await expect(remembered(open, kind, url).check!()).rejects.toThrow(/takes no writes.*primary/);
          const { error } = await settled(worker.queue!.push([entry()]));
          expect((error as Error).message).toMatch(/read.?only/i);
          expect((await settled(worker.queue!.reserve(request()))).error).toMatchObject({ transient: true });
        } finally {
          await readOnly(false);
        }
        await ackAll(worker, await worker.queue!.reserve(request({ waitMs: 5_000 })));
      },
      LONG_MS,
    );
  });
}

function remembered(
  open: Backend[],
  kind: SqlServerKind,
  url: string,
  over: Partial<BackendContext> = {},
  options: Partial<DatabaseConnectionOptions> = {},
  dataSource: object = {},
): Backend {
  const one = databaseBackend(
    {
      driver: 'database',
      dataSource: { type: kind, url, ...dataSource } as object as { type: string },
      migrate: true,
      ...options,
    },
    backendContext(over),
  );
  open.push(one);
  return one;
}

async function closeAll(open: Backend[]): Promise<void> {
  await Promise.all(open.splice(0).map((one) => one.close()));
}

function entry(over: Partial<PushEntry> = {}): PushEntry {
  return job({ id: randomUUID(), ...over });
}

async function push(backend: Backend, ...entries: PushEntry[]): Promise<void> {
  const results: readonly PushResult[] = await backend.queue!.push(entries);
  expect(results).toEqual(entries.map(() => ({ stored: true })));
}

async function ackAll(backend: Backend, jobs: readonly ReservedJob[]): Promise<void> {
  expect(jobs.length).toBeGreaterThan(0);
  const results = await backend.queue!.settle(jobs.map((one) => ({ kind: 'ack', job: one })));
  expect(results).toEqual(jobs.map(() => ({ ok: true })));
}

async function settled<T>(work: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

/** Those of the queue's own pools. */
async function connectionsOf(kind: SqlServerKind, raw: RawSql): Promise<string[]> {
  if (kind === 'postgres') {
    const rows = await raw.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'nestjs-queue%'`,
    );
    return rows.map(({ pid }) => String(pid));
  }
  const rows = await raw.sql<{ id: number }>(
    `SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`,
  );
  return rows.map(({ id }) => String(id));
}
