/**
 * The ledger of batches. A member counts once, by its id, however often its end is reported.
 *
 * `pendingJobs` falls on success only and `failedJobs` counts members whose last end was a failure (Laravel's meaning); `endedJobs`
 * counts members that have had an end of any kind, and a batch has finished when that is all of them and it is sealed.
 */
export interface BatchStore {
  /** An unsealed batch is still being filled: it cannot finish. The same id again answers with what is there. */
  create(batch: NewBatch): Promise<BatchRecord>;
  find(id: string): Promise<BatchRecord | undefined>;
  /** Newest first; `before` is the id that ends the page in front. */
  page(query: { readonly limit: number; readonly before?: string }): Promise<readonly BatchRecord[]>;
  /**
   * Members and how each of them stands, in an order of the store's own. `after` is the `next` of the page in front; without a `next` it was
   * the last one. What joins while pages are read may be passed over. `undefined` when there is no such batch.
   */
  members(id: string, query: { readonly limit: number; readonly after?: string }): Promise<MemberPage | undefined>;
  /**
   * More members. Ids already there are not counted again. Refused (`finished`) once the batch has finished, unless `by` is a member that
   * has not been counted as ended yet; `undefined` when there is no such batch.
   */
  grow(id: string, memberIds: readonly string[], by?: string): Promise<BatchGrowth | undefined>;
  /** All members are stored; a batch whose members have all ended by now finishes with this. */
  seal(id: string): Promise<BatchProgress | undefined>;
  /** A member's end. `undefined` when there is no such batch or no such member. */
  recordEnd(batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined>;
  /** The callbacks were pushed; they are not named as due again. */
  confirm(id: string, callbacks: readonly BatchCallback[]): Promise<void>;
  /** Batches with callbacks that became due before `dueBefore` (epoch ms) and were never confirmed, for a sweep. */
  unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]>;
  /** Sets `cancelledAt` once; later calls change nothing. `undefined` when there is no such batch. */
  cancel(id: string): Promise<BatchRecord | undefined>;
  delete(id: string): Promise<boolean>;
  /** Removes batches by the one field given (epoch ms, exclusive), members with them; tells how many batches. Unfinished and cancelled ones
   * go by when they were made. Works in chunks. */
  prune(
    before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
  ): Promise<number>;
}

export type BatchCallback = 'then' | 'catch' | 'finally';
export type MemberOutcome = 'done' | 'failed';

export interface NewBatch {
  readonly id: string;
  readonly name: string;
  /** Opaque text: callbacks and settings. */
  readonly options: string;
  readonly memberIds: readonly string[];
  readonly sealed: boolean;
  /** Cancel the batch with its first failure. */
  readonly cancelOnFailure: boolean;
}

export interface MemberEnd {
  readonly batchId: string;
  readonly jobId: string;
  readonly outcome: MemberOutcome;
  /** Members that will not run now: what stands behind a broken chain step. They have ended, but stay pending. */
  readonly alsoEnded?: readonly string[];
}

/** `behind`: it stands behind a broken chain step, has ended, and stays pending. */
export type MemberState = 'waiting' | MemberOutcome | 'behind';

export interface MemberRecord {
  readonly id: string;
  readonly state: MemberState;
  /** Epoch ms of its last end, where the store keeps it. */
  readonly endedAt?: number;
}

export interface MemberPage {
  readonly members: readonly MemberRecord[];
  readonly next?: string;
}

export interface BatchRecord {
  readonly id: string;
  readonly name: string;
  readonly options: string;
  readonly totalJobs: number;
  readonly pendingJobs: number;
  readonly failedJobs: number;
  readonly endedJobs: number;
  readonly failedJobIds: readonly string[];
  readonly sealed: boolean;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly cancelledAt?: number;
  readonly finishedAt?: number;
}

export interface BatchProgress {
  readonly batch: BatchRecord;
  /** False when this end had been counted before: a repeat. */
  readonly counted: boolean;
  /** This was the first end of the batch. */
  readonly started: boolean;
  /** This end, or this seal, finished it. */
  readonly finished: boolean;
  /** This end cancelled it (`cancelOnFailure`). */
  readonly cancelled: boolean;
  /**
   * What is due and not yet confirmed; a repeat names it again. `catch`: since the first failure. `then`: every member succeeded, the
   * batch is sealed and was not cancelled. `finally`: it has finished; once in its life.
   */
  readonly due: readonly BatchCallback[];
}

export type BatchGrowth =
  | { readonly grown: true; readonly batch: BatchRecord }
  | { readonly grown: false; readonly reason: 'finished'; readonly batch: BatchRecord };
