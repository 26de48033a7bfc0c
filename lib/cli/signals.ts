import { onOrder, type Order } from './self-process.js';

/** What a worker is told by signals. */
export interface SignalledWorker {
  signal(name: StopSignal): void;
  force(): Promise<void>;
  pause(): void;
  resume(): void;
}

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT';

const STOP_SIGNALS: readonly StopSignal[] = ['SIGTERM', 'SIGINT', 'SIGQUIT'];
/** Closer together, two stop signals are one: a process group and its parent both pass Ctrl-C on. */
const ONE_SIGNAL_MS = 1_000;
/** How long jobs may take to be given back when nobody wants to wait any longer. */
const LONGEST_FORCE_MS = 3_000;

/**
 * Listens to the process's signals from its first moment. SIGTERM, SIGINT and SIGQUIT stop the worker; a second one, a second later
 * or more, gives its jobs back at once. SIGUSR2 pauses it and SIGCONT lets it go on. A parent that has started this process may say the
 * same by its channel. What comes before there is a worker is kept.
 */
export class WorkerSignals {
  /** Resolves with the first signal to stop. */
  readonly stopped: Promise<StopSignal>;
  /** Resolves when a later one has been obeyed: every job is given back, or that took too long. */
  readonly forced: Promise<void>;

  private readonly listeners = new Map<string, () => void>();
  private readonly deaf: () => void;
  private announceStop!: (signal: StopSignal) => void;
  private announceForce!: () => void;
  private worker: SignalledWorker | undefined;
  private stopping: { readonly signal: StopSignal; readonly at: number } | undefined;
  private forcing = false;
  private paused = false;

  constructor(
    private readonly source: Pick<NodeJS.Process, 'on' | 'off'> = process,
    private readonly now: () => number = () => performance.now(),
    orders: (listener: (what: Order) => void) => () => void = onOrder,
  ) {
    this.stopped = new Promise((resolve) => (this.announceStop = resolve));
    this.forced = new Promise((resolve) => (this.announceForce = resolve));
    for (const signal of STOP_SIGNALS) this.listen(signal, () => this.stop(signal));
    this.listen('SIGUSR2', () => this.pause());
    this.listen('SIGCONT', () => this.resume());
    this.deaf = orders((what) => this.obey(what));
  }

  /** From now on signals go to this worker, beginning with what has come already. */
  direct(worker: SignalledWorker): void {
    this.worker = worker;
    if (this.paused) worker.pause();
    if (this.stopping) worker.signal(this.stopping.signal);
    if (this.forcing) void this.force();
  }

  close(): void {
    for (const [signal, listener] of this.listeners) this.source.off(signal, listener);
    this.listeners.clear();
    this.deaf();
  }

  private listen(signal: string, listener: () => void): void {
    this.listeners.set(signal, listener);
    this.source.on(signal, listener);
  }

  private stop(signal: StopSignal): void {
    const at = this.now();
    if (!this.stopping) {
      this.stopping = { signal, at };
      this.announceStop(signal);
      this.worker?.signal(signal);
    } else if (at - this.stopping.at >= ONE_SIGNAL_MS) {
      this.forceOnce();
    }
  }

  /** Unlike a signal an order says which one it is: it may come late, beside a signal to the whole process group, and is no second one. */
  private obey(what: Order): void {
    if (what === 'pause') return this.pause();
    if (what === 'resume') return this.resume();
    if (!this.stopping) this.stop('SIGTERM');
    if (what === 'force') this.forceOnce();
  }

  private forceOnce(): void {
    if (this.forcing) return;
    this.forcing = true;
    void this.force();
  }

  private async force(): Promise<void> {
    const timer = setTimeout(this.announceForce, LONGEST_FORCE_MS);
    try {
      await this.worker?.force();
    } catch {
      // The jobs come back when their leases run out; the process ends either way.
    }
    clearTimeout(timer);
    this.announceForce();
  }

  private pause(): void {
    this.paused = true;
    this.worker?.pause();
  }

  private resume(): void {
    this.paused = false;
    this.worker?.resume();
  }
}
