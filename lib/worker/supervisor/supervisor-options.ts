import { availableParallelism } from 'node:os';
import { UnknownConnectionError, type ResolvedConnections } from '../../connections/connection-config.js';
import {
  atLeastMs,
  checkOptions,
  duration,
  flag,
  record,
  text,
  texts,
  whole,
  wrong,
  type OptionRule,
} from '../../connections/option-check.js';
import { queueNames } from '../../connections/queue-name.js';
import type { WorkerOptions } from '../../contracts/worker-options.js';
import { durationMs, type Duration } from '../../support/duration.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import { resolveWorkerOptions, type ResolvedWorkerOptions } from '../resolved-options.js';

/**
 * What `queue:supervise` keeps running on one machine. Besides the options of its workers: how many processes there are. Durations are
 * seconds as a number, or `'500ms' '90s' '5m' '1h' '2d'`.
 */
export interface SupervisorOptions extends Omit<WorkerOptions, 'stopWhenEmpty' | 'stopWhenEmptyFor' | 'exitWhenStuck'> {
  /**
   * 'auto': each queue has processes of its own, as many as it needs at the moment. 'simple': `maxProcesses` are shared out evenly among the
   * queues and stay. `false`: all processes work all queues, earlier ones first, and are as many as are needed. Default 'auto'.
   */
  balance?: 'auto' | 'simple' | false;
  /** What is needed: 'time' goes by how long the waiting jobs will take, 'size' by how many they are. Default 'time'. */
  strategy?: 'time' | 'size';
  /** Processes that each queue keeps when there is nothing to do; with `balance: false` those of all queues. Default 1. */
  minProcesses?: number;
  /** Processes at most, of all queues together. Default: one for each core of the machine, and no fewer than the least that it needs. */
  maxProcesses?: number;
  /** Processes that may be added, and that may be taken away, in one step. Default 1. */
  balanceMaxShift?: number;
  /** Time from one step to the next. Default 3, at least 1. */
  balanceCooldown?: Duration;
}

/** SupervisorOptions with every default in place; durations in ms. */
export interface ResolvedSupervisor {
  readonly name: string;
  readonly connection: string;
  readonly balance: 'auto' | 'simple' | false;
  readonly strategy: 'time' | 'size';
  /** The queues of each pool, in their order. */
  readonly pools: readonly (readonly string[])[];
  /** Of each pool. */
  readonly minProcesses: number;
  /** Of all pools together. */
  readonly maxProcesses: number;
  readonly maxShift: number;
  readonly cooldownMs: number;
  /** As the workers will see their options. `given` is what they are told, without the queues. */
  readonly worker: ResolvedWorkerOptions;
}

const OWN = ['balance', 'strategy', 'minProcesses', 'maxProcesses', 'balanceMaxShift', 'balanceCooldown'] as const;

const delays: OptionRule = (value, field) => {
  for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) duration(one, field);
};

const RULES: Readonly<Record<keyof SupervisorOptions, OptionRule>> = {
  connection: text,
  queues: texts,
  name: text,
  balance: oneOf('auto', 'simple', false),
  strategy: oneOf('time', 'size'),
  minProcesses: whole(1),
  maxProcesses: whole(1),
  balanceMaxShift: whole(1),
  balanceCooldown: atLeastMs(1_000),
  concurrency: whole(1),
  tries: whole(0),
  backoff: delays,
  timeout: duration,
  timeoutGrace: duration,
  sleep: duration,
  rest: duration,
  maxJobs: whole(0),
  maxTime: duration,
  memory: whole(0),
  force: flag,
  grace: duration,
  maxStalls: whole(0),
  prefetch: whole(0),
  unknownJobTries: whole(1),
  watchdog: flag,
  stopOnLostConnection: flag,
};

/**
 * The module's option `supervisors`, checked.
 *
 * @param cores of this machine
 * @throws InvalidOptionError, UnknownConnectionError, InvalidQueueNameError
 */
export function resolveSupervisors(
  given: Readonly<Record<string, SupervisorOptions>> | undefined,
  config: ResolvedConnections,
  cores = availableParallelism(),
): ReadonlyMap<string, ResolvedSupervisor> {
  if (given === undefined) return new Map();
  record(given, 'supervisors');
  return new Map(Object.entries(given).map(([name, options]) => [name, resolve(name, options, config, cores)]));
}

function resolve(
  name: string,
  options: SupervisorOptions,
  config: ResolvedConnections,
  cores: number,
): ResolvedSupervisor {
  const at = `supervisors.${name}`;
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new InvalidOptionError(`${at} has a name that cannot be. Use 1 to 64 of the characters A-Z a-z 0-9 _ . -`);
  }
  record(options, at);
  checkOptions(options as Readonly<Record<string, unknown>>, RULES, at);
  const own = Object.fromEntries(OWN.map((key) => [key, options[key]])) as SupervisorOptions;
  const { balance = 'auto', strategy = 'time', minProcesses = 1, balanceMaxShift = 1, balanceCooldown = 3 } = own;

  const connectionName = options.connection ?? config.default;
  const connection = config.connections.get(connectionName);
  if (!connection) throw new UnknownConnectionError(connectionName, config.connections.keys());
  const queues = queueNames(options.queues ?? [connection.queue]);
  if (queues.length === 0) throw new InvalidOptionError(`${at}.queues names no queue. Give a list of names.`);
  const pools = balance === false ? [queues] : queues.map((queue) => [queue]);

  const least = pools.length * (balance === 'simple' ? 1 : minProcesses);
  const { maxProcesses = Math.max(cores, least) } = own;
  if (maxProcesses < least) {
    const why =
      pools.length === 1
        ? `minProcesses is ${minProcesses}`
        : `with balance '${balance}' its ${pools.length} queues have processes of their own, ${least} at the least`;
    throw new InvalidOptionError(
      `${at}.maxProcesses is ${maxProcesses}, and ${why}. Raise maxProcesses${pools.length === 1 ? ', or lower minProcesses.' : ', or let all processes work all queues: balance: false.'}`,
    );
  }
  const ofWorkers = Object.fromEntries(
    Object.entries(options).filter(
      ([key, value]) => value !== undefined && key !== 'queues' && !(OWN as readonly string[]).includes(key),
    ),
  ) as WorkerOptions;
  return {
    name,
    connection: connectionName,
    balance,
    strategy,
    pools,
    minProcesses,
    maxProcesses,
    maxShift: balanceMaxShift,
    cooldownMs: durationMs(balanceCooldown, `${at}.balanceCooldown`),
    worker: resolveWorkerOptions(
      { name, ...ofWorkers, connection: connectionName },
      { defaultQueue: connection.queue, prefetch: connection.prefetch },
    ),
  };
}

function oneOf(...values: readonly (string | false)[]): OptionRule {
  const listed = values.map((one) => (typeof one === 'string' ? `'${one}'` : String(one)));
  return (value, field) => {
    if (values.includes(value as string | false)) return;
    throw wrong(field, value, `Give ${listed.slice(0, -1).join(', ')} or ${listed.at(-1)}.`);
  };
}
