import type { OwnPool } from '../server/dialect.js';

type Options = Readonly<Record<string, unknown>>;

/** Where the server is, and who we are there. Nothing else of an application's DataSource is ours: entities, logging, its pool. */
const KEPT = [
  'type',
  'url',
  'host',
  'port',
  'username',
  'password',
  'database',
  'socketPath',
  'ssl',
  'driver',
  'connectorPackage',
  'insecureAuth',
];

/** What an application may have set for its own queries, and what is set here. */
const NOT_OF_EXTRA = [
  'bigNumberStrings',
  'charset',
  'charsetNumber',
  'connectAttributes',
  'connectTimeout',
  'connectionLimit',
  'dateStrings',
  'debug',
  'decimalNumbers',
  'flags',
  'idleTimeout',
  'jsonStrings',
  'maxIdle',
  'multipleStatements',
  'namedPlaceholders',
  'nestTables',
  'queryFormat',
  'queueLimit',
  'resetOnRelease',
  'rowsAsArray',
  'stringifyObjects',
  'supportBigNumbers',
  'timezone',
  'typeCast',
  'waitForConnections',
];

/** Silent ways are asked whether they are still there after so long. */
const KEEP_ALIVE_AFTER_MS = 10_000;
/** Statements of one connection that the server keeps prepared, of the 16,382 that it has for all. */
const PREPARED = 256;

/** How values and answers look, whatever the application has set. */
const SPOKEN = {
  charset: 'utf8mb4',
  timezone: 'Z',
  supportBigNumbers: true,
  bigNumberStrings: false,
  dateStrings: false,
  debug: false,
  multipleStatements: false,
} as const;

/** Laid over the options of the application's DataSource: what its own pool is made with. */
export function ownOptions(options: Options, own: OwnPool): Record<string, unknown> {
  const master = masterOf(options);
  const kept = Object.fromEntries(KEPT.filter((key) => master[key] !== undefined).map((key) => [key, master[key]]));
  return {
    ...kept,
    ...SPOKEN,
    flags: flagsOf(master),
    connectTimeout: own.connectTimeoutMs,
    poolSize: own.poolSize,
    entities: [],
    synchronize: false,
    logging: false,
    extra: { ...extraOf(master), ...connectionExtras(own.applicationName) },
  };
}

/** The same for one connection by mysql2 itself. `undefined` where the application brings a driver of its own. */
export function connectionOptions(options: Options, own: Omit<OwnPool, 'poolSize'>): Options | undefined {
  const master = masterOf(options);
  if (master['driver'] !== undefined) return undefined;
  const { host, port, username, password, database, socketPath, ssl, insecureAuth } = {
    ...master,
    ...ofUrl(master['url']),
  };
  const all = {
    ...extraOf(master),
    ...SPOKEN,
    host,
    port,
    user: username,
    password,
    database,
    socketPath,
    ssl,
    insecureAuth,
    flags: flagsOf(master),
    connectTimeout: own.connectTimeoutMs,
    ...connectionExtras(own.applicationName),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Of a replicated set the primary: everything here writes. */
function masterOf(options: Options): Options {
  const { replication, ...own } = options;
  const { master } = (replication ?? {}) as { master?: Options };
  return master ? { ...own, ...master } : own;
}

function extraOf(options: Options): Record<string, unknown> {
  const extra = { ...(options['extra'] as Record<string, unknown> | undefined) };
  for (const key of NOT_OF_EXTRA) delete extra[key];
  return extra;
}

function connectionExtras(applicationName: string): Record<string, unknown> {
  return {
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
    maxPreparedStatements: PREPARED,
    // The queue keeps its connections itself; what it gives back is closed. With as many idle ones allowed as there may be, none ever is.
    maxIdle: 1,
    idleTimeout: 1_000,
    connectAttributes: { program_name: applicationName },
  };
}

/** With FOUND_ROWS an INSERT that passed over a row could not be told from one that stored it. */
function flagsOf(options: Options): readonly string[] {
  const { flags } = { ...options, ...(options['extra'] as Options | undefined) };
  const given = typeof flags === 'string' ? flags.split(',') : Array.isArray(flags) ? flags.map(String) : [];
  const kept = given
    .map((flag) => flag.trim().toUpperCase())
    .filter((flag) => flag !== '' && !flag.endsWith('FOUND_ROWS'));
  return [...kept, '-FOUND_ROWS'];
}

function ofUrl(url: unknown): Record<string, unknown> {
  if (typeof url !== 'string') return {};
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    ...(hostname && { host: hostname.replace(/^\[|\]$/g, '') }),
    ...(port && { port: Number(port) }),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { database: decodeURIComponent(pathname.slice(1)) }),
  };
}
