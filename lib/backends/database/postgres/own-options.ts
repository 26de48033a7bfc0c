import type { OwnPool } from '../server/dialect.js';

type Options = Readonly<Record<string, unknown>>;

/** Of the application's options these say where the server is and how to get in. All others are about entities, logs and the like. */
const WAY = ['url', 'host', 'port', 'username', 'password', 'database', 'ssl', 'driver', 'nativeDriver'];

/** What an application sets for its own pool and statements. */
const NOT_OURS = new Set(
  `max min maxUses maxLifetimeSeconds idleTimeoutMillis allowExitOnIdle query_timeout statement_timeout lock_timeout
  idle_in_transaction_session_timeout types pipeline`.split(/\s+/),
);

const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/** TypeORM's options for a pool of our own to the same server. */
export function ownOptions(options: Options, own: OwnPool): Record<string, unknown> {
  return {
    ...wayOf(options),
    type: 'postgres',
    applicationName: own.applicationName,
    poolSize: own.poolSize,
    connectTimeoutMS: own.connectTimeoutMs,
    entities: [],
    migrations: [],
    subscribers: [],
    synchronize: false,
    logging: false,
    // Without an extension nothing asks the server for one.
    installExtensions: false,
    // A connection that ends while nobody uses it is no news: the next one is opened when it is needed.
    poolErrorHandler: () => {},
    extra: {
      ...extraOf(options),
      ...KEEP_ALIVE,
      max: own.poolSize,
      connectionTimeoutMillis: own.connectTimeoutMs,
      application_name: own.applicationName,
    },
  };
}

/** The same for one client of `pg`; `undefined` where it needs what cannot be sent to another thread. */
export function clientOptions(options: Options, applicationName: string): Record<string, unknown> | undefined {
  const { url, username, driver, nativeDriver, ...way } = wayOf(options);
  // Another package than the usual one, which a thread cannot be handed.
  if (driver !== undefined || nativeDriver !== undefined) return undefined;
  const { host, port, password, database, ssl } = way;
  const config = {
    connectionString: url,
    user: username,
    host,
    port,
    password,
    database,
    ssl,
    ...extraOf(options),
    ...KEEP_ALIVE,
    connectionTimeoutMillis: 5_000,
    application_name: applicationName,
  };
  // What is absent must be left out: pg takes a key with `undefined` for given in some places.
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  try {
    return structuredClone(given);
  } catch {
    return undefined;
  }
}

/** A primary of a replicated set is where writes go. */
function wayOf(options: Options): Record<string, unknown> {
  const replication = options['replication'] as { master?: Options } | undefined;
  const all = { ...options, ...replication?.master };
  return Object.fromEntries(WAY.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]));
}

function extraOf(options: Options): Record<string, unknown> {
  const extra = (options['extra'] ?? {}) as Options;
  return Object.fromEntries(Object.entries(extra).filter(([name]) => !NOT_OURS.has(name)));
}
