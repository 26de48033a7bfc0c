import { WorkerStarting, WorkerStopping } from '../../contracts/queue-events.js';
import { durationMs } from '../../support/duration.js';
import type { QueueCommand } from '../command.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { WorkerSignals } from '../signals.js';
import { clean } from '../style.js';
import { jsonLine, textLine } from '../work-line-format.js';
import { workLines, type WorkLine } from '../work-lines.js';
import { addWorkerFlags, workerOptions, type WorkerFlags } from '../worker-flags.js';

const DEFAULT_GRACE_S = 25;
/** What a worker may take beyond its grace before it is taken to hang: settling, and a store that does not answer. */
const BEYOND_GRACE_MS = 10_000;

export const work: QueueCommand<WorkerFlags> = {
  name: 'queue:work',
  summary: 'work the jobs of one or more queues',
  examples: [
    '',
    'database --queue=high,default --tries=3 --concurrency=20',
    '--stop-when-empty --json',
    '--max-time=1h -v',
  ],
  configure: addWorkerFlags,
  runsJobs: true,
  async run({ args, options, output, open }) {
    const given = workerOptions(args[0] as string | undefined, options);
    // From here on SIGTERM is ours, also while the application boots. The process ends with these listeners in place, so that a
    // signal during the application's own shutdown does not cut it short.
    const signals = new WorkerSignals();
    const app = await Promise.race([open(), signals.stopped]);
    if (typeof app === 'string') return 0;

    pointOutLonely(app, given.connection, output);
    report(app, output);
    app.worker.ownProcess();
    const running = options.once ? once(app, given) : stay(app, given);
    signals.direct(app.worker);
    const code = await Promise.race([
      running,
      forced(signals),
      overdue(signals, durationMs(given.grace ?? DEFAULT_GRACE_S, '--grace')),
    ]);
    return app.worker.fatal ? 1 : code;
  },
};

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

function report({ manager }: OpenApp, output: Output): void {
  const { json, quiet, verbose } = output.options;
  if (quiet) return;
  if (output.isTerminal && !json) {
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
