import { durationMs, type Duration } from '../support/duration.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';
import type { ConnectionsOptions } from './connection-options.js';
import { checkConnection } from './connection-rules.js';
import { checkFailed, FAILED_DRIVERS } from './failed-rules.js';
import { atLeastMs, checkOptions, record, required, table, text, whole, wrong } from './option-check.js';
import { resolveOutbox, type ResolvedOutbox } from './outbox-options.js';

export type {
  BatchingOptions,
  ConnectionOptions,
  ConnectionsOptions,
  FailedOptions,
  OutboxOptions,
} from './connection-options.js';

/** A connection was named that nobody configured. */
export class UnknownConnectionError extends QueueError {
  constructor(name: string, configured: Iterable<string>) {
    super(
      'ERR_QUEUE_UNKNOWN_CONNECTION',
      `The [${name}] queue connection has not been configured. There are: ${[...configured].join(', ')}.`,
    );
  }
}

/** A named connection, checked and with its defaults. */
export interface ResolvedConnection {
  readonly name: string;
  readonly driver: string;
  /** Its jobs run in the process that dispatches them; nothing is stored. */
  readonly inProcess: boolean;
  /** What the backend is made with: everything that was given, and the tables of failed jobs and batches where they are kept here. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The queue of jobs that name none. */
  readonly queue: string;
  readonly leaseMs: number;
  readonly blockForMs?: number;
  readonly afterCommit: boolean;
  readonly prefetch: number;
  readonly outbox?: ResolvedOutbox;
}

/** Where a kind of record is kept. `own`: with the default connection, else the first database connection, else in memory. */
export type ResolvedStore =
  | { readonly kind: 'own' }
  | { readonly kind: 'connection'; readonly connection: string }
  | { readonly kind: 'null' }
  /** A store without a connection of its own. */
  | { readonly kind: 'driver'; readonly driver: string; readonly options: Readonly<Record<string, unknown>> };

export interface ResolvedConnections {
  readonly default: string;
  /** Those configured first, then those that always exist. */
  readonly connections: ReadonlyMap<string, ResolvedConnection>;
  /** Those of them that the options name. */
  readonly configured: ReadonlySet<string>;
  readonly failed: ResolvedStore;
  readonly batching: ResolvedStore;
  readonly locks: ResolvedStore;
  readonly dispatchTimeoutMs: number;
  readonly maxPayload: number;
}

/** Connections that exist without being configured. */
export const ALWAYS_THERE = ['sync', 'null', 'deferred', 'memory', 'database'] as const;
/** Drivers that run what they are given in this process, and keep nothing. */
const IN_PROCESS: ReadonlySet<string> = new Set(['sync', 'deferred']);
/** Drivers with no store of their own for locks, failed jobs or batches. */
const NO_STORES: ReadonlySet<string> = new Set(['sync', 'deferred', 'null', 'sqs', 'beanstalkd', 'failover']);

type Given = Readonly<Record<string, unknown>>;

/**
 * Checks the options that concern connections and fills in the defaults. Opens nothing.
 *
 * @throws InvalidOptionError, InvalidQueueNameError or UnknownConnectionError, in one line
 */
export function resolveConnections(
  options: ConnectionsOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): ResolvedConnections {
  const given = mergeGiven(options);
  const own = new Set(Object.keys(options.drivers ?? {}));
  const checked = new Map<string, Given & { driver: string }>();
  for (const [name, value] of given) checked.set(name, checkConnection(name, value, own));
  for (const [name, value] of checked)
    if (value.driver === 'failover') checkMembers(name, value['connections'] as string[], checked);

  if (options.default !== undefined) text(options.default, 'default');
  const defaultName = options.default ?? (env['QUEUE_CONNECTION']?.trim() || 'database');
  known(defaultName, checked);

  const places: Places = { default: defaultName, connections: checked };
  const failed = failedStore(options, env, places);
  const batching = options.batching === undefined ? OWN : batchStore(options.batching, places);
  const tables = new Map<string, Record<string, unknown>>();
  addTable(tables, failed, 'failedTable', options.failed?.table);
  addTable(tables, batching, 'batchesTable', options.batching?.table);

  const connections = new Map<string, ResolvedConnection>();
  for (const [name, value] of checked) {
    const inProcess = IN_PROCESS.has(value.driver) && !own.has(value.driver);
    connections.set(name, resolveOne(name, value, inProcess, tables.get(name)));
  }

  if (options.dispatchTimeout !== undefined) atLeastMs(1)(options.dispatchTimeout, 'dispatchTimeout');
  if (options.maxPayload !== undefined) whole(1)(options.maxPayload, 'maxPayload');
  return {
    default: defaultName,
    connections,
    configured: new Set(Object.keys(options.connections ?? {})),
    failed,
    batching,
    locks: options.locks === undefined ? OWN : lockStore(options.locks, checked),
    dispatchTimeoutMs:
      options.dispatchTimeout === undefined ? 5_000 : durationMs(options.dispatchTimeout, 'dispatchTimeout'),
    maxPayload: options.maxPayload ?? 1_048_576,
  };
}

