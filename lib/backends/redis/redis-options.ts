import type { Duration } from '../../support/duration.js';
import { describe, InvalidOptionError } from '../../support/queue-error.js';
import { isRedisClient, type RedisClient } from './redis-client.js';

/** Options of a connection with `driver: 'redis'`. One of `url`, `options`, `cluster`, `client`; `url` and `options` go together. */
export interface RedisConnectionOptions {
  readonly driver: 'redis';
  /** `redis://user:password@host:6379/0`, `rediss://…` for TLS, or the path of a socket. Default: env `REDIS_URL`, else localhost. */
  readonly url?: string;
  /** Of an ioredis client: host, port, username, password, db, tls, keyPrefix, sentinels … */
  readonly options?: object;
  readonly cluster?: {
    readonly nodes: readonly { readonly host: string; readonly port: number }[];
    readonly options?: object;
  };
  /** An ioredis client, Redis or Cluster. Its settings are taken over; the queue opens connections of its own. */
  readonly client?: object;
  readonly queue?: string;
  /** What all keys begin with. Default 'queue'. */
  readonly prefix?: string;
  readonly retryAfter?: Duration;
  readonly blockFor?: Duration;
  readonly afterCommit?: boolean;
  /** Refuse a server that may throw keys away, or does not say so (`maxmemory-policy` other than `noeviction`), instead of warning. */
  readonly strict?: boolean;
  readonly prefetch?: number;
}

type Options = Readonly<Record<string, unknown>>;

/** Where the servers are, as ioredis is told. */
export type RedisPlace =
  | { readonly kind: 'server'; readonly options: Options }
  | { readonly kind: 'cluster'; readonly nodes: readonly Options[]; readonly options: Options }
  | { readonly kind: 'client'; readonly client: RedisClient };

const URL_HINT = 'Write it as redis://user:password@host:6379/0, or rediss:// for TLS.';

/** @throws InvalidOptionError, without a password in it */
export function redisPlace(given: RedisConnectionOptions, connection: string): RedisPlace {
  const at = `connections.${connection}`;
  const { url, options, cluster, client } = given;
  const ways = Object.entries({ 'url or options': url ?? options, cluster, client }).filter(
    ([, value]) => value !== undefined,
  );
  if (ways.length > 1) {
    throw new InvalidOptionError(`${at} has ${ways.map(([name]) => name).join(' and ')}. Give one of them.`);
  }
  if (client !== undefined) {
    if (isRedisClient(client)) return { kind: 'client', client };
    throw new InvalidOptionError(
      `${at}.client is ${describe(client)}. Give an ioredis client, or its options as ${at}.options.`,
    );
  }
  if (cluster !== undefined) {
    const { nodes, options: more = {} } = cluster;
    if (!Array.isArray(nodes) || nodes.length === 0) {
      throw new InvalidOptionError(`${at}.cluster.nodes is ${describe(nodes)}. List at least one: [{ host, port }].`);
    }
    return { kind: 'cluster', nodes: nodes as readonly Options[], options: more as Options };
  }
  if (isRedisClient(options)) {
    throw new InvalidOptionError(`${at}.options is an ioredis client. Give it as ${at}.client.`);
  }
  const server = url ?? (saysWhere(options as Options) ? undefined : process.env['REDIS_URL']?.trim() || undefined);
  return {
    kind: 'server',
    options: { ...(server !== undefined && urlOptions(server, url ? `${at}.url` : 'REDIS_URL')), ...options },
  };
}

/** Options that say nothing of the place, such as `tls` or `keyPrefix`, are for the one that the environment names. */
function saysWhere(options: Options = {}): boolean {
  return ['host', 'port', 'path', 'sentinels'].some((name) => options[name] !== undefined);
}

/** For messages, without credentials: `redis at localhost:6379/0`. */
export function storeName(place: RedisPlace): string {
  if (place.kind === 'cluster') return `redis cluster at ${addresses(place.nodes)}`;
  if (place.kind === 'client') {
    const { client } = place;
    if (!client.isCluster) return serverName(client.options);
    const nodes = (client as { startupNodes?: unknown }).startupNodes;
    return Array.isArray(nodes) ? `redis cluster at ${addresses(nodes)}` : 'redis cluster';
  }
  return serverName(place.options);
}

/** What a thread can be handed; `undefined` where something in it cannot leave this one. */
export function cloneable(place: RedisPlace): RedisPlace | undefined {
  if (place.kind === 'client') return undefined;
  try {
    return structuredClone(place);
  } catch {
    return undefined;
  }
}

function serverName(options: Options): string {
  const { sentinels, name, path, host, port, db } = options;
  if (Array.isArray(sentinels)) return `redis ${textOf(name, '')} by the sentinels at ${addresses(sentinels)}`;
  const where =
    typeof path === 'string' ? path : `${textOf(host, 'localhost').replace(/^.*@/, '')}:${textOf(port, '6379')}`;
  return `redis at ${where}/${textOf(db, '0')}`;
}

function textOf(option: unknown, otherwise: string): string {
  return typeof option === 'string' || typeof option === 'number' ? String(option) : otherwise;
}

function addresses(nodes: readonly unknown[]): string {
  return nodes
    .map((node) => {
      // As ioredis takes them: an address, a port, or a URL that may have a password.
      if (typeof node !== 'object' || node === null)
        return String(node)
          .replace(/^.*@/, '')
          .replace(/^\w+:\/\//, '');
      const { host, port } = node as { host?: unknown; port?: unknown };
      return `${textOf(host, 'localhost')}:${textOf(port, '6379')}`;
    })
    .join(', ');
}

function urlOptions(text: string, field: string): Options {
  if (text.startsWith('/')) return { path: text };
  // What is wrong may stand within the password: none of the text is said where there may be one.
  const mayTell = !text.includes('@');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidOptionError(`${field} is ${mayTell ? `${describe(text)}, which is ` : ''}no URL. ${URL_HINT}`);
  }
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'unix') return { path: decoded(url.pathname, field), ...credentials(url, field) };
  if (!['redis', 'rediss', 'valkey', 'valkeys'].includes(scheme)) {
    const isScheme = mayTell || text.slice(url.protocol.length).startsWith('//');
    throw new InvalidOptionError(
      isScheme ? `${field} begins with ${scheme}:. ${URL_HINT}` : `${field} is no URL of redis. ${URL_HINT}`,
    );
  }
  if (`${url.pathname}${url.search}${url.hash}`.includes('@')) {
    throw new InvalidOptionError(
      `${field} has an @ behind its host. Write / ? # in a password as %2F %3F %23. ${URL_HINT}`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const db = url.pathname.slice(1) || url.searchParams.get('db') || '';
  if (!/^\d*$/.test(db))
    throw new InvalidOptionError(
      `${field} names ${db.includes('@') ? 'a database' : `the database ${describe(db)}`}. Give its number. ${URL_HINT}`,
    );
  const family = url.searchParams.get('family');
  return {
    ...(host !== '' && { host }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(db !== '' && { db: Number(db) }),
    ...(family !== null && { family: Number(family) }),
    ...(scheme.endsWith('s') && scheme !== 'redis' && { tls: {} }),
    ...credentials(url, field),
  };
}

function credentials({ username, password }: URL, field: string): Options {
  return {
    ...(username !== '' && { username: decoded(username, field) }),
    ...(password !== '' && { password: decoded(password, field) }),
  };
}

function decoded(part: string, field: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new InvalidOptionError(
      `${field} has a % that is not followed by two hexadecimal digits, in its user, password or path. Write it as %25.`,
    );
  }
}
