import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import type { DatabaseConnectionOptions } from '../../lib/backends/database/database-options.js';
import type { Backend } from '../../lib/contracts/backend.js';
import type { MemberEnd } from '../../lib/contracts/batch-store.js';
import type { PushEntry, ReservedJob, Settlement, SettleResult } from '../../lib/contracts/queue-driver.js';
import type { QueueError } from '../../lib/support/queue-error.js';
import { rawSql, type RawSql } from '../support/raw-sql.js';
import type { SqlServer, SqlServerKind } from '../support/servers.mjs';
import {
  describeServer,
  freshDatabase,
  privateServer,
  START_LIMIT_MS,
  useDatabase,
  type FreshDatabase,
} from '../support/shared-servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { backendContext, job, request } from './sqlite-harness.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const LONG_MS = 90_000;

const open: Backend[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
}, LONG_MS);

describeServer('postgres', 'postgres: the connection that listens', () => {
  let database: FreshDatabase;
  let proxy: TcpProxy;
  let raw: RawSql;
  beforeAll(async () => {
    database = await freshDatabase('postgres');
    proxy = await TcpProxy.to(Number(new URL(database.url).port));
    raw = await rawSql('postgres', database.adminUrl);
  }, START_LIMIT_MS);
  afterAll(async () => {
    await raw.close();
    await proxy.close();
    await database.drop();
  }, LONG_MS);

  interface Listening {
    readonly pid: number;
    readonly port: number;
  }
  const listening = (): Promise<Listening[]> =>
    raw.sql<Listening>(
      `SELECT pid, client_port AS port FROM pg_stat_activity WHERE datname = '${database.database}' AND query ~ '^(LISTEN|SELECT 1 AS one)' AND application_name LIKE 'nestjs-queue%' ORDER BY backend_start DESC`,
    );
  /** The one that listens now, other than these. */
  const listener = async (ms: number, ...not: readonly number[]): Promise<Listening> => {
    for (const end = performance.now() + ms; ; await sleep(50)) {
      const found = (await listening()).find(({ pid }) => !not.includes(pid));
      if (found) return found;
      if (performance.now() > end) throw new Error(`Nobody listens within ${ms} ms.`);
    }
  };

  it(
    'is replaced when it is ended and when it hears nothing more; pushes are found meanwhile, and soon wake again',
    async () => {
      const worker = backend('postgres', proxy.url(database.url));
      const producer = backend('postgres', database.url);
      await push(producer, job({ id: randomUUID(), queue: 'other' }));
      const stop = new AbortController();
      let arrived: (() => void) | undefined;
      const working = (async () => {
        while (!stop.signal.aborted) {
          const jobs = await worker.queue!.reserve(request({ waitMs: 60_000, signal: stop.signal }));
          if (jobs.length === 0) continue;
          arrived?.();
          await ackAll(worker, jobs);
        }
      })();
      /** How long a push takes to reach the worker. */
      const latency = async (): Promise<number> => {
        const there = new Promise<void>((resolve) => (arrived = resolve));
        const at = performance.now();
        await push(producer, job({ id: randomUUID() }));
        await there;
        return performance.now() - at;
      };
      const first = await listener(5_000);
      await raw.sql(`SELECT pg_terminate_backend(${first.pid})`);
      const second = await listener(5_000, first.pid);

      // Long enough for looks of its own to become seldom.
      await sleep(6_000);
      expect(await latency()).toBeLessThan(1_000);
      await sleep(4_000);
      const deafAt = performance.now();
      const dead = proxy.connections.find(({ outgoingPort }) => outgoingPort === second.port)!;
      dead.blackhole();
      expect(await latency()).toBeLessThan(6_000);
      const third = await listener(20_000, first.pid, second.pid);
      expect(performance.now() - deafAt).toBeLessThan(15_000);
      expect(third.port).not.toBe(second.port);
      await sleep(4_000);
      expect(await latency()).toBeLessThan(500);
      stop.abort();
      await working;
    },
    LONG_MS,
  );
});

