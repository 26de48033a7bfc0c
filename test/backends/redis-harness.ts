import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { redisBackend } from '../../lib/backends/redis/redis-backend.js';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import type { PushEntry, PushResult, ReservedJob } from '../../lib/contracts/queue-driver.js';
import type { Harness } from '../../lib/testing/conformance/index.js';
import { freshCluster, freshRedis, type FreshCluster, type FreshRedis } from '../support/shared-redis.js';
import { backendContext, job } from './sqlite-harness.js';

export type RedisPlace = Partial<Parameters<typeof redisBackend>[0]>;

/** A cut way or a lost server takes a while to be found out. */
export const LONG_MS = 40_000;

/** Backends of one test, closed together. */
export class RedisBackends {
  readonly #open: Backend[] = [];

  constructor(private readonly place: () => RedisPlace) {}

  open(over: Partial<BackendContext> = {}, options: RedisPlace = {}): Backend {
    const given = { driver: 'redis' as const, ...this.place(), ...options };
    const backend = redisBackend(given, backendContext({ connection: 'redis', ...over }));
    this.#open.push(backend);
    return backend;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((one) => one.close()));
  }
}

/** On a server, or a cluster, that other specs use too, under a prefix of its own. */
export class SharedRedisBackends {
  #fresh: Promise<FreshRedis | FreshCluster> | undefined;
  #raw: Promise<Redis | Cluster> | undefined;
  readonly #open: Backend[] = [];
  #cases = 0;

  constructor(readonly kind: 'standalone' | 'cluster') {}

  fresh(): Promise<FreshRedis | FreshCluster> {
    this.#fresh ??= this.kind === 'cluster' ? freshCluster() : freshRedis();
    return this.#fresh;
  }

  /** The prefix of the case that runs now. */
  async prefix(): Promise<string> {
    return `${(await this.fresh()).prefix}-${this.#cases}`;
  }

  async place(): Promise<RedisPlace> {
    const fresh = await this.fresh();
    const prefix = await this.prefix();
    return 'url' in fresh ? { url: fresh.url, prefix } : { cluster: { nodes: [...fresh.nodes] }, prefix };
  }

  async backend(over: Partial<BackendContext> = {}, options: RedisPlace = {}): Promise<Backend> {
    const given = { driver: 'redis' as const, ...(await this.place()), ...options };
    const backend = redisBackend(given, backendContext({ connection: 'redis', ...over }));
    this.#open.push(backend);
    return backend;
  }

  /** A client that knows nothing of the queue. */
  raw(): Promise<Redis | Cluster> {
    this.#raw ??= this.fresh().then((fresh) => {
      const client = 'url' in fresh ? new Redis(fresh.url) : new Cluster([...fresh.nodes]);
      client.on('error', () => undefined);
      return client;
    });
    return this.#raw;
  }

  /** All keys of the case that runs now. */
  async keys(): Promise<string[]> {
    const raw = await this.raw();
    const nodes = raw instanceof Cluster ? raw.nodes('master') : [raw];
    const pattern = `${await this.prefix()}:*`;
    return (await Promise.all(nodes.map((node) => node.keys(pattern)))).flat().sort();
  }

  /** Ends what one case opened; the next one begins with nothing. */
  async clean(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((one) => one.close()));
    this.#cases += 1;
  }

  async drop(): Promise<void> {
    await this.clean();
    if (this.#raw) (await this.#raw).disconnect();
    if (this.#fresh) await (await this.#fresh).drop();
    this.#raw = undefined;
    this.#fresh = undefined;
  }

  /** For the conformance cases: time is the server's, so it is waited for. */
  harness(): Harness {
    return {
      open: () => this.backend(),
      reopen: () => this.backend(),
      advance: sleep,
      now: () => Date.now(),
      close: () => this.clean(),
    };
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function entry(over: Partial<PushEntry> = {}): PushEntry {
  return job({ id: randomUUID(), ...over });
}

export function entries(count: number, over: Partial<PushEntry> = {}): PushEntry[] {
  return Array.from({ length: count }, () => entry(over));
}

/** All of them must have been taken. */
export async function push(backend: Backend, ...jobs: PushEntry[]): Promise<void> {
  const results: readonly PushResult[] = await backend.queue!.push(jobs);
  expect(results).toEqual(jobs.map(() => ({ stored: true })));
}

/** All of them must have been held. */
export async function ackAll(backend: Backend, jobs: readonly ReservedJob[]): Promise<void> {
  expect(jobs.length).toBeGreaterThan(0);
  const results = await backend.queue!.settle(jobs.map((one) => ({ kind: 'ack', job: one })));
  expect(results).toEqual(jobs.map(() => ({ ok: true })));
}

export async function settled<T>(work: Promise<T>): Promise<{ readonly value?: T; readonly error?: unknown }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

export async function until(holds: () => unknown, what: string, withinMs = 10_000): Promise<void> {
  for (const end = performance.now() + withinMs; !(await holds()); await sleep(20)) {
    if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`);
  }
}
