import type { PrivateServer } from './servers.mjs';

export interface RedisOptions {
  /**
   * Flush every write to the disk before it is answered (`appendfsync always`). Default false: a write then outlives a killed server,
   * and not a power cut.
   */
  readonly durable?: boolean;
  /** Lines of redis.conf: `{ maxmemory: '50mb' }`. They win over ours. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Added to the server's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface RedisServer extends PrivateServer {
  /** One command as the administrator, once: rejects while the server is down. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  info(section?: string): Promise<Record<string, string>>;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export interface ClusterOptions extends RedisOptions {
  /** Default 3. */
  readonly masters?: number;
  /** Of each master; default 0. */
  readonly replicas?: number;
  /** After this a node that does not answer counts as failed. Default 1,000. */
  readonly nodeTimeoutMs?: number;
}

export interface RedisCluster {
  /** The masters of the beginning first, then the replicas: that of the first master, of the second and so on. */
  readonly nodes: readonly RedisServer[];
  readonly addresses: readonly RedisAddress[];
  readonly version: string;
  slotOf(key: string): Promise<number>;
  /** The running node that serves a key now. */
  masterOf(key: string): Promise<RedisServer>;
  /**
   * Moves a slot with what is in it while it is served, as a reshard does, and tells how many keys went. With `pauseMs` the keys go one
   * at a time, so that the slot is split between the two for a while.
   */
  migrate(slot: number, from: RedisServer, to: RedisServer, how?: { readonly pauseMs?: number }): Promise<number>;
  /** Waits until all running nodes agree that every slot is served and the replicas are in step. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface SentinelOptions extends RedisOptions {
  /** Default 1. */
  readonly replicas?: number;
  /** After this a primary that does not answer is replaced. Default 1,000. */
  readonly downAfterMs?: number;
}

export interface RedisSentinel {
  /** How a client finds the primary. */
  readonly options: { readonly sentinels: readonly RedisAddress[]; readonly name: string };
  /** The first is the primary at the start. */
  readonly servers: readonly RedisServer[];
  readonly sentinel: RedisServer;
  /** The server that the sentinel names now. */
  primary(): Promise<RedisServer | undefined>;
  /** Waits until the others follow the primary. */
  settled(): Promise<void>;
  /** Waits until every running server has what the primary has by now. */
  replicated(): Promise<void>;
  /** Hands the part of the primary to a replica while both are up; the new primary. */
  failover(): Promise<RedisServer>;
  /** Waits until another server than this is the primary. */
  promoted(before: RedisServer | undefined): Promise<RedisServer>;
  close(): Promise<void>;
}

/** Throws where no Redis is installed, or it does not start. */
export function startRedis(options?: RedisOptions): Promise<RedisServer>;
export function startRedisCluster(options?: ClusterOptions): Promise<RedisCluster>;
export function startRedisSentinel(options?: SentinelOptions): Promise<RedisSentinel>;
