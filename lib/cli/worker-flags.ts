import { Option, type Command } from 'commander';
import type { WorkerOptions } from '../contracts/worker-options.js';
import { durationMs, type Duration } from '../support/duration.js';
import { duration, durations, namesOrNone, wholeNumber } from './flags.js';

/** The flags of a worker as they were given; absent ones are left to the worker's defaults. */
export interface WorkerFlags {
  readonly name?: string;
  readonly queue?: readonly string[];
  readonly concurrency?: number;
  readonly tries?: number;
  readonly backoff?: readonly Duration[];
  readonly delay?: readonly Duration[];
  readonly timeout?: Duration;
  readonly sleep?: Duration;
  readonly rest?: Duration;
  readonly maxJobs?: number;
  readonly maxTime?: Duration;
  readonly memory?: number;
  readonly stopWhenEmpty?: boolean;
  readonly stopWhenEmptyFor?: Duration;
  readonly force?: boolean;
  readonly grace?: Duration;
  readonly timeoutGrace?: Duration;
  readonly maxStalls?: number;
  readonly prefetch?: number;
  readonly unknownJobTries?: number;
  readonly watchdog?: boolean;
  readonly stopOnLostConnection?: boolean;
  readonly once?: boolean;
  readonly daemon?: boolean;
}

export function addWorkerFlags(command: Command): void {
  const whole = wholeNumber();
  command
    .argument('[connection]', "the connection to work; default: the application's default connection")
    .option('--queue <names>', "queues by commas, earlier ones first; default: the connection's own", namesOrNone)
    .option('--name <name>', "the worker's name (default: default)")
    .option('--concurrency <n>', 'jobs at a time (default: 1)', wholeNumber(1))
    .option('--tries <n>', 'for jobs that do not say: tries before a job fails; 0 is unlimited (default: 1)', whole)
    .option(
      '--backoff <times>',
      'for jobs that do not say: delays before the next tries, by commas (default: 0)',
      durations,
    )
    .option(
      '--timeout <time>',
      'for jobs that do not say: how long a job may run; 0 is no limit (default: 60)',
      duration,
    )
    .option('--timeout-grace <time>', 'how long a timed-out job may take to end (default: 5)', duration)
    .option('--sleep <time>', 'how long to wait for a job before looking up (default: 3)', duration)
    .option('--rest <time>', 'pause after each job (default: 0)', duration)
    .option('--once', 'work one job and end')
    .option('--stop-when-empty', 'end when there is no job left')
    .option(
      '--stop-when-empty-for <time>',
      'end when there has been no job for so long; 0 is off (default: 0)',
      duration,
    )
    .option('--max-jobs <n>', 'end after so many jobs; 0 is off (default: 0)', whole)
    .option('--max-time <time>', 'end after so long; 0 is off (default: 0)', duration)
    .option('--memory <mb>', 'end, between jobs, when the process is larger; 0 is off (default: 0)', whole)
    .option(
      '--grace <time>',
      'how long running jobs may take to end when the worker is stopped (default: 25)',
      duration,
    )
    .option('--max-stalls <n>', 'how many workers may die with a job before it fails (default: 3)', whole)
    .option('--prefetch <n>', "jobs to hold beyond the free places (default: the connection's, else 0)", whole)
    .option('--unknown-job-tries <n>', 'tries of a job that no class is known for (default: 3)', wholeNumber(1))
    .option('--stop-on-lost-connection', 'end when the store goes away, instead of reconnecting')
    .option('--force', 'work through every pause')
    .option(
      '--no-watchdog',
      'do not end the process when a job blocks it past its timeout, nor keep its lease meanwhile',
    )
    .addOption(new Option('--daemon', 'deprecated: a worker always stays').hideHelp())
    .addOption(new Option('--delay <times>', 'deprecated: use --backoff').argParser(durations).hideHelp());
}

export function workerOptions(connection: string | undefined, flags: WorkerFlags): WorkerOptions {
  const backoff = longer(flags.backoff, flags.delay);
  const options: WorkerOptions = {
    connection,
    queues: flags.queue,
    name: flags.name,
    concurrency: flags.concurrency,
    tries: flags.tries,
    backoff,
    timeout: flags.timeout,
    sleep: flags.sleep,
    rest: flags.rest,
    maxJobs: flags.maxJobs,
    maxTime: flags.maxTime,
    memory: flags.memory,
    stopWhenEmpty: flags.stopWhenEmpty,
    stopWhenEmptyFor: flags.stopWhenEmptyFor,
    force: flags.force,
    grace: flags.grace,
    timeoutGrace: flags.timeoutGrace,
    maxStalls: flags.maxStalls,
    prefetch: flags.prefetch,
    unknownJobTries: flags.unknownJobTries,
    // Commander fills in `true` for a `--no-` flag that was not given.
    watchdog: flags.watchdog === false ? false : undefined,
    stopOnLostConnection: flags.stopOnLostConnection,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The longer of `--backoff` and its old name `--delay`, try by try; the last delay of a list holds on. */
function longer(
  backoff: readonly Duration[] | undefined,
  delay: readonly Duration[] | undefined,
): readonly Duration[] | undefined {
  if (!backoff || !delay) return backoff ?? delay;
  return Array.from({ length: Math.max(backoff.length, delay.length) }, (_, at) => {
    const [one, other] = [backoff[at] ?? backoff.at(-1)!, delay[at] ?? delay.at(-1)!];
    return durationMs(one, '--backoff') >= durationMs(other, '--delay') ? one : other;
  });
}
