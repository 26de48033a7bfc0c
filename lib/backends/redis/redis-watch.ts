import type { OpenWatch, StoreWatch, WatchedJob } from '../../contracts/backend.js';
import type { ReservedJob, Settlement, SettleResult } from '../../contracts/queue-driver.js';
import { Keyspace } from './keyspace.js';
import { Outbox } from './outbox.js';
import { QueueKeys } from './queue-keys.js';
import { RedisExchange } from './redis-exchange.js';
import { RedisBatches } from './redis-batches.js';
import { RedisFailedJobs } from './redis-failed-jobs.js';
import { RedisLeases } from './redis-leases.js';
import { RedisLinks } from './redis-links.js';
import { RedisLocks } from './redis-locks.js';
import { SlotTrips } from './slot-trips.js';
import type { RedisWatchData } from './watch-data.js';

/** The store as a watchdog thread reaches it: one client, connected at the first verb, and again after a loss. */
export const openWatch: OpenWatch = (data) => new RedisWatch(data as RedisWatchData);

class RedisWatch implements StoreWatch {
  readonly #links: RedisLinks;
  readonly #leases: RedisLeases;
  readonly #trips: SlotTrips;

  constructor({ connection, place, prefix }: RedisWatchData) {
    const links = new RedisLinks({ connection, place, warn: () => {} });
    const keyspace = new Keyspace(prefix);
    const keys = new QueueKeys(keyspace, links.isCluster);
    const link = links.leases;
    this.#links = links;
    this.#leases = new RedisLeases(link, keys);
    // What is released here has no effects.
    const stores = {
      push: () => Promise.resolve([]),
      locks: new RedisLocks(link, keyspace),
      batches: new RedisBatches(link, keyspace),
      failed: new RedisFailedJobs(link, keyspace),
    };
    this.#trips = new SlotTrips(new RedisExchange(link, keys, new Outbox(link, keys, stores)), keys, links.isCluster);
  }

  renew(jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    return this.#leases.renew(jobs.map(reserved), leaseMs);
  }

  release(jobs: Parameters<StoreWatch['release']>[0]): Promise<readonly SettleResult[]> {
    return this.#trips.settle(
      jobs.map(({ delayMs, countAttempt, memo, ...job }): Settlement => ({
        kind: 'release',
        job: reserved(job),
        delayMs,
        countAttempt,
        ...(memo === undefined ? {} : { memo }),
      })),
    );
  }

  close(): Promise<void> {
    return this.#links.close();
  }
}

/** Fences look at the id, the queue and the token alone. */
function reserved({ id, queue, token }: WatchedJob): ReservedJob {
  return { id, queue, token, body: '', priority: 0, attempts: 1, stalls: 0, leasedUntil: 0 };
}
