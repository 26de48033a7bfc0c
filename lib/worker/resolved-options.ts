import type { WorkerOptions } from '../contracts/worker-options.js';
import { queueNames } from '../connections/queue-name.js';
import { durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** WorkerOptions with every default in place; durations in ms. */
export interface ResolvedWorkerOptions {
  /** As given, for events. */
  readonly given: WorkerOptions;
  readonly queues: readonly string[];
  readonly name: string;
  readonly concurrency: number;
  readonly prefetch: number;
  readonly tries: number;
  readonly backoff: readonly number[];
  readonly timeoutMs: number;
  readonly sleepMs: number;
  readonly restMs: number;
  readonly maxJobs: number;
  readonly maxTimeMs: number;
  readonly memoryMb: number;
  readonly stopWhenEmpty: boolean;
  readonly stopWhenEmptyForMs: number;
  readonly force: boolean;
  readonly graceMs: number;
  readonly timeoutGraceMs: number;
  readonly maxStalls: number;
  readonly unknownJobTries: number;
  readonly stopOnLostConnection: boolean;
  readonly exitWhenStuck: boolean;
  readonly watchdog: boolean;
}

const KNOWN: ReadonlySet<string> = new Set<keyof WorkerOptions>([
  'connection',
  'queues',
  'name',
  'concurrency',
  'tries',
  'backoff',
  'timeout',
  'sleep',
  'rest',
  'maxJobs',
  'maxTime',
  'memory',
  'stopWhenEmpty',
  'stopWhenEmptyFor',
  'force',
  'grace',
  'timeoutGrace',
  'maxStalls',
  'prefetch',
  'unknownJobTries',
  'watchdog',
  'stopOnLostConnection',
  'exitWhenStuck',
]);

/**
 * Laravel's defaults, but that memory is off (a Node process is larger than PHP's) and that there is concurrency.
 *
 * @throws InvalidOptionError naming the option that cannot be
 */
export function resolveWorkerOptions(
  given: WorkerOptions,
  connection: { readonly defaultQueue: string; readonly prefetch: number },
): ResolvedWorkerOptions {
  for (const key of Object.keys(given)) {
    if (!KNOWN.has(key))
      throw new InvalidOptionError(`Worker option "${key}" is not known. Known are: ${[...KNOWN].join(', ')}.`);
  }
  const ms = (
    key: 'timeout' | 'sleep' | 'rest' | 'maxTime' | 'stopWhenEmptyFor' | 'grace' | 'timeoutGrace',
    byDefault: number,
  ): number => durationMs(given[key] ?? byDefault, `Worker option ${key}`);
  const whole = (
    key: 'concurrency' | 'tries' | 'maxJobs' | 'maxStalls' | 'prefetch' | 'unknownJobTries',
    byDefault: number,
    least = 0,
  ): number => {
    const value = given[key] ?? byDefault;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidOptionError(`Worker option ${key} is ${describe(value)}. Give a whole number from ${least} up.`);
    }
    return value;
  };
  const memory = given.memory ?? 0;
  if (!Number.isFinite(memory) || memory < 0) {
    throw new InvalidOptionError(`Worker option memory is ${describe(memory)}. Give megabytes from 0 up; 0 is off.`);
  }
  const delays = given.backoff ?? [];
  return {
    given,
    queues: queuesOf(given.queues, connection.defaultQueue),
    name: given.name ?? 'default',
    concurrency: whole('concurrency', 1, 1),
    prefetch: whole('prefetch', connection.prefetch),
    tries: whole('tries', 1),
    backoff: (Array.isArray(delays) ? (delays as readonly Duration[]) : [delays as Duration]).map((one) =>
      durationMs(one, 'Worker option backoff'),
    ),
    timeoutMs: ms('timeout', 60),
    sleepMs: ms('sleep', 3),
    restMs: ms('rest', 0),
    maxJobs: whole('maxJobs', 0),
    maxTimeMs: ms('maxTime', 0),
    memoryMb: memory,
    stopWhenEmpty: given.stopWhenEmpty ?? false,
    stopWhenEmptyForMs: ms('stopWhenEmptyFor', 0),
    force: given.force ?? false,
    graceMs: ms('grace', 25),
    timeoutGraceMs: ms('timeoutGrace', 5),
    maxStalls: whole('maxStalls', 3),
    unknownJobTries: whole('unknownJobTries', 3, 1),
    stopOnLostConnection: given.stopOnLostConnection ?? false,
    exitWhenStuck: given.exitWhenStuck ?? false,
    watchdog: given.watchdog ?? true,
  };
}

/** In the order of their priority. */
function queuesOf(given: readonly string[] | undefined, byDefault: string): readonly string[] {
  if (given !== undefined && !(Array.isArray(given) && given.every((one) => typeof one === 'string'))) {
    throw new InvalidOptionError(`Worker option queues is ${describe(given)}. Give a list of names.`);
  }
  const names = queueNames(given ?? []);
  return names.length > 0 ? names : [byDefault];
}
