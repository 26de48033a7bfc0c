import type { BackendContext } from '../../lib/contracts/backend.js';
import { StoreUnreachableError } from '../../lib/contracts/store-errors.js';
import type { Arg, Order, Patience, RedisLink, Reply } from '../../lib/backends/redis/link.js';
import type { Script } from '../../lib/backends/redis/script.js';
import { Outbox } from '../../lib/backends/redis/outbox.js';
import { Keyspace } from '../../lib/backends/redis/keyspace.js';
import { QueueKeys } from '../../lib/backends/redis/queue-keys.js';
import { RedisBatches } from '../../lib/backends/redis/redis-batches.js';
import { RedisBells } from '../../lib/backends/redis/redis-bells.js';
import { RedisClearing } from '../../lib/backends/redis/redis-clearing.js';
import { RedisExchange } from '../../lib/backends/redis/redis-exchange.js';
import { RedisFailedJobs } from '../../lib/backends/redis/redis-failed-jobs.js';
import { RedisInspection } from '../../lib/backends/redis/redis-inspection.js';
import { RedisLeases } from '../../lib/backends/redis/redis-leases.js';
import { RedisLinks } from '../../lib/backends/redis/redis-links.js';
import { RedisLocks } from '../../lib/backends/redis/redis-locks.js';
import { redisPlace } from '../../lib/backends/redis/redis-options.js';
import { RedisPush } from '../../lib/backends/redis/redis-push.js';
import { RedisQueue } from '../../lib/backends/redis/redis-queue.js';
import { RedisSize } from '../../lib/backends/redis/redis-size.js';
import { SlotTrips } from '../../lib/backends/redis/slot-trips.js';
import type { RedisPlace } from './redis-harness.js';
import { backendContext } from './sqlite-harness.js';

/** How often the driver went to the server, and answers that get lost on their way back. */
export class LossyLink implements RedisLink {
  readonly isCluster: boolean;
  readonly trips: string[] = [];
  /** So many of the next scripts are carried out, and nobody hears of it. */
  losing = 0;

  constructor(private readonly link: RedisLink) {
    this.isCluster = link.isCluster;
  }

  async run(script: Script, keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply> {
    this.trips.push(script.name);
    const reply = await this.link.run(script, keys, args, patience);
    if (this.losing === 0) return reply;
    this.losing -= 1;
    throw new StoreUnreachableError('redis', 'redis', new Error('the answer was lost'), { outcome: 'unknown' });
  }

  send(command: string, args: readonly Arg[], patience: Patience): Promise<Reply> {
    return this.link.send(command, args, patience);
  }

  all(orders: readonly Order[], patience: Patience): Promise<readonly Reply[]> {
    return this.link.all(orders, patience);
  }
}

/** The driver, put together by hand over a link that loses answers. */
export function redisParts(place: RedisPlace, over: Partial<BackendContext> = {}) {
  const context = backendContext({ connection: 'redis', ...over });
  const where = redisPlace({ driver: 'redis', ...place }, 'redis');
  const links = new RedisLinks({ connection: 'redis', place: where, warn: () => {} });
  const link = new LossyLink(links.commands);
  const keyspace = new Keyspace(place.prefix);
  const keys = new QueueKeys(keyspace, links.isCluster);
  const locks = new RedisLocks(link, keyspace);
  const batches = new RedisBatches(link, keyspace);
  const failed = new RedisFailedJobs(link, keyspace);
  const push = new RedisPush({ link, keys, locks, connection: 'redis', dispatchTimeoutMs: context.dispatchTimeoutMs });
  const outbox = new Outbox(link, keys, { push: (entries) => push.push(entries), locks, batches, failed });
  const exchange = new RedisExchange(link, keys, outbox);
  const bells = new RedisBells(links, keyspace);
  const queue = new RedisQueue(
    {
      keys,
      push,
      exchange,
      trips: new SlotTrips(exchange, keys, links.isCluster),
      outbox,
      leases: new RedisLeases(links.leases, keys),
      sizes: new RedisSize(link, keys),
      bells,
      clearing: new RedisClearing(link, keyspace),
      inspection: new RedisInspection(link, keyspace),
      isClosed: () => false,
    },
    context,
  );
  const close = async (): Promise<void> => {
    await bells.close();
    await links.close();
  };
  return { queue, link, locks, batches, failed, keys, close };
}
