import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import { WorkerInterrupted, WorkerPausing, WorkerResuming } from '../contracts/queue-events.js';
import type { StopReason, WorkerOptions, WorkerStatus } from '../contracts/worker-options.js';
import type { QueueableJob } from '../contracts/dispatchable.js';
import { durationMs } from '../support/duration.js';
import { resolveWorkerOptions } from '../worker/resolved-options.js';
import type { OutboxRelays } from '../worker/outbox-relays.js';
import type { StrayErrors } from '../worker/stray-errors.js';
import type { WorkerVitals } from '../worker/tally.js';
import { Worker } from '../worker/worker.js';
import { WorkerEnds } from '../worker/worker-ends.js';
import type { WorkerServices } from '../worker/worker-parts.js';

/** What the service takes from the wiring. */
export interface WorkerServiceParts {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  readonly strays: StrayErrors;
  readonly relays: OutboxRelays;
  /** Looks after what other processes left behind of batches. */
  readonly sweep: { join(): () => Promise<void> };
  readonly workerServices: (connection: string) => WorkerServices;
  readonly report: (message: string, error: unknown) => void;
}

/** Runs workers in this process. */
export class WorkerService {
  readonly #workers = new Set<Worker>();
  /** Calls of `work()`: they end after their worker. */
  readonly #working = new Set<Promise<StopReason>>();
  readonly #ends = new WorkerEnds();
  #paused = false;
  #ownsProcess = false;
  #inside = false;
  #fatal: { readonly error: unknown } | undefined;

  constructor(private readonly parts: WorkerServiceParts) {}

  /**
   * Works until a stop condition holds; resolves with it and never ends the process. Handles no signal. Meanwhile this process also
   * sends on what waits in the outboxes of the module.
   *
   * @throws InvalidOptionError, UnknownConnectionError, MissingPackageError, or what is wrong with the store's tables
   */
  async work(options: WorkerOptions = {}): Promise<StopReason> {
    const worker = this.#worker(options);
    const working = this.#ends.noted(worker, this.#withRelays(worker));
    this.#working.add(working);
    try {
      return await working;
    } finally {
      this.#working.delete(working);
    }
  }

  /** Takes the next job and runs it; waits `sleep` for one. Resolves with whether there was one. */
  async runNextJob(options: WorkerOptions = {}): Promise<boolean> {
    const sleep = options.sleep ?? 3;
    const idle: WorkerOptions =
      durationMs(sleep, 'Worker option sleep') === 0 ? { stopWhenEmpty: true } : { stopWhenEmptyFor: sleep };
    const worker = this.#worker({ ...options, concurrency: 1, prefetch: 0, maxJobs: 1, ...idle });
    await this.#run(worker);
    return worker.status().processed > 0;
  }

  /** Ends every worker after its jobs, at the latest after its `grace`. Resolves when they have ended. */
  async stop(): Promise<void> {
    const workers = [...this.#workers];
    for (const worker of workers) worker.stop();
    await Promise.allSettled([...workers.map((worker) => worker.run()), ...this.#working]);
  }

  /** No worker of this process takes a job until `resume()`; what runs goes on. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    for (const worker of this.#workers) {
      worker.pause();
      this.parts.hub.emit(new WorkerPausing(worker.connectionName, worker.queueList));
    }
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const worker of this.#workers) {
      worker.resume();
      this.parts.hub.emit(new WorkerResuming(worker.connectionName, worker.queueList));
    }
  }

  /** One for each worker that runs. */
  status(): WorkerStatus[] {
    return [...this.#workers].map((worker) => worker.status());
  }

  /** How the workers of `work()` are: those that run, then how the last one of each connection and queues has ended. */
  vitals(): readonly WorkerVitals[] {
    return [...[...this.#workers].map((worker) => worker.vitals()), ...this.#ends.last()];
  }

  /** A signal to end reached the process: its workers stop, and running jobs that want to know are told. */
  signal(name: string): void {
    for (const worker of this.#workers) {
      worker.stop();
      this.parts.hub.emit(new WorkerInterrupted(name, worker.connectionName, worker.queueList));
      for (const attempt of worker.attempts()) {
        const job = attempt.job as Partial<QueueableJob> | undefined;
        // An async one may reject: that must not pass for an error that no job owns.
        const told = async (): Promise<void> => job?.interrupted?.(name);
        told().catch((error: unknown) => {
          this.parts.report(`${attempt.context.displayName}.interrupted() failed`, error);
        });
      }
    }
  }

  /** Hands every running job back to its store at once, uncounted. Resolves when the workers have ended. */
  async force(): Promise<void> {
    const workers = [...this.#workers];
    for (const worker of workers) worker.force();
    await Promise.allSettled(workers.map((worker) => worker.run()));
  }

  /** This process is for its workers alone: an error that no job owns ends them, and the process with code 1. */
  ownProcess(): void {
    this.#ownsProcess = true;
  }

  get ownsProcess(): boolean {
    return this.#ownsProcess;
  }

  /** The application is to have a worker inside. */
  inside(): void {
    this.#inside = true;
  }

  /** Whether a worker is to run in this process. */
  get expected(): boolean {
    return this.#ownsProcess || this.#inside;
  }

  /** What ended the workers of a process of their own. */
  get fatal(): { readonly error: unknown } | undefined {
    return this.#fatal;
  }

  /** An error that no job owns. Answers whether it has been dealt with. */
  strayed(error: unknown): boolean {
    if (!this.#ownsProcess) return false;
    this.#fatal ??= { error };
    this.parts.report('An error that no job owns: the worker ends after its jobs', error);
    for (const worker of this.#workers) worker.stop();
    return true;
  }

  #worker(options: WorkerOptions): Worker {
    const connection = this.parts.connections.get(options.connection);
    const worker = new Worker(this.parts.workerServices(connection.name), resolveWorkerOptions(options, connection));
    if (this.#paused) worker.pause();
    return worker;
  }

  async #withRelays(worker: Worker): Promise<StopReason> {
    const leave = [this.parts.relays.join(), this.parts.sweep.join()];
    try {
      return await this.#run(worker);
    } finally {
      await Promise.all(leave.map((one) => one()));
    }
  }

  async #run(worker: Worker): Promise<StopReason> {
    this.#workers.add(worker);
    const off = this.parts.strays.listen();
    const exiting = (): void => this.#left(worker);
    process.on('exit', exiting);
    try {
      return await worker.run();
    } finally {
      off();
      process.off('exit', exiting);
      this.#workers.delete(worker);
    }
  }

  /** Something in this process called `process.exit()`: the jobs it cuts off are named while that can still be said. */
  #left(worker: Worker): void {
    for (const { context } of worker.attempts()) {
      this.parts.report(
        `${context.displayName} [${context.id}] was cut off by the end of its process`,
        new Error('It runs again when its lease has run out. A job must not call process.exit().'),
      );
    }
  }
}
