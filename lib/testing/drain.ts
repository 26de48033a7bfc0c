import type { QueueConnection } from '../connections/queue-connection.js';
import type { InspectAbility } from '../contracts/queue-driver.js';
import type { QueueRuntime } from '../nest/wiring.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';
import { DrainAttempts, type DrainedAttempt } from './drain-attempts.js';
import { FakeClock } from './fake-clock.js';
import { bootedRuntime, type ModuleUnderTest } from './module-runtime.js';
import { clockInUse, mustBeDriven, standingStill, useClock } from './use-clock.js';

export type { DrainedAttempt } from './drain-attempts.js';

export interface DrainOptions {
  /** Default: the module's default connection. */
  readonly connection?: string;
  /** Earlier ones first. Default: all that have jobs, also those that get some meanwhile; the connection's own first, then by name. */
  readonly queues?: readonly string[];
  /** The module goes by it from now on. It is moved to each next moment when a job is due, until nothing is left. */
  readonly clock?: FakeClock;
  /** More attempts than this are taken for a loop without an end. Default 10,000. */
  readonly maxAttempts?: number;
}

const MAX_ATTEMPTS = 10_000;
/** So often the clock may move on to a due moment without a job that is taken then. */
const MOVES_FOR_NOTHING = 100;
/** Between looks whether the jobs of another worker have ended; ms of real time. */
const LOOK_MS = 5;
/** Kept from the start: a test may replace the global one. */
const { setTimeout: later } = globalThis;

/** `drain()` has made more attempts than it may, and there is still work. */
export class EndlessDrainError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_DRAIN_ENDLESS', message);
  }
}

/**
 * Works what is due on a connection until nothing is, one job after the other, with jobs that are dispatched meanwhile, chains, batches and
 * retries: what a worker does, in order. With a clock also what becomes due later. Queues that are paused are left alone.
 *
 * Calls `init()` on the module where nobody has; the module's own worker and its schedules are not started then.
 *
 * @returns every attempt on the connection, in the order in which they began
 * @throws EndlessDrainError naming the job; ClockNotDrivenError where the store goes by a server's time; what is wrong with the store
 */
export async function drain(moduleRef: ModuleUnderTest, options: DrainOptions = {}): Promise<DrainedAttempt[]> {
  const { connection: named, queues, clock, maxAttempts = MAX_ATTEMPTS } = checked(options);
  const runtime = await bootedRuntime(moduleRef, 'drain()');
  const connection = runtime.connections.get(named);
  if (clock) {
    await mustBeDriven(connection);
    useClock(moduleRef, clock);
  }
  await runtime.bus.flush();
  if ((await connection.queue()).storeless) return [];
  const attempts = new DrainAttempts(runtime.hub, connection.name);
  const work = await runtime.byHand.workOff(connection);
  try {
    const moved = clockInUse(runtime.connections.clock);
    for (let idle = 0, seen = 0; idle <= MOVES_FOR_NOTHING;) {
      await runtime.bus.flush();
      if (attempts.size > maxAttempts) throw endless(connection.name, attempts.list(), maxAttempts);
      if (attempts.size > seen) idle = 0;
      seen = attempts.size;
      await work.relayed();
      const open = await work.open(await queuesOf(connection, queues));
      if (await standingStill(moved, work.next(open))) continue;
      if (await othersAtWork(runtime, connection, open, attempts)) {
        await standingStill(moved, new Promise((resolve) => later(resolve, LOOK_MS)));
        continue;
      }
      const next = clock && (await nextMoment(connection, open));
      if (next === undefined) break;
      idle += 1;
      await clock!.advanceTo(Math.max(next, clock!.now() + 1));
    }
    return attempts.list();
  } finally {
    await work.end();
    attempts.close();
  }
}

async function queuesOf(connection: QueueConnection, given: readonly string[] | undefined): Promise<readonly string[]> {
  if (given) return [...new Set(given.map((queue) => connection.queueName(queue)))];
  const own = connection.queueName();
  const { inspection } = await connection.queue();
  if (!inspection) return [own];
  const names = await inspection.queues();
  return names.includes(own) ? [own, ...names.filter((name) => name !== own).toSorted()] : names.toSorted();
}

/** A worker of the application's own has some of these jobs. */
async function othersAtWork(
  { workers }: QueueRuntime,
  connection: QueueConnection,
  queues: readonly string[],
  attempts: DrainAttempts,
): Promise<boolean> {
  if (workers.status().length === 0) return false;
  if (attempts.open > 0) return true;
  return queues.length > 0 && (await connection.sizes(queues)).some(({ reserved = 0 }) => reserved > 0);
}

/** When the next job of these queues is due: one that waits, or one whose worker has gone. Epoch ms. */
async function nextMoment(connection: QueueConnection, queues: readonly string[]): Promise<number | undefined> {
  const inspection = await connection.inspection();
  const moments = await Promise.all(
    queues.flatMap((queue) => [first(inspection, queue, 'delayed'), first(inspection, queue, 'reserved')]),
  );
  const known = moments.filter((moment) => moment !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

async function first(
  inspection: InspectAbility,
  queue: string,
  state: 'delayed' | 'reserved',
): Promise<number | undefined> {
  const [job] = (await inspection.page(queue, state, { limit: 1 })).jobs;
  return state === 'delayed' ? job?.availableAt : job?.leasedUntil;
}

function endless(connection: string, attempts: readonly DrainedAttempt[], most: number): EndlessDrainError {
  const counts = new Map<string, number>();
  for (const { name } of attempts) counts.set(name, (counts.get(name) ?? 0) + 1);
  const [[name, times]] = [...counts].toSorted(([, a], [, b]) => b - a) as [[string, number]];
  return new EndlessDrainError(
    `drain() has made more than ${most} attempts on the [${connection}] connection and there is still work; ${times} of them were of ${name}, which seems to release or dispatch itself for ever. Let it end in the test, or raise maxAttempts.`,
  );
}

const KNOWN: ReadonlySet<string> = new Set<keyof DrainOptions>(['connection', 'queues', 'clock', 'maxAttempts']);

function checked(options: DrainOptions): DrainOptions {
  const wrong = (key: string, value: unknown, hint: string): InvalidOptionError =>
    new InvalidOptionError(`drain: ${key} is ${describe(value)}. ${hint}`);
  for (const key of Object.keys(options))
    if (!KNOWN.has(key))
      throw new InvalidOptionError(`drain has no option "${key}". There are: ${[...KNOWN].join(', ')}.`);
  const { queues, clock, maxAttempts } = options;
  if (queues !== undefined && !(Array.isArray(queues) && queues.every((one) => typeof one === 'string')))
    throw wrong('queues', queues, 'Give a list of names.');
  if (clock !== undefined && !(clock instanceof FakeClock)) throw wrong('clock', clock, 'Give it a FakeClock.');
  if (maxAttempts !== undefined && !(Number.isSafeInteger(maxAttempts) && maxAttempts > 0))
    throw wrong('maxAttempts', maxAttempts, 'Give a whole number from 1 up.');
  return options;
}
