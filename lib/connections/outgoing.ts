import type { PushEntry } from '../contracts/queue-driver.js';

/** A job on its way to the store, with what its events tell. */
export interface Outgoing {
  readonly job: object;
  readonly entry: PushEntry;
  readonly requestedQueue: string | null;
  readonly delaySeconds: number | null;
}
