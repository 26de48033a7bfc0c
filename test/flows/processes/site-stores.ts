import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import Database from 'libsql';
import { databaseBackend } from '../../../lib/backends/database/database-backend.js';
import { redisBackend } from '../../../lib/backends/redis/redis-backend.js';
import type { Backend } from '../../../lib/contracts/backend.js';
import type { JobState } from '../../../lib/contracts/queue-driver.js';
import { backendContext } from '../../backends/sqlite-harness.js';
import { rawSql } from '../../support/raw-sql.js';
import { startRedis, type RedisCluster, type RedisSentinel, type RedisServer } from '../../support/redis-servers.mjs';
import { findServer, type ServerOptions, type SqlServer, type SqlServerKind } from '../../support/servers.mjs';
import { freshCluster, freshRedis } from '../../support/shared-redis.js';
import { freshDatabase, privateServer } from '../../support/shared-servers.js';

export type SiteStore = 'sqlite' | 'postgres' | 'mariadb' | 'redis' | 'redis-cluster';

const serverOf = (store: Exclude<SiteStore, 'sqlite'>) => (store === 'redis-cluster' ? 'redis' : store);

/** Whether it can be had here. What cannot is said by the specs of the servers themselves. */
export function canHave(store: SiteStore): boolean {
  return store === 'sqlite' || process.env['REQUIRE_ALL'] === '1' || findServer(serverOf(store)) !== undefined;
}

/** Those that every promise about processes is kept on. */
export const SITE_STORES = (['sqlite', 'postgres', 'mariadb', 'redis'] as const).filter(canHave);

/** Those of tests that kill or race through dozens of rounds: with `SWEEP=full` all, else one of each make of store. */
export const SWEPT_STORES = SITE_STORES.filter((store) => process.env['SWEEP'] === 'full' || store !== 'mariadb');
export const LEFT_OUT_OF_SWEEPS =
  SWEPT_STORES.length === SITE_STORES.length
    ? ''
    : 'MariaDB is left out here, since its statements are of the same make as those of Postgres: SWEEP=full takes it in.';

/** Of a test's own, which it may stop. */
export type SiteServer = SqlServer | RedisServer | RedisCluster | RedisSentinel;

/** The store of a site, as the tests see it. */
export interface SiteKeeping {
  /** What the processes are told of it. */
  readonly env: Readonly<Record<string, string>>;
  left(): Promise<{ readonly jobs: number; readonly failed: number }>;
  /** Of every failed job. */
  exceptions(): Promise<readonly string[]>;
  /** All jobs that are in it. */
  stored(): Promise<readonly { readonly attempts: number; readonly reserved: boolean }[]>;
  rows?<T>(sql: string): Promise<readonly T[]>;
  close(): Promise<void>;
}

/** A server for one spec. What it has answered outlives a kill. */
export async function siteServer(
  kind: Exclude<SiteStore, 'sqlite' | 'redis-cluster'>,
  options?: ServerOptions,
): Promise<SqlServer | RedisServer> {
  return kind === 'redis' ? startRedis({ durable: true }) : privateServer(kind, options);
}

/** A store of its own in a folder, or on the server that other specs use too. */
export async function sharedStore(store: SiteStore, folder: string): Promise<SiteKeeping> {
  if (store === 'sqlite') return inFile(join(folder, 'queue.sqlite'));
  if (store === 'redis' || store === 'redis-cluster') {
    const fresh = await (store === 'redis' ? freshRedis() : freshCluster());
    const { prefix } = fresh;
    const place = 'url' in fresh ? { url: fresh.url, prefix } : { cluster: { nodes: [...fresh.nodes] }, prefix };
    return inRedis(place, () => fresh.drop());
  }
  const database = await freshDatabase(store);
  await install(store, database.url);
  return inDatabase(store, database.url, () => database.drop());
}

/** A store of its own on a server that the test may stop. */
export async function storeOn(server: SiteServer): Promise<SiteKeeping> {
  if ('sql' in server) {
    const { url } = await server.createDatabase(`site_${randomUUID().slice(0, 8)}`);
    await install(server.kind, url);
    return inDatabase(server.kind, url);
  }
  const prefix = `site-${randomUUID().slice(0, 8)}`;
  if ('sentinel' in server) return inRedis({ options: server.options, prefix });
  if ('nodes' in server) return inRedis({ cluster: { nodes: [...server.addresses] }, prefix });
  return inRedis({ url: server.url, prefix });
}

