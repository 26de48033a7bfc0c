import { Doorbell } from '../../../support/take-or-wait.js';
import type { Bells } from './dialect.js';

/** An empty answer is good for so long, where nothing has rung since. */
const QUIET_MS = 250;

/** A call that waits for some queues. It hears this process from its beginning. */
export interface QueueWait {
  readonly bell: Doorbell;
  /** Hears other processes too from now on. True when they were not heard until now: look once more before waiting. */
  listen(): boolean;
  off(): void;
}

/**
 * Who waits for which queues. Rung by every push and release in this process, and by what other processes tell, where the server can
 * carry that; polling is behind it.
 */
export class QueueBells {
  readonly #waits = new Set<{ readonly queues: readonly string[]; readonly bell: Doorbell }>();
  /** How often anything has rung. */
  rings = 0;
  #emptyAt = -Infinity;
  #emptyQueues = '';
  #nextAt = Infinity;

  /** @param outer absent where other processes can only be polled */
  constructor(private readonly outer: Bells | undefined) {}

  /** Pushes of other processes are heard at once. */
  get hearing(): boolean {
    return this.outer?.hearing ?? false;
  }

  wait(queues: readonly string[]): QueueWait {
    const waiting = { queues, bell: new Doorbell() };
    this.#waits.add(waiting);
    let heard: { off(): void } | undefined;
    return {
      bell: waiting.bell,
      listen: () => {
        if (heard !== undefined || this.outer === undefined) return false;
        const listening = this.outer.listen();
        heard = listening;
        return listening.fresh;
      },
      off: () => {
        this.#waits.delete(waiting);
        heard?.off();
      },
    };
  }

  /** Jobs were committed into these queues by this process. */
  stored(queues: ReadonlySet<string>): void {
    for (const queue of queues) this.rung(queue);
    this.outer?.announce(queues);
  }

  /** Jobs will be committed soon, with a transaction of the application. */
  storedSoon(queues: ReadonlySet<string>): void {
    for (const queue of queues) this.rung(queue);
    this.outer?.announceSoon(queues);
  }

  /** @param queue `undefined`: any of them */
  rung(queue: string | undefined): void {
    this.rings += 1;
    this.#emptyAt = -Infinity;
    for (const { queues, bell } of this.#waits) if (queue === undefined || queues.includes(queue)) bell.ring();
  }

  /**
   * @param nextAt when the next job of these queues is due, by `performance.now()`
   * @param rings their count before it was looked: what has rung since may not have been seen
   */
  foundEmpty(queues: readonly string[], nextAt: number, rings: number): void {
    if (rings !== this.rings) return;
    this.#emptyAt = performance.now();
    this.#emptyQueues = queues.join('\n');
    this.#nextAt = nextAt;
  }

  /** When the next job is due of queues that were found empty just now and have not rung since; else `undefined`. */
  stillEmpty(queues: readonly string[]): number | undefined {
    const fresh = performance.now() - this.#emptyAt < QUIET_MS && this.#emptyQueues === queues.join('\n');
    return fresh ? this.#nextAt : undefined;
  }

  async close(): Promise<void> {
    this.rung(undefined);
    await this.outer?.close();
  }
}
