/** What is known of the servers of a connection. On a cluster: what holds for all of them. */
export interface ServerFacts {
  /** As the server says it, with its name: `Redis 7.0.15`, `Valkey 8.0.1`. */
  readonly version: string;
  /** 6.2 or later, by the version of Redis that it is compatible with. */
  readonly isSupported: boolean;
  /** Scripts may begin with flags: 7 or later. */
  readonly hasFlags: boolean;
  /** `undefined` where the server does not say. */
  readonly evictionPolicy: string | undefined;
  /** A node of a cluster. */
  readonly isCluster: boolean;
}

/** What a server that does not let itself be asked is taken for. */
export const UNKNOWN_SERVER: ServerFacts = {
  version: 'an unknown version',
  isSupported: true,
  hasFlags: false,
  evictionPolicy: undefined,
  isCluster: false,
};

/** @param info the answer to INFO */
export function serverFacts(info: string): ServerFacts {
  const fields = new Map<string, string>();
  for (const line of info.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const redis = fields.get('redis_version');
  if (redis === undefined) return UNKNOWN_SERVER;
  const [major = 0, minor = 0] = redis.split('.').map(Number);
  const valkey = fields.get('valkey_version');
  return {
    version: valkey === undefined ? `Redis ${redis}` : `Valkey ${valkey}`,
    isSupported: major > 6 || (major === 6 && minor >= 2),
    hasFlags: major >= 7,
    evictionPolicy: fields.get('maxmemory_policy'),
    isCluster: fields.get('redis_mode') === 'cluster' || fields.get('cluster_enabled') === '1',
  };
}

/** Of several servers: the oldest decides what may be used, and one that throws keys away, or may, is the one to tell of. */
export function factsOfAll(all: readonly ServerFacts[]): ServerFacts {
  const [first = UNKNOWN_SERVER] = all;
  return {
    version: (all.find(({ isSupported }) => !isSupported) ?? first).version,
    isSupported: all.every(({ isSupported }) => isSupported),
    hasFlags: all.length > 0 && all.every(({ hasFlags }) => hasFlags),
    evictionPolicy: (all.find(evicts) ?? all.find(({ evictionPolicy }) => evictionPolicy === undefined) ?? first)
      .evictionPolicy,
    isCluster: all.some(({ isCluster }) => isCluster),
  };
}

/** Keys may go away by themselves when its memory is full, and jobs with them. */
export function evicts({ evictionPolicy }: ServerFacts): boolean {
  return evictionPolicy !== undefined && evictionPolicy !== 'noeviction';
}
