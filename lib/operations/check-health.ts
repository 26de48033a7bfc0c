import { ALWAYS_THERE } from '../connections/connection-config.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import { atLeastMs, checkOptions, duration, flag, texts, whole } from '../connections/option-check.js';
import { parseQueueTarget, type QueueTarget } from '../connections/queue-name.js';
import { durationMs, type Duration } from '../support/duration.js';
import type { WorkerVitals } from '../worker/tally.js';
import { queueProblem, queueState, type QueueHealthState } from './queue-state.js';
import type { StoreFault, StoreProbe, StoreReading } from './store-probe.js';
import { workerHealth, type WorkerHealth } from './worker-health.js';

/** What a look at the health of the queues is to look at. Durations are seconds as a number, or `'90s' '5m'`. */
export interface HealthCheckOptions {
  /** `'queue'` of the default connection, or `'connection:queue'`. Default: those worked in this process, and the own queue of each connection in use. */
  readonly queues?: readonly string[];
  /** How long a job may wait in a queue that nobody consumes; `false` is for ever. Default 5 minutes. */
  readonly maxWait?: Duration | false;
  /** How many jobs may be due and free in a queue. Default: any number. */
  readonly maxPending?: number;
  /** Whether a worker must run in this process; `false` looks at none. Default: where the module, or the process, is to run one. */
  readonly worker?: boolean;
  /** How long the stores may take to answer, all together. Default 3. */
  readonly timeout?: Duration;
}

export interface ConnectionHealth {
  readonly status: 'up' | 'down';
  readonly driver: string;
  readonly tookMs: number;
  readonly fault?: StoreFault;
  readonly message?: string;
}

export interface QueueHealthEntry extends QueueTarget {
  readonly state: QueueHealthState;
  /** Due and free. The figures are `null` where they are not known. */
  readonly pending: number | null;
  readonly delayed: number | null;
  readonly reserved: number | null;
  /** Seconds since when the oldest pending job could have been taken; 0 where none waits. */
  readonly oldestWait: number | null;
  readonly paused: boolean | null;
}

export interface HealthReport {
  readonly status: 'up' | 'down';
  readonly connections: Readonly<Record<string, ConnectionHealth>>;
  readonly queues: readonly QueueHealthEntry[];
  readonly workers: readonly WorkerHealth[];
  /** One line for each thing that is wrong; none where all is well. */
  readonly problems: readonly string[];
}

export interface HealthServices {
  readonly connections: ConnectionManager;
  readonly probe: StoreProbe;
  readonly vitals: () => readonly WorkerVitals[];
  /** Whether a worker is to run in this process. */
  readonly expectsWorker: () => boolean;
}

const RULES = {
  queues: texts,
  maxWait: (value: unknown, field: string): void => {
    if (value !== false) duration(value, field);
  },
  maxPending: whole(1),
  worker: flag,
  timeout: atLeastMs(1),
};
const DEFAULT_WAIT = '5m';
const DEFAULT_TIMEOUT = 3;

/**
 * How the queues, their stores and the workers of this process are. Never rejects for what it finds, and always answers within `timeout`.
 *
 * @throws InvalidOptionError, UnknownConnectionError, InvalidQueueNameError for what it was asked
 */
export async function checkHealth(services: HealthServices, options: HealthCheckOptions = {}): Promise<HealthReport> {
  checkOptions({ ...options }, RULES, 'health');
  const { maxWait = DEFAULT_WAIT, timeout = DEFAULT_TIMEOUT, maxPending = Infinity } = options;
  const maxWaitMs = maxWait === false ? Infinity : durationMs(maxWait, 'health.maxWait');
  const { connections, probe } = services;
  const targets = options.queues
    ? options.queues.map((one) => parseQueueTarget(one, connections.defaultName))
    : queuesInUse(connections, services.vitals());
  const readings = await readStores(connections, probe, targets, durationMs(timeout, 'health.timeout'));

  const problems: string[] = [];
  const stores: Record<string, ConnectionHealth> = {};
  for (const [name, { reading }] of readings) {
    const { tookMs, ...fault } = 'fault' in reading ? reading : { tookMs: reading.tookMs };
    const { driver } = connections.get(name);
    stores[name] = { status: 'fault' in reading ? 'down' : 'up', driver, tookMs: Math.round(tookMs), ...fault };
    if ('fault' in reading) problems.push(reading.message);
  }
  const workers = workerHealth(services.vitals(), options.worker ?? services.expectsWorker());
  const live = services.vitals().filter((one) => one.end === undefined);
  const queues = targets.map((target): QueueHealthEntry => {
    const { queues: asked, reading } = readings.get(target.connection)!;
    if ('fault' in reading) return { ...target, state: 'unknown', ...UNKNOWN };
    const { sizes, paused } = reading.queues[asked.indexOf(target.queue)]!;
    const { oldestPendingAt: oldest, pending, delayed = null, reserved = null } = sizes;
    const waitedMs = oldest && Math.max(0, connections.clock.now() - oldest.getTime());
    const oldestWait = waitedMs === undefined ? (pending === 0 ? 0 : null) : waitedMs / 1_000;
    const entry = { ...target, pending, delayed, reserved, oldestWait, paused: paused ?? null };
    const serving = live.filter(
      ({ connection, queues: its }) => connection === target.connection && its.includes(target.queue),
    );
    const state = queueState(entry, { maxWaitMs, maxPending }, serving);
    const problem = queueProblem({ ...entry, state }, { maxWaitMs, maxPending }, serving);
    if (problem) problems.push(problem);
    return { ...entry, state };
  });
  if (options.worker !== false) problems.push(...workers.problems);
  return {
    status: problems.length === 0 ? 'up' : 'down',
    connections: stores,
    queues,
    workers: workers.workers,
    problems,
  };
}

const UNKNOWN = { pending: null, delayed: null, reserved: null, oldestWait: null, paused: null };

const BUILT_IN: ReadonlySet<string> = new Set(ALWAYS_THERE);

/** The queues that are worked in this process, and the own queue of each connection that the module lives on. */
export function queuesInUse(connections: ConnectionManager, vitals: readonly WorkerVitals[]): readonly QueueTarget[] {
  const found = new Map<string, QueueTarget>();
  const add = (connection: string, queue: string): void => {
    found.set(JSON.stringify([connection, queue]), { connection, queue });
  };
  for (const { connection, queues } of vitals) for (const queue of queues) add(connection, queue);
  for (const name of connections.inUse()) {
    const connection = connections.get(name);
    // What always exists and nobody has touched is not opened for the sake of a look.
    const touched = name === connections.defaultName || !BUILT_IN.has(name) || connection.used;
    if (touched && !connection.inProcess && connection.driver !== 'null') add(name, connection.defaultQueue);
  }
  return [...found.values()];
}

/** One question to each store, for all its queues. */
export async function readStores(
  connections: ConnectionManager,
  probe: StoreProbe,
  targets: readonly QueueTarget[],
  limitMs: number,
): Promise<ReadonlyMap<string, { readonly queues: readonly string[]; readonly reading: StoreReading }>> {
  const byConnection = new Map<string, Set<string>>();
  for (const { connection, queue } of targets) {
    const { name } = connections.get(connection);
    byConnection.set(name, (byConnection.get(name) ?? new Set<string>()).add(queue));
  }
  return new Map(
    await Promise.all(
      [...byConnection].map(async ([name, asked]) => {
        const queues = [...asked];
        return [name, { queues, reading: await probe.read(name, queues, limitMs) }] as const;
      }),
    ),
  );
}
