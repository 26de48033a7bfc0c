import { onAbort } from './abort.js';
import type { Clock } from './clock.js';
import { deferred } from './deferred.js';

/** Rung by whoever makes a job ready; wakes everyone who waits. A ring that nobody hears is not kept. */
export class Doorbell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    if (this.#waiting.size === 0) return;
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of all) wake();
  }

  /** Resolves at the next ring. `off()` stops listening. */
  next(): { rung: Promise<void>; off(): void } {
    const { promise, resolve } = deferred();
    this.#waiting.add(resolve);
    return { rung: promise, off: () => this.#waiting.delete(resolve) };
  }
}

/**
 * Takes; where there is nothing, waits for the bell, the poll or the end of the time, and takes again.
 *
 * The bell is listened to **before** taking, so a job that arrives between the look and the wait is not slept through. An abort ends
 * the wait; what a take has already in hand is still returned.
 */
export async function takeOrWait<T>(request: {
  take: () => readonly T[] | Promise<readonly T[]>;
  bell: Doorbell;
  /** How long until the next look without a ring, given how long this call has waited; e.g. the next delayed job, or the poll interval. */
  pollMs: (waitedMs: number) => number;
  waitMs: number;
  signal: AbortSignal;
  clock: Clock;
}): Promise<readonly T[]> {
  const { bell, clock, signal } = request;
  const start = clock.elapsed();
  for (;;) {
    const listening = bell.next();
    try {
      const taken = await request.take();
      const waited = clock.elapsed() - start;
      if (taken.length > 0 || waited >= request.waitMs || signal.aborted) return taken;
      const woken = deferred();
      const cancel = clock.after(Math.max(1, Math.min(request.pollMs(waited), request.waitMs - waited)), woken.resolve);
      const off = onAbort(signal, woken.resolve);
      await Promise.race([listening.rung, woken.promise]);
      cancel();
      off();
      if (signal.aborted) return [];
    } finally {
      listening.off();
    }
  }
}
