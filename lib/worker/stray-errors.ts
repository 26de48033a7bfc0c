import type { AsyncLocalStorage } from 'node:async_hooks';
import type { RunningAttempt } from './running-attempt.js';

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
    private readonly source: Pick<NodeJS.Process, 'on' | 'off' | 'listenerCount'> = process,
  ) {}

  /** Returns what ends the listening. */
  listen(): () => void {
    if (this.#listening++ === 0) {
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
    this.source.off('unhandledRejection', this.#rejected);
    this.source.off('uncaughtException', this.#thrown);
  }

  readonly #rejected = (error: unknown): void => {
    if (this.#owned(error) || this.source.listenerCount('unhandledRejection') > 1) return;
    // As Node does where nobody listens for rejections: those who listen for exceptions get it, else the process ends.
    process.nextTick(() => {
      throw error;
    });
  };

  readonly #thrown = (error: unknown): void => {
    if (this.#owned(error) || this.source.listenerCount('uncaughtException') > 1) return;
    this.#off();
    process.nextTick(() => {
      throw error;
    });
  };

  #owned(error: unknown): boolean {
    const attempt = this.storage.getStore();
    if (!attempt) return this.unowned(error);
    if (!attempt.stray(error)) this.late(attempt, error);
    return true;
  }
}
