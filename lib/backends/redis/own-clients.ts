import { backoffMs } from '../../support/backoff.js';
import { isReadOnly } from './redis-faults.js';
import { loadRedis, type RedisClient } from './redis-client.js';
import type { RedisPlace } from './redis-options.js';

/** How long the system may take to connect. */
export const CONNECT_MS = 3_000;
/** The longest pause between tries to connect again. */
const LONGEST_PAUSE_MS = 3_000;
/** A connection that is ended has so long to do it in order. */
const END_MS = 200;
/** A server that is loading is asked this often whether it is done. */
const LOADING_MS = 500;
const KEEP_ALIVE_MS = 10_000;

export type ClientPurpose = 'commands' | 'leases' | 'bells' | 'watch';

/** Makes the clients of one connection: all of them the queue's own, so that nobody else blocks, ends or fills them. */
export class OwnClients {
  constructor(
    readonly place: RedisPlace,
    private readonly connection: string,
  ) {}

  get isCluster(): boolean {
    const { place } = this;
    return place.kind === 'cluster' || (place.kind === 'client' && place.client.isCluster === true);
  }

  /** Connects to nothing yet. @throws MissingPackageError */
  async make(purpose: ClientPurpose): Promise<RedisClient> {
    const { place } = this;
    const name = `nestjs-queue:${this.connection.replaceAll(/[^!-~]/g, '_')}:${process.pid}:${purpose}`;
    if (place.kind === 'client') {
      const { client } = place;
      return client.isCluster
        ? client.duplicate([], clusterOptions(client.options, name))
        : client.duplicate(serverOptions(client.options, name));
    }
    const { Redis, Cluster } = await loadRedis();
    return place.kind === 'cluster'
      ? new Cluster(place.nodes, clusterOptions(place.options, name))
      : new Redis(serverOptions(place.options, name));
  }
}

type Options = Readonly<Record<string, unknown>>;

/** Whatever the application has set for its own use of Redis: here a command waits before it is sent, and is sent once. */
function connectionOptions(given: Options, connectionName: string): Options {
  return {
    ...given,
    connectionName,
    connectTimeout: CONNECT_MS,
    disconnectTimeout: END_MS,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    enableReadyCheck: true,
    maxLoadingRetryTime: LOADING_MS,
    // A lost connection ends what was under way on it at once.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableAutoPipelining: false,
    // A replica that was the master: whoever is it now is found by connecting again.
    reconnectOnError: (error: unknown) => (isReadOnly(error) ? 1 : false),
    // Answers have the same shapes by any version of the package.
    protocol: 2,
    readOnly: false,
    monitor: false,
    stringNumbers: false,
    showFriendlyErrorStack: false,
    commandTimeout: undefined,
    socketTimeout: undefined,
    blockingTimeout: undefined,
  };
}

function serverOptions(given: Options, connectionName: string): Options {
  return {
    sentinelCommandTimeout: CONNECT_MS,
    // An old primary takes writes until it is demoted, and loses them then: a new one is heard of from the sentinels.
    failoverDetector: true,
    sentinelReconnectStrategy: () => LONGEST_PAUSE_MS,
    ...connectionOptions(given, connectionName),
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: pause,
    sentinelRetryStrategy: pause,
  };
}

function clusterOptions(given: Options, connectionName: string): Options {
  const { redisOptions = {} } = given as { redisOptions?: Options };
  return {
    slotsRefreshTimeout: CONNECT_MS,
    ...given,
    redisOptions: connectionOptions(redisOptions, connectionName),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    shardedSubscribers: false,
    scaleReads: 'master',
    // What a lost node may have carried out is not sent to the next one.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: pause,
    clusterNodeRetryStrategy: null,
  };
}

function pause(tries: number): number {
  return Math.ceil(backoffMs(tries - 1, 50, LONGEST_PAUSE_MS));
}