function inFile(file: string): SiteKeeping {
  const rows = async <T>(sql: string): Promise<readonly T[]> => {
    const database = new Database(file, { timeout: 5_000, readonly: true });
    try {
      return database.prepare(sql).all([]) as T[];
    } finally {
      database.close();
    }
  };
  return { env: {}, ...inRows(rows), close: () => Promise.resolve() };
}

/** @param drop of a server that stays up, so that one connection is enough; elsewhere each look makes its own */
function inDatabase(kind: SqlServerKind, url: string, drop?: () => Promise<void>): SiteKeeping {
  const looks = looksInto(() => rawSql(kind, url), drop !== undefined);
  const rows = <T>(sql: string): Promise<readonly T[]> => looks.use((one) => one.sql<T>(sql));
  const close = async (): Promise<void> => {
    await looks.close();
    await drop?.();
  };
  return { env: { QUEUE_DATABASE_URL: url }, ...inRows(rows), close };
}

function inRows(rows: <T>(sql: string) => Promise<readonly T[]>): Omit<SiteKeeping, 'env' | 'close'> {
  return {
    rows,
    async left() {
      const [row] = await rows<{ jobs: number; failed: number }>(
        'SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM failed_jobs) AS failed',
      );
      return { jobs: Number(row!.jobs), failed: Number(row!.failed) };
    },
    async exceptions() {
      const failures = await rows<{ exception: string }>('SELECT exception FROM failed_jobs');
      return failures.map(({ exception }) => exception);
    },
    async stored() {
      const jobs = await rows<{ attempts: number; leased_until: unknown }>('SELECT attempts, leased_until FROM jobs');
      return jobs.map((job) => ({ attempts: Number(job.attempts), reserved: job.leased_until !== null }));
    },
  };
}

/** @param drop as above */
function inRedis(place: object, drop?: () => Promise<void>): SiteKeeping {
  const open = (): Promise<Backend> =>
    Promise.resolve(redisBackend({ driver: 'redis', ...place }, backendContext({ connection: 'looking' })));
  const looks = looksInto(open, drop !== undefined);
  const look = <T>(by: (backend: Backend) => Promise<T>): Promise<T> => looks.use(by);
  const states: readonly JobState[] = ['pending', 'delayed', 'reserved'];
  return {
    env: { SITE_REDIS: JSON.stringify(place) },
    left: () =>
      look(async ({ queue, failed }) => {
        const sizes = await queue!.size(await queue!.inspection!.queues());
        const jobs = sizes.map(({ pending, delayed, reserved }) => pending + delayed! + reserved!);
        return { jobs: jobs.reduce((sum, one) => sum + one, 0), failed: await failed!.count() };
      }),
    exceptions: () =>
      look(async ({ failed }) => (await failed!.page({ limit: 1_000 })).jobs.map(({ exception }) => exception)),
    stored: () =>
      look(async ({ queue }) => {
        const inspection = queue!.inspection!;
        const found: { attempts: number; reserved: boolean }[] = [];
        for (const name of await inspection.queues()) {
          for (const state of states) {
            const { jobs } = await inspection.page(name, state, { limit: 1_000 });
            found.push(...jobs.map(({ attempts }) => ({ attempts, reserved: state === 'reserved' })));
          }
        }
        return found;
      }),
    async close() {
      await looks.close();
      await drop?.();
    },
  };
}

/** One that is opened when first used and kept, or opened for each use. */
function looksInto<T extends { close(): Promise<void> }>(open: () => Promise<T>, keeps: boolean) {
  let kept: Promise<T> | undefined;
  return {
    async use<R>(by: (one: T) => Promise<R>): Promise<R> {
      if (keeps) return by(await (kept ??= open()));
      const one = await open();
      try {
        return await by(one);
      } finally {
        await one.close();
      }
    },
    close: async () => (await kept)?.close(),
  };
}

/** Once, and not by every process of the site at the same moment. */
async function install(type: string, url: string): Promise<void> {
  const dataSource: { type: string } & { url: string } = { type, url };
  const backend = databaseBackend({ driver: 'database', dataSource, migrate: true }, backendContext());
  await backend.check!();
  await backend.close();
}
