import { durationMs, type Duration } from '../support/duration.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';
import type { ConnectionsOptions } from './connection-options.js';
import {
  atLeastMs,
  checkOptions,
  duration,
  flag,
  notYet,
  record,
  required,
  table,
  text,
  textOrRecord,
  texts,
  whole,
  wrong,
  type OptionRule,
} from './option-check.js';
import { assertQueueName } from './queue-name.js';

export type { BatchingOptions, ConnectionOptions, ConnectionsOptions, FailedOptions } from './connection-options.js';

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
  /** What the backend is made with: everything that was given, and the tables of failed jobs and batches where they are kept here. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The queue of jobs that name none. */
  readonly queue: string;
  readonly leaseMs: number;
  readonly blockForMs?: number;
  readonly afterCommit: boolean;
  readonly prefetch: number;
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
/** Drivers with no store of their own for locks, failed jobs or batches. */
const NO_STORES: ReadonlySet<string> = new Set(['sync', 'deferred', 'null', 'sqs', 'beanstalkd', 'failover']);

const driver: OptionRule = text;
const queue: OptionRule = (value) => assertQueueName(value);
const retryAfter = atLeastMs(1_000);
const common = { queue, retryAfter, afterCommit: flag };
const RULES: Readonly<Record<string, Readonly<Record<string, OptionRule>>>> = {
  sync: { driver, afterCommit: flag },
  deferred: { driver, afterCommit: flag },
  null: { driver },
  memory: { driver, ...common },
  database: { driver, ...common, dataSource: textOrRecord, table, migrate: flag, prefetch: whole(0) },
  redis: {
    driver,
    ...common,
    url: text,
    options: record,
    cluster: record,
    client: record,
    prefix: text,
    blockFor: duration,
    outbox: notYet,
    strict: flag,
    prefetch: whole(0),
  },
  sqs: {
    driver,
    region: text,
    queue,
    prefix: text,
    suffix: text,
    endpoint: text,
    credentials: record,
    afterCommit: flag,
    overflow: record,
  },
  beanstalkd: { driver, ...common, host: text, port: whole(1) },
  failover: { driver, connections: texts },
};
/** What any driver may be told: these the module itself reads. */
const ANY_DRIVER: Readonly<Record<string, OptionRule>> = { driver, ...common, blockFor: duration, prefetch: whole(0) };
const NEEDED: Readonly<Record<string, string>> = { sqs: 'region', beanstalkd: 'host', failover: 'connections' };

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
  for (const [name, value] of checked) connections.set(name, resolveOne(name, value, tables.get(name)));

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

function checkConnection(name: string, value: unknown, own: ReadonlySet<string>): Given & { driver: string } {
  const at = `connections.${name}`;
  record(value, at);
  const options = value as Given;
  required(options, 'driver', at, `Say which one: { driver: 'database' }.`);
  text(options['driver'], `${at}.driver`);
  const chosen = options['driver'] as string;
  const rules = own.has(chosen) || !Object.hasOwn(RULES, chosen) ? undefined : RULES[chosen];
  if (rules) {
    checkOptions(options, rules, at);
    const needed = NEEDED[chosen];
    if (needed !== undefined) required(options, needed, at, `The ${chosen} driver needs it.`);
  } else {
    // A driver of somebody's own has options that only it knows.
    const shared = Object.entries(options).filter(([key]) => Object.hasOwn(ANY_DRIVER, key));
    checkOptions(Object.fromEntries(shared), ANY_DRIVER, at);
  }
  return options as Given & { driver: string };
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
  tables: Record<string, unknown> = {},
): ResolvedConnection {
  const at = `connections.${name}`;
  const lease = options['retryAfter'] as Duration | undefined;
  const block = options['blockFor'] as Duration | undefined;
  return {
    name,
    driver: options.driver,
    options: { ...options, ...tables },
    queue: (options['queue'] as string | undefined) ?? 'default',
    leaseMs: lease === undefined ? 30_000 : durationMs(lease, `${at}.retryAfter`),
    ...(block !== undefined && { blockForMs: durationMs(block, `${at}.blockFor`) }),
    afterCommit: (options['afterCommit'] as boolean | undefined) ?? false,
    prefetch: (options['prefetch'] as number | undefined) ?? 0,
  };
}

const FAILED_DRIVERS = ['database', 'redis', 'dynamodb', 'file', 'memory', 'null'];
const BATCH_DRIVERS = ['database', 'redis', 'dynamodb', 'memory'];

function failedStore(options: ConnectionsOptions, env: NodeJS.ProcessEnv, places: Places): ResolvedStore {
  if (options.failed !== undefined) {
    record(options.failed, 'failed');
    checkOptions({ ...options.failed }, { driver, connection: text, table, path: text, limit: whole(1) }, 'failed');
    return store({ ...options.failed }, 'failed', 'failed.driver', FAILED_DRIVERS, places);
  }
  const fromEnv = env['QUEUE_FAILED_DRIVER']?.trim();
  return fromEnv ? store({ driver: fromEnv }, 'failed', 'QUEUE_FAILED_DRIVER', FAILED_DRIVERS, places) : OWN;
}

function batchStore(options: object, places: Places): ResolvedStore {
  record(options, 'batching');
  checkOptions({ ...options }, { driver, connection: text, table }, 'batching');
  return store({ ...options }, 'batching', 'batching.driver', BATCH_DRIVERS, places);
}

function store(options: Given, at: string, field: string, drivers: readonly string[], places: Places): ResolvedStore {
  required(options, 'driver', at, `Use one of ${drivers.join(', ')}.`);
  const chosen = options['driver'] as string;
  if (!drivers.includes(chosen)) throw wrong(field, chosen, `Use one of ${drivers.join(', ')}.`);
  if (chosen === 'null') return { kind: 'null' };
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
