import { WorkerSignals } from './signals.js';
import { WorkerChild, type ChildEnd, type WorkerChildOptions } from './worker-child.js';

/** What a process may take beyond its grace. At 10 s it ends itself, unless a job blocks it. */
const BEYOND_GRACE_MS = 12_000;

/**
 * One worker process after another, under the signals of this process: one to stop lets the job of the present one end, a second one, a
 * second later or more, ends it at once. SIGUSR2 and SIGCONT reach it too, and those after it.
 */
export class OneChild {
  private readonly signals = new WorkerSignals();
  private current: WorkerChild | undefined;
  private told = false;
  private paused = false;
  private overdue: NodeJS.Timeout | undefined;

  /** @param graceMs what the worker gives its jobs when it is stopped */
  constructor(private readonly graceMs: number) {
    void this.signals.stopped.then(() => (this.told = true));
    void this.signals.forced.then(() => this.current?.kill());
    this.signals.direct({
      signal: () => void this.drain(),
      force: async () => {
        this.current?.order('force');
        await this.current?.ended;
      },
      pause: () => {
        this.paused = true;
        this.current?.order('pause');
      },
      resume: () => {
        this.paused = false;
        this.current?.order('resume');
      },
    });
  }

  /** This process has been told to end. */
  get stopping(): boolean {
    return this.told;
  }

  /** Resolves when it is told to. */
  get stopped(): Promise<unknown> {
    return this.signals.stopped;
  }

  /** Starts the next one. The one before it must have ended. */
  start(args: readonly string[], options: WorkerChildOptions): WorkerChild {
    const child = new WorkerChild(args, options);
    this.current = child;
    if (this.paused) child.order('pause');
    if (this.told) void this.drain();
    void child.ended.then(() => this.gone(child));
    return child;
  }

  /** Lets the present one end after its jobs; kills it where it does not within its grace. */
  async drain(): Promise<void> {
    const child = this.current;
    if (!child) return;
    child.order('stop');
    this.overdue ??= setTimeout(() => child.kill(), this.graceMs + BEYOND_GRACE_MS);
    await child.ended;
  }

  /** The exit code of this process when it was told to end and its worker ended so. */
  exitCode({ code, worked }: ChildEnd): number {
    // A signal to the whole group ends a process that does not listen yet. Nothing has run in it.
    return worked ? (code ?? 1) : 0;
  }

  /** Waits; less long when told to end, or when something else comes first. */
  async pause(ms: number, sooner?: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([over, this.stopped, ...(sooner ? [sooner] : [])]);
    clearTimeout(timer);
  }

  private gone(child: WorkerChild): void {
    if (this.current !== child) return;
    this.current = undefined;
    clearTimeout(this.overdue);
    this.overdue = undefined;
  }
}
