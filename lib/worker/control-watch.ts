import type { EventHub } from '../connections/event-hub.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import { readMarks } from '../connections/read-marks.js';
import type { ControlMarks, ControlStore } from '../contracts/control-store.js';
import {
  QueuePaused,
  QueueResumed,
  QueuesPaused,
  QueuesResumed,
  WorkerQueuePaused,
  WorkerQueueResumed,
} from '../contracts/queue-events.js';
import type { Clock } from '../support/clock.js';

/** The store is asked at most this often, and at least this often. */
const INTERVAL_MS = { least: 250, most: 3_000 };

/**
 * The marks a worker heeds, read at most once an interval. A pause or resume by this very process is seen at once.
 */
export class ControlWatch {
  /** What was left before this worker. */
  #earlier: ReadonlySet<string> | undefined;
  #restarted = false;
  #allPaused = false;
  #paused: ReadonlySet<string> = new Set();
  #dueAt = 0;
  readonly #intervalMs: number;
  readonly #off: readonly (() => void)[];

  constructor(
    private readonly store: ControlStore | undefined,
    private readonly connection: Pick<QueueConnection, 'name' | 'queueName'>,
    private readonly queues: readonly string[],
    sleepMs: number,
    private readonly clock: Clock,
    private readonly hub: EventHub,
    private readonly report: (message: string, error: unknown) => void,
    changed: () => void,
  ) {
    this.#intervalMs = Math.min(INTERVAL_MS.most, Math.max(INTERVAL_MS.least, sleepMs));
    const stale = (): void => {
      this.#dueAt = 0;
      changed();
    };
    this.#off = [QueuePaused, QueueResumed, QueuesPaused, QueuesResumed].map((type) => hub.on(type, stale));
  }

  /** Whether `look()` would ask the store now. */
  get due(): boolean {
    return this.store !== undefined && this.clock.elapsed() >= this.#dueAt;
  }

  get restarted(): boolean {
    return this.#restarted;
  }

  get allPaused(): boolean {
    return this.#allPaused;
  }

  /** The queues that may be worked. */
  get open(): readonly string[] {
    return this.#paused.size === 0 ? this.queues : this.queues.filter((queue) => !this.#paused.has(queue));
  }

  /** Reads the marks. What was known holds where they cannot be read. Never rejects. */
  async look(): Promise<void> {
    if (!this.store) return;
    this.#dueAt = this.clock.elapsed() + this.#intervalMs;
    try {
      this.#heed(await readMarks(this.store, this.connection, this.queues));
    } catch (error) {
      this.report('Pause and restart marks could not be read; trying again', error);
    }
  }

  #heed({ restart, allPaused, paused: closed }: ControlMarks): void {
    const left = restart === undefined ? [] : restart.split('\n');
    this.#earlier ??= new Set(left);
    // One that is gone, as in a store that was emptied, asks nothing of anybody.
    this.#restarted ||= left.some((mark) => !this.#earlier!.has(mark));
    this.#allPaused = allPaused;
    const paused = new Set(closed);
    const { name } = this.connection;
    for (const queue of this.queues) {
      const was = this.#paused.has(queue);
      if (paused.has(queue) && !was) this.hub.emit(new WorkerQueuePaused(name, queue));
      if (!paused.has(queue) && was) this.hub.emit(new WorkerQueueResumed(name, queue));
    }
    this.#paused = paused;
  }

  stop(): void {
    for (const off of this.#off) off();
  }
}
