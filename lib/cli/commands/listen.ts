import { dirname } from 'node:path';
import { Command, Option } from 'commander';
import { durationMs } from '../../support/duration.js';
import { residentMb } from '../../worker/stop-conditions.js';
import type { QueueCommand } from '../command.js';
import { flagArguments, globalArguments } from '../flag-arguments.js';
import { duration, wholeNumber } from '../flags.js';
import { listenFor } from '../listen-loop.js';
import { addWorkerFlags, type WorkerFlags } from '../worker-flags.js';

/** A process that works one job has no use for those that say when a worker ends, or how many jobs it holds. */
const TAKEN: ReadonlySet<string> = new Set([
  'queue',
  'name',
  'tries',
  'backoff',
  'delay',
  'timeoutGrace',
  'sleep',
  'grace',
  'maxStalls',
  'unknownJobTries',
  'force',
  'watchdog',
]);
const DEFAULT_TIMEOUT_S = 60;
const DEFAULT_GRACE_S = 25;

type ListenFlags = Pick<WorkerFlags, 'queue' | 'timeout' | 'rest' | 'memory' | 'grace'>;

/** Those of `queue:work` that go on to the process of each job as they are. */
function handedOn(): readonly Option[] {
  const work = new Command();
  addWorkerFlags(work);
  return work.options.filter((option) => TAKEN.has(option.attributeName()));
}

export const listen: QueueCommand<ListenFlags> = {
  name: 'queue:listen',
  summary: 'work the jobs of one or more queues, each in a new process that has loaded the code as it is then',
  examples: ['', 'database --queue=high,default --tries=3', '--timeout=5m --json'],
  runsJobs: true,
  configure(command) {
    command.argument('[connection]', "the connection to work; default: the application's default connection");
    for (const option of handedOn()) command.addOption(option);
    command
      .option(
        '--timeout <time>',
        'for jobs that do not say: how long one may run before its process is killed and the listener ends; 0 is no limit (default: 60)',
        duration,
      )
      .option('--rest <time>', 'pause after each job (default: 0)', duration)
      .option(
        '--memory <mb>',
        'end, between jobs, when the listener itself is larger; 0 is off (default: 0)',
        wholeNumber(),
      );
  },
  run({ args: [connection], options, output, appFile }) {
    const ms = (value: WorkerFlags['timeout'], other: number, flag: string): number => durationMs(value ?? other, flag);
    const app = appFile();
    return listenFor({
      args: [
        'queue:work',
        ...(connection === undefined ? [] : [connection as string]),
        ...flagArguments(handedOn(), options),
        // The limit is this process's to keep. A timeout that a job has of its own holds as it does in any worker.
        '--timeout=0',
        '--concurrency=1',
        '--prefetch=0',
        '--max-jobs=1',
        '--no-banner',
        ...globalArguments(options),
      ],
      folder: dirname(app),
      appFile: app,
      timeoutMs: ms(options.timeout, DEFAULT_TIMEOUT_S, '--timeout'),
      restMs: ms(options.rest, 0, '--rest'),
      graceMs: ms(options.grace, DEFAULT_GRACE_S, '--grace'),
      tooLarge: () => !!options.memory && residentMb() >= options.memory,
      output,
    });
  },
};
