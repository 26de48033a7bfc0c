import type { ChildProcess } from 'node:child_process';
import { onTold, Orders, spawnSelf, type Order, type SelfProcessOptions } from './self-process.js';
import type { WorkReport } from './work-reports.js';

/** How a worker's process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It had reached its store and begun to work. */
  readonly worked: boolean;
  /** It was to work at a connection or a queue that cannot be. */
  readonly misnamed: boolean;
  /** Jobs that it had begun. */
  readonly jobs: number;
  /** What it wrote to stderr before it worked, where that was kept back. */
  readonly stderr: string;
}

export interface WorkerChildOptions {
  readonly env?: SelfProcessOptions['env'];
  /** Keeps stderr back until the process works. It tells by `ChildEnd.stderr` why it did not. */
  readonly hushed?: boolean;
  readonly onReport?: (report: WorkReport) => void;
}

/** How long after the end of a process what it has written may take to arrive. */
const LAST_WORDS_MS = 300;

/** A process of `queue:work` with a channel to this one. It ends after its jobs when this one is gone. */
export class WorkerChild {
  /** Never rejects. */
  readonly ended: Promise<ChildEnd>;
  private readonly process: ChildProcess;
  private worked = false;
  private misnamed = false;
  private readonly orders: Orders;
  private jobs = 0;
  private stderr = '';

  constructor(args: readonly string[], options: WorkerChildOptions = {}) {
    this.process = spawnSelf(args, {
      env: options.env,
      stdio: ['ignore', 'inherit', options.hushed ? 'pipe' : 'inherit'],
      ipc: true,
    });
    this.orders = new Orders(this.process);
    onTold(this.process, (what) => {
      if (typeof what === 'object' && what !== null) this.told(what as WorkReport, options.onReport);
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.worked) process.stderr.write(text);
      else this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void =>
        resolve({
          code,
          signal,
          worked: this.worked,
          misnamed: this.misnamed,
          jobs: this.jobs,
          stderr: this.stderr,
        });
      this.process.once('error', (error) => {
        this.stderr += `${error.message}\n`;
        end(1, null);
      });
      this.process.once('exit', (code, signal) => {
        if (!this.process.stderr) return end(code, signal);
        // What a job has started may hold the stream open for as long as it likes.
        const timer = setTimeout(end, LAST_WORDS_MS, code, signal);
        this.process.once('close', () => {
          clearTimeout(timer);
          end(code, signal);
        });
      });
    });
  }

  order(what: Order): void {
    this.orders.give(what);
  }

  /** The end that nothing can refuse. Its jobs come back when their leases have run out. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  private told(report: WorkReport, listener: WorkerChildOptions['onReport']): void {
    if ('worker' in report && report.worker === 'misnamed') this.misnamed = true;
    else if ('worker' in report && !this.worked) {
      this.worked = true;
      this.orders.heard();
      process.stderr.write(this.stderr);
      this.stderr = '';
    }
    if ('job' in report && report.job === 'started') this.jobs += 1;
    listener?.(report);
  }
}
