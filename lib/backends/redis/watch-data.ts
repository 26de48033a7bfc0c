import { lookup, resolveSrv } from 'node:dns';
import { cloneable, type RedisConnectionOptions, type RedisPlace } from './redis-options.js';

/** What crosses into a watchdog's thread. */
export interface RedisWatchData {
  readonly connection: string;
  readonly place: RedisPlace;
  readonly prefix: string | undefined;
}

type Options = Readonly<Record<string, unknown>>;

/** Functions that the queue's own clients do not ask: they have theirs. */
const UNUSED: ReadonlySet<string> = new Set([
  'retryStrategy',
  'reconnectOnError',
  'sentinelRetryStrategy',
  'sentinelReconnectStrategy',
  'clusterRetryStrategy',
  'clusterNodeRetryStrategy',
]);
/** Every cluster client has these of ioredis, which the one in the thread has by itself. */
const BY_DEFAULT: ReadonlySet<unknown> = new Set([lookup, resolveSrv]);

/** `undefined` where the servers cannot be reached by data alone: other functions are among the options, or sockets. */
export function watchData(
  place: RedisPlace,
  { prefix }: RedisConnectionOptions,
  connection: string,
): RedisWatchData | undefined {
  const copy = cloneable(bare(place));
  return copy && { connection, place: copy, prefix };
}

/** A client of the application as its settings. */
function bare(place: RedisPlace): RedisPlace {
  if (place.kind === 'server') return { kind: 'server', options: withoutUnused(place.options) };
  if (place.kind === 'cluster') return { ...place, options: clusterOptions(place.options) };
  const { client } = place;
  if (!client.isCluster) return { kind: 'server', options: withoutUnused(client.options) };
  const { startupNodes } = client as { startupNodes?: unknown };
  if (!Array.isArray(startupNodes)) return place;
  return { kind: 'cluster', nodes: startupNodes as readonly Options[], options: clusterOptions(client.options) };
}

function clusterOptions(options: Options): Options {
  const { redisOptions } = options as { redisOptions?: Options };
  return { ...withoutUnused(options), ...(redisOptions && { redisOptions: withoutUnused(redisOptions) }) };
}

function withoutUnused(options: Options): Options {
  const kept = Object.entries(options).filter(([name, value]) => !UNUSED.has(name) && !BY_DEFAULT.has(value));
  return Object.fromEntries(kept);
}
