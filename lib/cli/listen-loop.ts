import { deferred } from '../support/deferred.js';
import { CommandError } from './command-error.js';
import { OneChild } from './one-child.js';
import type { Output } from './output.js';
import { clean } from './style.js';
import { WatchedFiles } from './watched-files.js';
import type { ChildEnd } from './worker-child.js';
import type { WorkReport } from './work-reports.js';

export interface ListenLoop {
  /** Of a process that works one job and ends. */
  readonly args: readonly string[];
  /** A process that waits for a job is replaced when a file in it changes. */
  readonly folder: string;
  readonly appFile: string;
  /** Of a job that does not say itself; 0 is no limit. */
  readonly timeoutMs: number;
  readonly restMs: number;
  readonly graceMs: number;
  readonly tooLarge: () => boolean;
  readonly output: Output;
}

/** As of a worker that grew too large. */
const TOO_LARGE = 12;
/** Before another process is started behind one that did not end well; doubled each time that it cannot even start. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** The longest that a timer of Node can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Starts a process for one job, and when that has ended the next. A process is started before there is a job for it, and waits in its
 * store for as long as that takes: starting one costs too much to do it in vain. So that it runs no old code it is replaced when the
 * application's files change. Resolves with the exit code.
 *
 * @throws CommandError when a job overran its time
 */
export async function listenFor(loop: ListenLoop): Promise<number> {
  const child = new OneChild(loop.graceMs);
  const files = new WatchedFiles([loop.folder], loop.appFile);
  const starts = new Starts(loop.output);
  try {
    for (;;) {
      await files.mark();
      if (child.stopping) return 0;
      const job = new TimedJob(loop.timeoutMs);
      const worker = child.start(loop.args, {
        hushed: starts.failing,
        onReport: (report) => {
          job.heed(report);
          if ('worker' in report && report.worker === 'working') starts.worked(report.queue);
        },
      });
      const ended = worker.ended.then(() => 'ended' as const);
      const changed = files.changed.then(() => 'changed' as const);
      const first = await Promise.race([job.overran, ended, changed]);
      // One that runs a job ends behind it anyway.
      if (first === 'changed' && !job.running) void child.drain();
      if ((await Promise.race([job.overran, ended])) === 'overran') {
        worker.kill();
        await worker.ended;
        throw overrun(job.name, loop.timeoutMs);
      }
      job.over();
      const end = await worker.ended;
      if (child.stopping) return child.exitCode(end);
      if (end.misnamed && !starts.ever) return 1;
      if (loop.tooLarge()) return TOO_LARGE;
      if (end.code === 0 && end.jobs > 0) await child.pause(loop.restMs);
      else if (end.code === 0 && first === 'changed') continue;
      else await child.pause(starts.pauseBehind(end), files.changed);
    }
  } finally {
    files.close();
  }
}

/** The job of one process, and how long it may take. */
class TimedJob {
  name = '';
  running = false;
  readonly overran: Promise<'overran'>;
  private readonly late = deferred<'overran'>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly timeoutMs: number) {
    this.overran = this.late.promise;
  }

  heed(report: WorkReport): void {
    if (!('job' in report)) return;
    if (report.job === 'ended') return this.over();
    this.name = report.name;
    this.running = true;
    if (report.ownTimeout || this.timeoutMs === 0) return;
    this.timer = setTimeout(() => this.late.resolve('overran'), Math.min(this.timeoutMs, LONGEST_TIMER_MS));
  }

  over(): void {
    this.running = false;
    clearTimeout(this.timer);
  }
}

/** Processes that did not end well, or could not start. The same trouble is told once. */
class Starts {
  /** One of them has worked. */
  ever = false;
  private failed = 0;
  private greeted = false;
  private reason: string | undefined;

  constructor(private readonly output: Output) {}

  /** The last one could not start: the next one's complaint is likely the same. */
  get failing(): boolean {
    return this.failed > 0;
  }

  worked(queue: string): void {
    if (this.failing) this.output.remark('The application starts again.');
    this.ever = true;
    this.failed = 0;
    this.reason = undefined;
    if (this.greeted || !this.output.isTerminal || this.output.options.json) return;
    this.greeted = true;
    this.output.say(`Processing jobs from the [${queue}] queue(s), each in a new process.`);
  }

  /** Says what is new about it. Answers how long to wait before the next start. */
  pauseBehind({ code, signal, worked, stderr }: ChildEnd): number {
    const how = signal ? `by ${signal}` : `with ${code}`;
    if (worked) {
      if (code !== 0) this.output.remark(`The process of the last job ended ${how}.`);
      return PAUSE_MS;
    }
    // The first one wrote to this process's stderr itself, so that its words are not known: those of the second are taken for them.
    if (this.failed === 0) {
      this.output.remark(
        `The application could not start (it ended ${how}). Trying again when its files change, and now and then.`,
      );
    } else if (this.reason !== undefined && this.reason !== timeless(stderr)) {
      process.stderr.write(stderr);
    }
    if (this.failed > 0) this.reason = timeless(stderr);
    this.failed += 1;
    return Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** (this.failed - 1));
  }
}

/** Without what Nest says anew each time: its process, the time, and the ids that it makes up. */
function timeless(stderr: string): string {
  return stderr.replaceAll(/\[Nest\] \d+ .{0,40}?(?=ERROR|FATAL|WARN)/g, '').replaceAll(/\bid: .*/g, '');
}

function overrun(name: string, timeoutMs: number): CommandError {
  return new CommandError(
    `${clean(name)} ran for more than ${timeoutMs / 1_000} seconds: its process was killed, and the listener ends.`,
    'The job runs again when its lease has run out. It may have more time by --timeout (0 is no limit), or by @Timeout() of its own.',
  );
}
