import type { Clock } from './clock.js';

/** A signal that never aborts: what a job sees that no worker runs. */
export const neverAborted: AbortSignal = new AbortController().signal;

/** Calls `fn` when the signal aborts, at once if it has. Returns what takes the listener off again. */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  if (signal.aborted) {
    fn();
    return () => {};
  }
  // A listener of its own for each call: the same `fn` given twice would otherwise be one, and taken off twice.
  const listener = (): void => fn();
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Resolves after `ms`, or as soon as the signal aborts; `true` when the time ran out. Never rejects. */
export function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    let off = (): void => {};
    const cancel = clock.after(ms, () => {
      off();
      resolve(true);
    });
    off = onAbort(signal, () => {
      cancel();
      resolve(false);
    });
  });
}