for (const kind of ['postgres', 'mariadb'] as const) {
  describeServer(kind, `${kind}: more than one at the same rows`, () => {
    const database = useDatabase(kind);

    it(
      'eight workers end members of one batch at once: each counts once, and nobody hears of deadlocks',
      async () => {
        const workers = Array.from({ length: 8 }, () => backend(kind, database.url));
        const [first] = workers;
        const members: string[] = Array.from({ length: 480 }, () => randomUUID());
        const batch = { id: randomUUID(), name: 'batch', options: '{}', sealed: true, cancelOnFailure: false };
        await first!.batches!.create({ ...batch, memberIds: members });
        await push(first!, ...members.map((id) => job({ id })));

        const answers: SettleResult[] = [];
        const work = async ({ queue }: Backend, limit: number): Promise<void> => {
          let settlements: Settlement[] = [];
          for (;;) {
            // Every other one hands in and claims in one go.
            const { settled, jobs } = await queue!.exchange!(settlements, request({ limit }));
            answers.push(...settled);
            if (jobs.length === 0) return;
            settlements = jobs.map((taken) => ({ kind: 'ack', job: taken, effects: { member: endOf(taken) } }));
            if (limit % 2 === 0) answers.push(...(await queue!.settle(settlements.splice(0))));
          }
        };
        const endOf = ({ id }: ReservedJob): MemberEnd => ({
          batchId: batch.id,
          jobId: id,
          outcome: members.indexOf(id) % 3 === 0 ? 'failed' : 'done',
        });
        await Promise.all(workers.map((worker, at) => work(worker, at + 1)));
        expect(answers.map(({ ok }) => ok)).toEqual(members.map(() => true));
        const record = (await first!.batches!.find(batch.id))!;
        expect(record).toMatchObject({ totalJobs: 480, endedJobs: 480, failedJobs: 160, pendingJobs: 160 });
        expect(record.finishedAt).toBeDefined();
      },
      LONG_MS,
    );

    it(
      'members of several batches handed in together, in any order: nobody hears of deadlocks',
      async () => {
        const workers = Array.from({ length: 8 }, () => backend(kind, database.url));
        const [first] = workers;
        const batchOf = new Map<string, string>();
        for (let n = 0; n < 4; n += 1) {
          const id = randomUUID();
          const memberIds = Array.from({ length: 120 }, () => randomUUID());
          for (const member of memberIds) batchOf.set(member, id);
          const batch = { name: 'batch', options: '{}', sealed: true, cancelOnFailure: false };
          await first!.batches!.create({ ...batch, id, memberIds });
        }
        const all = [...batchOf.keys()].sort(() => Math.random() - 0.5);
        await push(first!, ...all.map((id) => job({ id })));
        const answers: SettleResult[] = [];
        await Promise.all(
          workers.map(async ({ queue }) => {
            for (;;) {
              const jobs = await queue!.reserve(request({ limit: 6 }));
              if (jobs.length === 0) return;
              const settlements = jobs.map((taken): Settlement => {
                const member: MemberEnd = { batchId: batchOf.get(taken.id)!, jobId: taken.id, outcome: 'done' };
                return { kind: 'ack', job: taken, effects: { member } };
              });
              answers.push(...(await queue!.settle(settlements)));
            }
          }),
        );
        expect(answers.map(({ ok }) => ok)).toEqual(all.map(() => true));
        for (const id of new Set(batchOf.values())) {
          expect(await first!.batches!.find(id)).toMatchObject({ endedJobs: 120, pendingJobs: 0 });
        }
      },
      LONG_MS,
    );

    it(
      'an application that has used its own pool up holds up nothing',
      async () => {
        const options = { type: kind, url: database.url, poolSize: 1 };
        const application = await new DataSource(options as DataSourceOptions).initialize();
        try {
          const worker = databaseBackend(
            { driver: 'database', dataSource: application as never, migrate: true },
            backendContext(),
          );
          open.push(worker);
          await push(worker, job({ id: randomUUID() }), job({ id: randomUUID() }));
          const runner = application.createQueryRunner();
          await runner.startTransaction();
          let free = false;
          const waiting = application.query('SELECT 1').then(() => (free = true));
          try {
            const [one, two] = await worker.queue!.reserve(request({ limit: 2 }));
            for (let beat = 0; beat < 3; beat += 1) {
              expect(await worker.queue!.leases!.renew([one!, two!], 3_000)).toEqual([{ ok: true }, { ok: true }]);
              await sleep(100);
            }
            await push(worker, job({ id: randomUUID() }));
            await ackAll(worker, [one!, two!, ...(await worker.queue!.reserve(request()))]);
            expect(free).toBe(false);
          } finally {
            await runner.rollbackTransaction();
            await runner.release();
            await waiting;
          }
        } finally {
          await application.destroy();
        }
      },
      LONG_MS,
    );
  });
}

const mountable = canMount();
if (!mountable) {
  console.info('Skipped: a disk that is full: only root may mount a small one here (mount -t tmpfs).');
}

