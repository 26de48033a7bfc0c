import { JobAttempted, JobProcessing, WorkerStopping } from '../contracts/queue-events.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { StopReason } from '../contracts/worker-options.js';
import type { Beat } from '../worker/supervisor/beat.js';
import { residentMb } from '../worker/stop-conditions.js';
import type { OpenApp } from './open-app.js';
import { tellParent } from './self-process.js';

/** Names, in a worker's environment, the supervisor that has started it. */
export const SUPERVISED = 'NESTJS_QUEUE_SUPERVISED';

const BEAT_MS = 1_000;
/** One that has nothing new to tell says at least this often that it is there. */
const STILL_HERE_MS = 5_000;

let supervisor: string | null | undefined;

/** The supervisor that has started this process, if one has. */
export function supervisedBy(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (supervisor === undefined) {
    supervisor = env[SUPERVISED] ?? null;
    // Not for what a job starts.
    delete env[SUPERVISED];
  }
  return supervisor ?? undefined;
}

/**
 * Tells the supervisor once a second how its worker is, from before the application boots until it has ended. One that has nothing to do
 * tells it less often: a few idle ones must cost next to nothing.
 */
export class SupervisedWorker {
  readonly #running = new Set<string>();
  /** Of running jobs that say themselves how long they may run; Infinity is no limit. */
  readonly #timeouts = new Map<string, number>();
  #app: Pick<OpenApp, 'worker'> | undefined;
  #busyMs = 0;
  #countedAt: number;
  #told = { at: 0, busyMs: 0, patienceMs: 0 };
  #last = { state: 'starting', running: 0, processed: 0, failed: 0 };
  #reason: StopReason | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly tell: (what: { beat: Beat }) => void = tellParent,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#countedAt = this.now();
    this.#told.at = this.#countedAt;
    this.#timer = setInterval(() => this.#isIdle() || this.beat(), BEAT_MS);
    this.#timer.unref();
    this.beat();
  }

  /** In a process of its own, whose parent may have gone before it: then nobody takes what it writes, and that is no fault of a job. */
  static start(): SupervisedWorker {
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
    return new SupervisedWorker();
  }

  /** The application has booted. */
  watch(app: Pick<OpenApp, 'manager' | 'worker'>): void {
    this.#app = app;
    app.manager.on(JobProcessing, ({ job }) => {
      this.#count();
      this.#running.add(job.id);
      this.#noteTimeout(job);
    });
    app.manager.on(JobAttempted, ({ job }) => {
      this.#count();
      this.#running.delete(job.id);
      this.#timeouts.delete(job.id);
    });
    app.manager.on(WorkerStopping, ({ reason }) => {
      this.#reason = reason;
      this.beat();
    });
  }

  beat(): void {
    this.#count();
    const at = this.now();
    const sinceMs = at - this.#told.at;
    const busy = sinceMs > 0 ? (this.#busyMs - this.#told.busyMs) / sinceMs : this.#running.size;
    const patienceMs = Math.max(0, ...this.#timeouts.values());
    this.#told = { at, busyMs: this.#busyMs, patienceMs };
    // One that has ended is no longer listed: what it told last holds.
    const [worker] = this.#app?.worker.status() ?? [];
    if (worker) this.#last = worker;
    const { state, running, processed, failed } = this.#last;
    this.tell({
      beat: {
        state,
        running,
        processed,
        failed,
        busyMs: this.#busyMs,
        busy,
        rss: residentMb(),
        patienceMs: patienceMs === Infinity ? null : patienceMs,
        ...(this.#reason && { reason: this.#reason }),
      },
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Nothing has happened since the last beat, which is not long ago. */
  #isIdle(): boolean {
    const [worker = this.#last] = this.#app?.worker.status() ?? [];
    const { state, processed } = this.#last;
    const same =
      worker.state === state && worker.processed === processed && worker.running === 0 && this.#running.size === 0;
    return same && this.#last.running === 0 && this.now() - this.#told.at < STILL_HERE_MS - BEAT_MS / 2;
  }

  #count(): void {
    const now = this.now();
    this.#busyMs += this.#running.size * (now - this.#countedAt);
    this.#countedAt = now;
  }

  /** A job may block this process for longer than others: that must be known before it does. */
  #noteTimeout(job: JobContext): void {
    const { timeout } = job.payload as Partial<JobEnvelope>;
    if (timeout === undefined) return;
    const mayRunMs = timeout > 0 ? timeout : Infinity;
    this.#timeouts.set(job.id, mayRunMs);
    if (mayRunMs > this.#told.patienceMs) this.beat();
  }
}
