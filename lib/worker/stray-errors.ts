import type { AsyncLocalStorage } from 'node:async_hooks';
import type { RunningAttempt } from './running-attempt.js';

type Source = Pick<NodeJS.Process, 'on' | 'off' | 'listenerCount'>;

/** Those that listen to one process: an application, and a test, may have several modules with workers. */
const listening = new WeakMap<Source, Set<StrayErrors>>();

/**
 * Charges errors that nothing handled, a floating promise or a callback that throws, to the job whose code caused them: the job fails
 * with it, the process and its other jobs live. Listens only while a worker runs.
 */
export class StrayErrors {
  #listening = 0;

  constructor(
    private readonly storage: AsyncLocalStorage<RunningAttempt>,
    /** An error of a job that has ended by now. */
    private readonly late: (attempt: RunningAttempt, error: unknown) => void,
    /** An error that no job owns; answers whether it has been dealt with. */
    private readonly unowned: (error: unknown) => boolean,
    private readonly source: Source = process,
  ) {}

  /** Returns what ends the listening. */
  listen(): () => void {
    if (this.#listening++ === 0) {
      const all = listening.get(this.source) ?? new Set();
      listening.set(this.source, all.add(this));
      this.source.on('unhandledRejection', this.#rejected);
      this.source.on('uncaughtException', this.#thrown);
    }
    let on = true;
    return () => {
      if (!on) return;
      on = false;
      if (--this.#listening === 0) this.#off();
    };
  }

  #off(): void {
    listening.get(this.source)?.delete(this);
    this.source.off('unhandledRejection', this.#rejected);
    this.source.off('uncaughtException', this.#thrown);
  }

  readonly #rejected = (error: unknown): void => {
    if (this.#settled('unhandledRejection', error)) return;
    // As Node does where nobody listens for rejections: those who listen for exceptions get it, else the process ends.
    process.nextTick(() => {
      throw error;
    });
  };

  readonly #thrown = (error: unknown): void => {
    if (this.#settled('uncaughtException', error)) return;
    for (const one of listening.get(this.source) ?? []) one.#off();
    process.nextTick(() => {
      throw error;
    });
  };

  /** A job owns it, somebody else listens for it, or another of this class sees to it: the first one acts for all. */
  #settled(event: 'unhandledRejection' | 'uncaughtException', error: unknown): boolean {
    const all = [...(listening.get(this.source) ?? [])];
    if (all[0] !== this) return true;
    return (
      all.some((one) => one.#charged(error)) ||
      all.some((one) => one.unowned(error)) ||
      this.source.listenerCount(event) > all.length
    );
  }

  /** To the job whose code it comes from. */
  #charged(error: unknown): boolean {
    const attempt = this.storage.getStore();
    if (!attempt) return false;
    if (!attempt.stray(error)) this.late(attempt, error);
    return true;
  }
}