for (const kind of ['postgres', 'mariadb'] as const) {
  const register = mountable ? describe : describe.skip;
  register('with a disk of its own', () => {
    describeServer(kind, `${kind}: a disk that is full`, () => {
      let server: SqlServer;
      let url: string;
      beforeAll(async () => {
        const settings: Record<string, string | number> =
          kind === 'postgres'
            ? { max_wal_size: '64MB', min_wal_size: '64MB', autovacuum: 'off' }
            : { innodb_log_file_size: '16M', innodb_use_native_aio: 0 };
        server = await privateServer(kind, { settings });
        ({ url } = await server.createDatabase('full'));
        await server.stop();
        await onSmallDisk(server.dataDir);
        await server.start();
      }, START_LIMIT_MS);
      afterAll(async () => {
        await server.stop('SIGKILL');
        execFileSync('umount', ['-l', server.dataDir]);
        await server.close();
      }, LONG_MS);

      it(
        'refuses dispatches, and says why; with room again all goes on, and nothing acknowledged is lost',
        async () => {
          const producer = backend(kind, url, { dispatchTimeoutMs: 3_000 });
          const kept: string[] = [];
          // Small enough to lie in the row itself: MariaDB gives itself up over a larger one.
          const one = (): PushEntry =>
            job({ id: randomUUID(), body: JSON.stringify(randomBytes(1_500).toString('hex')) });
          for (let n = 0; n < 5; n += 1) {
            const entry = one();
            await push(producer, entry);
            kept.push(entry.id);
          }
          const balloon = join(server.dataDir, 'balloon');
          fill(balloon);
          let refused: QueueError | undefined;
          for (let n = 0; n < 8_000 && refused === undefined; n += 1) {
            const entry = one();
            try {
              const [result] = await producer.queue!.push([entry]);
              if (!result!.stored) throw (result as { error: unknown }).error;
              kept.push(entry.id);
            } catch (error) {
              refused = error as QueueError;
            }
          }
          expect(refused).toMatchObject({ code: 'ERR_QUEUE_STORE_FULL' });
          expect(refused!.message).toContain('is full; the job was not stored');

          rmSync(balloon);
          const after = one();
          await push(producer, after);
          kept.push(after.id);
          const worker = backend(kind, url);
          const taken: string[] = [];
          while (taken.length < kept.length) {
            const jobs = await worker.queue!.reserve(request({ limit: 500, waitMs: 5_000 }));
            await ackAll(worker, jobs);
            taken.push(...jobs.map(({ id }) => id));
          }
          expect(taken.sort()).toEqual(kept.sort());
          expect(await worker.queue!.size(['default'])).toMatchObject([{ pending: 0, reserved: 0 }]);
        },
        LONG_MS,
      );
    });
  });
}

function backend(
  kind: SqlServerKind,
  url: string,
  over: Partial<ReturnType<typeof backendContext>> = {},
  options: Partial<DatabaseConnectionOptions> = {},
): Backend {
  const dataSource = { type: kind, url } as object as { type: string };
  const one = databaseBackend({ driver: 'database', dataSource, migrate: true, ...options }, backendContext(over));
  open.push(one);
  return one;
}

async function push(to: Backend, ...entries: PushEntry[]): Promise<void> {
  expect(await to.queue!.push(entries)).toEqual(entries.map(() => ({ stored: true })));
}

async function ackAll(by: Backend, jobs: readonly ReservedJob[]): Promise<void> {
  expect(jobs.length).toBeGreaterThan(0);
  const results = await by.queue!.settle(jobs.map((one) => ({ kind: 'ack', job: one })));
  expect(results).toEqual(jobs.map(() => ({ ok: true })));
}

/** Root alone, and not in every container. */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    // In a namespace of its own: nobody else sees it, and it goes with its process.
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What lies in the folder lies on a disk of 320 MB from now on. */
async function onSmallDisk(folder: string): Promise<void> {
  const { uid, gid } = statSync(folder);
  const aside = `${folder}-before`;
  renameSync(folder, aside);
  await mkdir(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=320m,mode=0700,uid=${uid},gid=${gid}`, 'tmpfs', folder]);
  execFileSync('cp', ['-a', `${aside}/.`, folder]);
  rmSync(aside, { recursive: true });
}

/** Takes what room there is. */
function fill(file: string): void {
  const target = openSync(file, 'w');
  for (const size of [1_048_576, 4_096]) {
    const chunk = Buffer.alloc(size);
    try {
      for (;;) writeSync(target, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(target);
}
