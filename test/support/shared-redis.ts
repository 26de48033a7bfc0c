import { randomUUID } from 'node:crypto';
import type { RedisAddress } from './redis-servers.mjs';
import { askKeeper } from './shared-servers.js';

export { describeRedis, START_LIMIT_MS } from './shared-servers.js';

export interface FreshRedis {
  readonly url: string;
  readonly version: string;
  /** All keys of the spec begin with it; nobody else's do. */
  readonly prefix: string;
  /** Removes those keys. */
  drop(): Promise<void>;
}

export interface FreshCluster extends Omit<FreshRedis, 'url'> {
  readonly nodes: readonly RedisAddress[];
}

/**
 * A prefix of one's own on the server that every spec of this run shares, started for the first that asks. A spec that stops, flushes or
 * configures a server starts a private one with `startRedis`.
 */
export async function freshRedis(): Promise<FreshRedis> {
  return { ...(await askKeeper<{ url: string; version: string }>('/redis')), ...own('/redis') };
}

/** The same on a cluster of three masters. */
export async function freshCluster(): Promise<FreshCluster> {
  const about = await askKeeper<{ nodes: readonly RedisAddress[]; version: string }>('/redis-cluster');
  return { ...about, ...own('/redis-cluster') };
}

function own(path: string): Pick<FreshRedis, 'prefix' | 'drop'> {
  const prefix = `q_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
  return { prefix, drop: async () => void (await askKeeper(`${path}/drop/${prefix}`)) };
}