const OWN: ResolvedStore = { kind: 'own' };

interface Places {
  readonly default: string;
  readonly connections: ReadonlyMap<string, { readonly driver: string }>;
}

function mergeGiven(options: ConnectionsOptions): ReadonlyMap<string, unknown> {
  if (options.connections !== undefined) record(options.connections, 'connections');
  const given = new Map<string, unknown>(Object.entries(options.connections ?? {}));
  for (const name of ALWAYS_THERE) if (given.get(name) === undefined) given.set(name, { driver: name });
  return given;
}

function checkMembers(name: string, members: readonly string[], all: ReadonlyMap<string, { driver: string }>): void {
  for (const member of members) {
    known(member, all);
    if (all.get(member)!.driver === 'failover') {
      throw wrong(
        `connections.${name}.connections`,
        member,
        'A failover connection cannot be a member of one: list its own members.',
      );
    }
  }
}

function known(name: string, all: ReadonlyMap<string, unknown>): void {
  if (!all.has(name)) throw new UnknownConnectionError(name, all.keys());
}

function resolveOne(
  name: string,
  options: Given & { driver: string },
  inProcess: boolean,
  tables: Record<string, unknown> = {},
): ResolvedConnection {
  const at = `connections.${name}`;
  const lease = options['retryAfter'] as Duration | undefined;
  const block = options['blockFor'] as Duration | undefined;
  return {
    name,
    driver: options.driver,
    inProcess,
    options: { ...options, ...tables },
    queue: (options['queue'] as string | undefined) ?? 'default',
    leaseMs: lease === undefined ? 30_000 : durationMs(lease, `${at}.retryAfter`),
    ...(block !== undefined && { blockForMs: durationMs(block, `${at}.blockFor`) }),
    afterCommit: (options['afterCommit'] as boolean | undefined) ?? false,
    prefetch: (options['prefetch'] as number | undefined) ?? 0,
    ...resolveOutbox(options['outbox']),
  };
}

const BATCH_DRIVERS = ['database', 'redis', 'dynamodb', 'memory'];

function failedStore(options: ConnectionsOptions, env: NodeJS.ProcessEnv, places: Places): ResolvedStore {
  if (options.failed !== undefined) {
    checkFailed(options.failed);
    return store({ ...options.failed }, 'failed', 'failed.driver', FAILED_DRIVERS, places);
  }
  const fromEnv = env['QUEUE_FAILED_DRIVER']?.trim();
  return fromEnv ? store({ driver: fromEnv }, 'failed', 'QUEUE_FAILED_DRIVER', FAILED_DRIVERS, places) : OWN;
}

function batchStore(options: object, places: Places): ResolvedStore {
  record(options, 'batching');
  checkOptions({ ...options }, { driver: text, connection: text, table }, 'batching');
  return store({ ...options }, 'batching', 'batching.driver', BATCH_DRIVERS, places);
}

function store(options: Given, at: string, field: string, drivers: readonly string[], places: Places): ResolvedStore {
  required(options, 'driver', at, `Use one of ${drivers.join(', ')}.`);
  const chosen = options['driver'] as string;
  if (!drivers.includes(chosen)) throw wrong(field, chosen, `Use one of ${drivers.join(', ')}.`);
  if (chosen === 'null') return { kind: 'null' };
  if (chosen === 'file') return { kind: 'driver', driver: chosen, options };
  const named = options['connection'] as string | undefined;
  if (named !== undefined) {
    known(named, places.connections);
    const has = places.connections.get(named)!.driver;
    if (has !== chosen)
      throw wrong(`${at}.connection`, named, `That connection's driver is ${has}; name one with the driver ${chosen}.`);
    return { kind: 'connection', connection: named };
  }
  if (places.connections.get(places.default)!.driver === chosen)
    return { kind: 'connection', connection: places.default };
  for (const [name, { driver: has }] of places.connections)
    if (has === chosen) return { kind: 'connection', connection: name };
  if (chosen === 'database' || chosen === 'redis') {
    throw new InvalidOptionError(`${field} is "${chosen}", but no connection has that driver. Add one to connections.`);
  }
  return { kind: 'driver', driver: chosen, options };
}

function lockStore(options: unknown, all: ReadonlyMap<string, { driver: string }>): ResolvedStore {
  record(options, 'locks');
  checkOptions(options as Given, { connection: text }, 'locks');
  required(options as Given, 'connection', 'locks', 'Name the connection whose store keeps the locks.');
  const connection = (options as { connection: string }).connection;
  known(connection, all);
  const has = all.get(connection)!.driver;
  if (NO_STORES.has(has))
    throw wrong(
      'locks.connection',
      connection,
      `Its driver ${has} keeps no locks; name a memory, database or redis connection.`,
    );
  return { kind: 'connection', connection };
}

function addTable(
  tables: Map<string, Record<string, unknown>>,
  place: ResolvedStore,
  key: string,
  name: string | undefined,
): void {
  if (name === undefined || place.kind !== 'connection') return;
  tables.set(place.connection, { ...tables.get(place.connection), [key]: name });
}
