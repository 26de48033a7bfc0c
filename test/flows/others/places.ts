import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QueueModuleOptions } from 'nestjs-queue';
import type { LockStore } from '../../../lib/contracts/lock-store.js';
import { QUEUE_RUNTIME } from '../../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../../lib/nest/wiring.js';
import { findServer, type ServerKind } from '../../support/servers.mjs';
import { freshRedis } from '../../support/shared-redis.js';
import { freshDatabase } from '../../support/shared-servers.js';
import { sqliteOptions, type Opened } from '../open-app.js';

/** Where the jobs of a test are, and their locks. */
export interface Place {
  readonly name: string;
  readonly queue: Store;
  /** Absent: in the queue's own store. */
  readonly locks?: Store;
}

export type Store = 'memory' | 'sqlite' | 'postgres' | 'mariadb' | 'redis';

const SAME: readonly Place[] = (['memory', 'sqlite', 'postgres', 'mariadb', 'redis'] as const).map((queue) => ({
  name: queue,
  queue,
}));
const APART: readonly Place[] = [
  { name: 'a SQLite queue with locks on Redis', queue: 'sqlite', locks: 'redis' },
  { name: 'a Redis queue with locks in memory', queue: 'redis', locks: 'memory' },
  { name: 'a Postgres queue with locks on SQLite', queue: 'postgres', locks: 'sqlite' },
  { name: 'a memory queue with locks on MariaDB', queue: 'memory', locks: 'mariadb' },
];

function canHave(store: Store | undefined): boolean {
  if (store === undefined || store === 'memory' || store === 'sqlite') return true;
  return process.env['REQUIRE_ALL'] === '1' || findServer(store as ServerKind) !== undefined;
}

function found(places: readonly Place[]): readonly Place[] {
  const left = places.filter(({ queue, locks }) => !canHave(queue) || !canHave(locks));
  if (left.length > 0) console.info(`Skipped, for want of a server: ${left.map(({ name }) => name).join(', ')}.`);
  return places.filter((place) => !left.includes(place));
}

export const TOGETHER = found(SAME);
export const ELSEWHERE = found(APART);
export const EVERYWHERE = [...TOGETHER, ...ELSEWHERE];

/** The module's options for a place, and what takes it away again. */
export interface Site {
  readonly options: Partial<QueueModuleOptions>;
  readonly dir: string;
  drop(): Promise<void>;
}

export async function siteOf(place: Place, lease: object = {}): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'queue-others-'));
  const drops: (() => Promise<void>)[] = [async () => rmSync(dir, { recursive: true, force: true })];
  const connection = async (store: Store): Promise<object> => {
    if (store === 'memory') return { driver: 'memory', ...lease };
    if (store === 'sqlite') return sqliteOptions(dir, lease);
    if (store === 'redis') {
      const redis = await freshRedis();
      drops.push(() => redis.drop());
      return { driver: 'redis', url: redis.url, prefix: redis.prefix, ...lease };
    }
    const database = await freshDatabase(store);
    drops.push(() => database.drop());
    return { driver: 'database', dataSource: { type: store, url: database.url }, migrate: true, ...lease };
  };
  const connections: Record<string, object> = { jobs: await connection(place.queue) };
  if (place.locks) connections['locks'] = await connection(place.locks);
  return {
    dir,
    options: {
      default: 'jobs',
      connections: connections as never,
      ...(place.locks && { locks: { connection: 'locks' } }),
    },
    drop: async () => {
      for (const drop of drops.reverse()) await drop();
    },
  };
}

export function runtimeOf(at: Opened): QueueRuntime {
  return at.app.get<QueueRuntime>(QUEUE_RUNTIME);
}

export function locksOf(at: Opened): Promise<LockStore> {
  return runtimeOf(at).connections.locks();
}
