import type { Backend, BackendContext } from '../../contracts/backend.js';
import { Keyspace } from './keyspace.js';
import { Outbox } from './outbox.js';
import { QueueKeys } from './queue-keys.js';
import { RedisBatches } from './redis-batches.js';
import { RedisBells } from './redis-bells.js';
import { RedisClearing } from './redis-clearing.js';
import { RedisControl } from './redis-control.js';
import { RedisExchange } from './redis-exchange.js';
import { RedisFailedJobs } from './redis-failed-jobs.js';
import { RedisInspection } from './redis-inspection.js';
import { RedisLeases } from './redis-leases.js';
import { RedisLimits } from './redis-limits.js';
import { RedisLinks } from './redis-links.js';
import { RedisLocks } from './redis-locks.js';
import { redisPlace, type RedisConnectionOptions } from './redis-options.js';
import { RedisPush } from './redis-push.js';
import { RedisQueue } from './redis-queue.js';
import { RedisSize } from './redis-size.js';
import { SlotTrips } from './slot-trips.js';
import { STORE_PATIENCE } from './store-patience.js';
import { watchData } from './watch-data.js';

const WATCH = new URL('./redis-watch.js', import.meta.url);

/** Everything on one Redis, or one cluster: what follows an attempt is applied with the script that settles it, or kept by it. */
export function redisBackend(options: RedisConnectionOptions, context: BackendContext): Backend {
  const { connection, dispatchTimeoutMs, warn } = context;
  const place = redisPlace(options, connection);
  const links = new RedisLinks({ connection, place, warn, strict: options.strict === true });
  const keyspace = new Keyspace(options.prefix);
  const keys = new QueueKeys(keyspace, links.isCluster);
  const link = links.commands;
  const bells = new RedisBells(links, keyspace);

  const locks = new RedisLocks(link, keyspace);
  const failed = new RedisFailedJobs(link, keyspace);
  const batches = new RedisBatches(link, keyspace);
  const push = new RedisPush({ link, keys, locks, connection, dispatchTimeoutMs });
  const outbox = new Outbox(link, keys, { push: (entries) => push.push(entries), locks, batches, failed });
  const sizes = new RedisSize(link, keys);
  const exchange = new RedisExchange(link, keys, outbox);

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());
  const closeAll = async (): Promise<void> => {
    await bells.close();
    await outbox.close();
    await links.close();
  };
  const queue = new RedisQueue(
    {
      keys,
      push,
      exchange,
      trips: new SlotTrips(exchange, keys, links.isCluster),
      outbox,
      leases: new RedisLeases(links.leases, keys),
      sizes,
      bells,
      clearing: new RedisClearing(link, keyspace),
      inspection: new RedisInspection(link, keyspace),
      isClosed: () => closing !== undefined,
    },
    context,
  );
  const data = watchData(place, options, connection);
  return {
    queue,
    locks,
    limits: new RedisLimits(link, keyspace),
    failed,
    batches,
    control: new RedisControl(link, keyspace),
    atomic: new Set(['push', 'unlock', 'member', 'failure'] as const),
    watch: data && { entry: WATCH, data },
    async check() {
      await links.check(STORE_PATIENCE);
      // A user without rights to scripts, or to these keys, would be told so by each claim, for ever.
      await sizes.size([options.queue ?? 'default']);
    },
    close,
  };
}
