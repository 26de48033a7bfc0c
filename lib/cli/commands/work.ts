import { WorkerStarting, WorkerStopping } from '../../contracts/queue-events.js';
import { Command, Option } from 'commander';
import { queueNames } from '../../connections/queue-name.js';
import { durationMs } from '../../support/duration.js';
import type { Invocation, QueueCommand } from '../command.js';
import { flagArguments, globalArguments } from '../flag-arguments.js';
import { addHealthFlags, startHealth, type HealthFlags } from '../health-flags.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { tellParent } from '../self-process.js';
import { WorkerSignals } from '../signals.js';
import { clean } from '../style.js';
import { supervisedBy, SupervisedWorker } from '../supervised-worker.js';
import { watchWork } from '../watch-work.js';
import { jsonLine, textLine } from '../work-line-format.js';
import { workLines, type WorkLine } from '../work-lines.js';
import { reportToParent, type WorkReport } from '../work-reports.js';
import { addWorkerFlags, workerOptions, type WorkerFlags } from '../worker-flags.js';

const DEFAULT_GRACE_S = 25;
/** What a worker may take beyond its grace before it is taken to hang: settling, and a store that does not answer. */
const BEYOND_GRACE_MS = 10_000;

interface WorkFlags extends WorkerFlags, HealthFlags {
  readonly watch?: readonly string[];
  readonly banner?: boolean;
}

export const work: QueueCommand<WorkFlags> = {
  name: 'queue:work',
  summary: 'work the jobs of one or more queues',
  examples: [
    '',
    'database --queue=high,default --tries=3 --concurrency=20',
    '--stop-when-empty --json',
    '--max-time=1h -v',
    'database --watch',
  ],
  configure: addFlags,
  runsJobs: true,
  async run(invocation) {
    const { args, options, output, open } = invocation;
    if (options.watch) return watched(invocation, options.watch);
    const given = workerOptions(args[0] as string | undefined, options);
    // From here on SIGTERM is ours, also while the application boots. The process ends with these listeners in place, so that a
    // signal during the application's own shutdown does not cut it short.
    const signals = new WorkerSignals();
    const supervised = supervisedBy() === undefined ? undefined : SupervisedWorker.start();
    const health = await startHealth(options, output);
    void signals.stopped.then(() => health?.drain());
    const app = await Promise.race([open(), signals.stopped]);
    if (typeof app === 'string') return 0;

    supervised?.watch(app);
    checkNames(app, given);
    pointOutLonely(app, given.connection, output);
    report(app, output, options.banner !== false);
    app.worker.ownProcess();
    await health?.attach(app.health);
    const running = options.once ? once(app, given) : stay(app, given);
    signals.direct(app.worker);
    try {
      const code = await Promise.race([
        running,
        forced(signals),
        overdue(signals, durationMs(given.grace ?? DEFAULT_GRACE_S, '--grace')),
      ]);
      return app.worker.fatal ? 1 : code;
    } finally {
      await health?.close();
    }
  },
};

function addFlags(command: Command): void {
  addWorkerFlags(command);
  addHealthFlags(command);
  command
    .addOption(
      new Option(
        '--watch [path]',
        'start the worker anew when files change there, after its jobs; may be given several times (default: the folder of the built application)',
      )
        .preset('')
        .argParser((path: string, paths: readonly string[] | undefined) => [...(paths ?? []), path]),
    )
    // For a process that starts others, and greets for all of them.
    .addOption(new Option('--no-banner').hideHelp());
}

/** The same command in a process of its own, as often as it takes. */
function watched({ args, options, output, appFile }: Invocation<WorkFlags>, paths: readonly string[]): Promise<number> {
  const own = new Command();
  addFlags(own);
  const handedOn = own.options.filter((option) => option.attributeName() !== 'watch');
  const [connection] = args as [string | undefined];
  const { once, stopWhenEmpty, stopWhenEmptyFor, maxJobs, maxTime, grace } = options;
  return watchWork({
    paths,
    appFile: appFile(),
    args: [
      'queue:work',
      ...(connection === undefined ? [] : [connection]),
      ...flagArguments(handedOn, options),
      ...globalArguments(options),
    ],
    graceMs: durationMs(grace ?? DEFAULT_GRACE_S, '--grace'),
    ends: [once, stopWhenEmpty, stopWhenEmptyFor, maxJobs, maxTime].some(Boolean),
    output,
  });
}

async function stay(app: OpenApp, options: ReturnType<typeof workerOptions>): Promise<number> {
  const reason = await app.worker.work(options);
  const { exitCodeOf } = await import('../../worker/stop-conditions.js');
  return exitCodeOf(reason);
}

async function once(app: OpenApp, options: ReturnType<typeof workerOptions>): Promise<number> {
  let code = 0;
  app.manager.on(WorkerStopping, (event) => (code = event.status));
  await app.worker.runNextJob(options);
  return code;
}

async function forced(signals: WorkerSignals): Promise<number> {
  await signals.forced;
  return 1;
}

async function overdue(signals: WorkerSignals, graceMs: number): Promise<number> {
  await signals.stopped;
  await new Promise<void>((resolve) => setTimeout(resolve, graceMs + BEYOND_GRACE_MS).unref());
  return 1;
}

/** @throws UnknownConnectionError, InvalidQueueNameError; a parent that would start another worker is told that it is in vain */
function checkNames({ manager }: OpenApp, { connection, queues }: ReturnType<typeof workerOptions>): void {
  try {
    manager.connection(connection);
    queueNames(queues ?? []);
  } catch (error) {
    tellParent({ worker: 'misnamed' } satisfies WorkReport);
    throw error;
  }
}

/** A connection that this process would wait at in vain. */
function pointOutLonely({ manager }: OpenApp, name: string | undefined, output: Output): void {
  const connection = manager.connection(name);
  const at = `The [${clean(connection.name)}] connection`;
  if (['sync', 'deferred', 'null'].includes(connection.driver)) {
    output.remark(
      `${at} (driver ${connection.driver}) keeps no jobs: nothing is ever queued there, and this worker has nothing to do. Name another one, for example: database`,
    );
  } else if (connection.driver === 'memory') {
    output.remark(
      `${at} keeps its jobs in this process: no other process can send it any. For a worker beside the code that dispatches use QueueModule.forRoot({ worker: {} }), for a process of its own the database connection.`,
    );
  }
}

function report({ manager }: OpenApp, output: Output, banner: boolean): void {
  const supervised = supervisedBy() !== undefined;
  if (!supervised) reportToParent((type, listener) => manager.on(type, listener));
  const { json, quiet, verbose } = output.options;
  if (quiet || (supervised && !verbose)) return;
  if (output.isTerminal && !json && banner) {
    if (process.getuid?.() === 0) output.remark('This worker runs as root, and so does every job that it works.');
    manager.on(WorkerStarting, (event) => output.line(`Processing jobs from the [${clean(event.queue)}] queue(s).\n`));
  }
  const print = json
    ? (line: WorkLine): void => output.line(jsonLine(line))
    : (line: WorkLine): void => {
        const memory = verbose ? process.memoryUsage.rss() / 1_048_576 : undefined;
        output.line(textLine(line, { columns: output.columns, paint: output.paint, verbose, memory }));
      };
  workLines((type, listener) => manager.on(type, listener), print);
}
