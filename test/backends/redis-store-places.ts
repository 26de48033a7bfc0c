import { Keyspace } from '../../lib/backends/redis/keyspace.js';
import type { Arg, Order, Patience, RedisLink, Reply } from '../../lib/backends/redis/link.js';
import { RedisBatches } from '../../lib/backends/redis/redis-batches.js';
import { RedisClearing } from '../../lib/backends/redis/redis-clearing.js';
import { RedisControl } from '../../lib/backends/redis/redis-control.js';
import { RedisFailedJobs } from '../../lib/backends/redis/redis-failed-jobs.js';
import { RedisInspection } from '../../lib/backends/redis/redis-inspection.js';
import { RedisLimits } from '../../lib/backends/redis/redis-limits.js';
import { RedisLinks } from '../../lib/backends/redis/redis-links.js';
import { RedisLocks } from '../../lib/backends/redis/redis-locks.js';
import { redisPlace } from '../../lib/backends/redis/redis-options.js';
import type { Script } from '../../lib/backends/redis/script.js';
import { Cluster, Redis } from 'ioredis';
import { freshCluster, freshRedis, type FreshCluster, type FreshRedis } from '../support/shared-redis.js';

/** Stores over links of their own that a test looks at, and cuts, on a server or cluster that other specs use too. */
export class StorePlaces {
  #fresh: Promise<FreshRedis | FreshCluster> | undefined;
  #raw: Promise<Redis | Cluster> | undefined;
  readonly #links: RedisLinks[] = [];
  #tests = 0;

  constructor(readonly kind: 'standalone' | 'cluster') {}

  /** @param options of the client */
  async open(options: object = {}) {
    const fresh = await this.#place();
    const where = 'url' in fresh ? { url: fresh.url, options } : { cluster: { nodes: [...fresh.nodes], options } };
    const place = redisPlace({ driver: 'redis', ...where }, 'redis');
    const links = new RedisLinks({ connection: 'redis', place, warn: () => {} });
    this.#links.push(links);
    return storesOver(new SpiedLink(links.commands), new Keyspace(await this.#prefix()));
  }

  /** A client that knows nothing of the queue. */
  raw(): Promise<Redis | Cluster> {
    this.#raw ??= this.#place().then((fresh) => {
      const client = 'url' in fresh ? new Redis(fresh.url) : new Cluster([...fresh.nodes]);
      client.on('error', () => undefined);
      return client;
    });
    return this.#raw;
  }

  /** All keys of the test that runs now, behind a prefix of the client. */
  async keys(before = ''): Promise<string[]> {
    const raw = await this.raw();
    const nodes = raw instanceof Cluster ? raw.nodes('master') : [raw];
    const pattern = `${before}${await this.#prefix()}:*`;
    return (await Promise.all(nodes.map((node) => node.keys(pattern)))).flat().sort();
  }

  /** Ends what one test opened; the next one begins with nothing. */
  async clean(): Promise<void> {
    await Promise.all(this.#links.splice(0).map((one) => one.close()));
    this.#tests += 1;
  }

  async drop(): Promise<void> {
    await this.clean();
    if (this.#raw) (await this.#raw).disconnect();
    if (this.#fresh) await (await this.#fresh).drop();
  }

  #place(): Promise<FreshRedis | FreshCluster> {
    this.#fresh ??= this.kind === 'cluster' ? freshCluster() : freshRedis();
    return this.#fresh;
  }

  async #prefix(): Promise<string> {
    return `${(await this.#place()).prefix}-${this.#tests}`;
  }
}

export function storesOver(link: SpiedLink, keys: Keyspace) {
  return {
    link,
    keys,
    locks: new RedisLocks(link, keys),
    limits: new RedisLimits(link, keys),
    failed: new RedisFailedJobs(link, keys),
    batches: new RedisBatches(link, keys),
    control: new RedisControl(link, keys),
    inspection: new RedisInspection(link, keys),
    clearing: new RedisClearing(link, keys),
  };
}

/** Writes down what is sent: names of commands and scripts. */
export class SpiedLink implements RedisLink {
  readonly sent: string[] = [];
  /** Where this process is killed: nothing more is sent from that order on. */
  cutAt: ((name: string) => boolean) | undefined;
  /** The answer to every script is lost once, and this is done before it is sent again. */
  between: ((name: string) => Promise<void>) | undefined;

  constructor(private readonly link: RedisLink) {}

  get isCluster(): boolean {
    return this.link.isCluster;
  }

  async run(script: Script, keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply> {
    this.#note(script.name);
    if (this.between) {
      await this.link.run(script, keys, args, patience);
      await this.between(script.name);
    }
    return this.link.run(script, keys, args, patience);
  }

  send(command: string, args: readonly Arg[], patience: Patience): Promise<Reply> {
    this.#note(command);
    return this.link.send(command, args, patience);
  }

  all(orders: readonly Order[], patience: Patience): Promise<readonly Reply[]> {
    for (const order of orders) this.#note('script' in order ? order.script.name : order.command);
    return this.link.all(orders, patience);
  }

  #note(name: string): void {
    if (this.cutAt?.(name)) throw new Error('killed here');
    this.sent.push(name);
  }
}
