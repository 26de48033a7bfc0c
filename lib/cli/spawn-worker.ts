import { Command } from 'commander';
import { readBeat } from '../worker/supervisor/beat.js';
import type { ResolvedSupervisor } from '../worker/supervisor/supervisor-options.js';
import type { WorkerEars, WorkerProcess } from '../worker/supervisor/supervised-process.js';
import type { GlobalOptions } from './command.js';
import { flagArguments, globalArguments } from './flag-arguments.js';
import { onTold, Orders, spawnSelf } from './self-process.js';
import { SUPERVISED } from './supervised-worker.js';
import { addWorkerFlags } from './worker-flags.js';

/** How long after the end of a process what it has told may take to arrive. */
const LAST_WORDS_MS = 300;

/** The arguments of the worker processes of a supervisor. */
export function workerArguments(
  { connection, worker }: Pick<ResolvedSupervisor, 'connection' | 'worker'>,
  queues: readonly string[],
  options: GlobalOptions,
): string[] {
  const command = new Command();
  addWorkerFlags(command);
  const flags = flagArguments(command.options, { ...worker.given, queue: queues });
  return ['queue:work', connection, ...flags, ...globalArguments(options)];
}

/**
 * Starts a worker process of a supervisor.
 *
 * @param print takes what the process writes, line by line. Absent: it writes to this process's own outputs
 */
export function spawnWorker(
  supervisor: ResolvedSupervisor,
  queues: readonly string[],
  options: GlobalOptions,
  ears: WorkerEars,
  print?: { readonly line: (text: string) => void; readonly colours: boolean },
): WorkerProcess {
  const child = spawnSelf(workerArguments(supervisor, queues, options), {
    env: { [SUPERVISED]: supervisor.name, ...(print?.colours && { FORCE_COLOR: '1' }) },
    ...(print && { stdio: ['ignore', 'pipe', 'pipe'] as const }),
    ipc: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (!print || !stream) continue;
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      lines.forEach(print.line);
    });
    stream.on('close', () => rest !== '' && print.line(rest));
  }
  const orders = new Orders(child);
  onTold(child, (what) => {
    if ((readBeat(what)?.state ?? 'starting') !== 'starting') orders.heard();
    ears.told(what);
  });
  child.on('error', (error) => {
    // Other faults of a process that runs, such as a signal that cannot be sent, show in what becomes of it.
    if (child.pid === undefined) ears.ended(null, null, error);
  });
  child.once('exit', (code, signal) => {
    // Its last words may still be on the way; what a job has started may hold its outputs open for as long as it likes.
    const ended = (): void => {
      clearTimeout(timer);
      ears.ended(code, signal);
    };
    const timer = setTimeout(ended, LAST_WORDS_MS);
    child.once('close', ended);
  });
  return { pid: child.pid, order: (what) => orders.give(what), kill: () => void child.kill('SIGKILL') };
}
