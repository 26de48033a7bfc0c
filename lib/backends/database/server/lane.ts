import { StoreClosedError } from '../../store-state-errors.js';
import type { OwnLink } from './link.js';

/** A link nobody has used for so long is given back. */
const IDLE_MS = 30_000;

interface Waiting {
  readonly take: (link: OwnLink | undefined) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The connections for one kind of work: at most `size` of them, opened when they are needed, kept while they are used. Who finds none
 * free waits for one, first come, first served.
 */
export class Lane {
  readonly #free: OwnLink[] = [];
  #open = 0;
  readonly #waiting: Waiting[] = [];
  #idleTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly size: number,
    private readonly connect: () => Promise<OwnLink>,
    /** Kept however long nothing was to do: it must not have to be opened when it is needed. */
    private readonly keep = false,
  ) {}

  /** @throws the server's error where a connection cannot be opened, and `undefined` when the time is over before one is free */
  async acquire(ms: number): Promise<OwnLink | undefined> {
    for (let link = this.#free.pop(); link !== undefined; link = this.#free.pop()) {
      if (link.alive) return link;
      this.#drop(link);
    }
    if (this.#closed) throw new StoreClosedError('The database');
    const waiting = this.#wait(ms);
    if (this.#open < this.size) this.#openFor();
    return waiting;
  }

  /** Opens a connection now, where there is none. A failure shows when one is needed. */
  warm(): void {
    if (this.#open === 0 && !this.#closed) this.#openFor();
  }

  give(link: OwnLink): void {
    if (!link.alive || this.#closed) {
      this.#drop(link);
      if (this.#waiting.length > 0 && !this.#closed) this.#openFor();
      return;
    }
    const next = this.#waiting.shift();
    if (next) {
      next.take(link);
      return;
    }
    this.#free.push(link);
    if (!this.keep) this.#armIdle();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    for (const link of this.#free.splice(0)) this.#drop(link);
    for (const one of this.#waiting.splice(0)) one.take(undefined);
  }

  /** Opens a connection for whoever is first by the time it is there; what goes wrong is told to the first one, too. */
  #openFor(): void {
    this.#open += 1;
    this.connect().then(
      (link) => this.give(link),
      (error: unknown) => {
        this.#open -= 1;
        this.#waiting.shift()?.fail(error);
      },
    );
  }

  #drop(link: OwnLink): void {
    this.#open -= 1;
    link.release();
  }

  #wait(ms: number): Promise<OwnLink | undefined> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        take: (link) => {
          clearTimeout(timer);
          resolve(link);
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error as Error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        resolve(undefined);
      }, ms);
      timer.unref();
      this.#waiting.push(waiting);
    });
  }

  /** Of those that are free the ones at the bottom have been free the longest. */
  #armIdle(): void {
    if (this.#idleTimer !== undefined) {
      this.#idleTimer.refresh();
      return;
    }
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      for (const link of this.#free.splice(0)) this.#drop(link);
    }, IDLE_MS);
    this.#idleTimer.unref();
  }
}
