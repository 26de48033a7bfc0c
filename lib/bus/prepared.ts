import type { LockPlace } from '../connections/job-locks.js';
import type { Outgoing } from '../connections/outgoing.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { DispatchReceipt } from '../contracts/dispatchable.js';
import type { LockPolicies, UniquePolicy } from '../job/lock-policies.js';

/** A job on its way: where it goes, and what is handed over there. */
export interface Prepared {
  readonly connection: QueueConnection;
  readonly outgoing: Outgoing;
  readonly receipt: DispatchReceipt;
  /** Whether it waits for the open transaction, where there is one. */
  readonly afterCommit: boolean;
  /** What it says of others of its kind. */
  readonly policies?: LockPolicies;
  readonly claim?: UniqueClaim;
  /** It is stored: within a transaction, or beside one that has to end before the rest can be done. */
  readonly pushed?: 'within' | 'beside';
  /** Debounced for as long as it may be: it goes at once. */
  readonly due?: true;
  /** It is in an outbox, and stored with the commit: there is nothing left to send. */
  readonly written?: true;
}

/** How a dispatch stands with its lock. */
export interface UniqueClaim {
  readonly unique: UniquePolicy;
  readonly place: LockPlace;
  /**
   * `push`: taken by the push. `early`: taken by now for a minute, and confirmed by the push. `sending`: the same in a store of its own.
   * `late`: nothing can be written beside the open transaction, so it is taken when that has committed. `running`: held by this process.
   */
  readonly state: 'push' | 'early' | 'sending' | 'late' | 'running';
  /** When it was taken, by `Clock.elapsed()`. */
  readonly at: number;
  /** The open transaction's keys, which have this one until it ends. */
  readonly promised: Map<string, string> | undefined;
}
