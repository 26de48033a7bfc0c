import type { StopReason } from '../contracts/worker-options.js';
import type { WorkerVitals } from './tally.js';

/** More than these are a process that makes up queues as it goes; the oldest are forgotten. */
const REMEMBERED = 100;

/** How workers have ended: the last one of each connection and queues, until the next one begins there. */
export class WorkerEnds {
  readonly #last = new Map<string, WorkerVitals>();

  /** Hands on what comes of `working`, and notes it. */
  async noted(worker: { vitals(): WorkerVitals }, working: Promise<StopReason>): Promise<StopReason> {
    const { connection, queues } = worker.vitals();
    const key = JSON.stringify([connection, queues]);
    this.#last.delete(key);
    const note = (end: StopReason | 'error'): void => {
      this.#last.set(key, { ...worker.vitals(), state: 'stopped', end });
      if (this.#last.size > REMEMBERED) this.#last.delete(this.#last.keys().next().value!);
    };
    try {
      const reason = await working;
      note(reason);
      return reason;
    } catch (error) {
      note('error');
      throw error;
    }
  }

  last(): readonly WorkerVitals[] {
    return [...this.#last.values()];
  }
}
