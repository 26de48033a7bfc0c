/** A job that ended in failure, with what is needed to run it again. */
export interface FailedJob {
  /** The job's uuid. */
  readonly id: string;
  readonly connection: string;
  readonly queue: string;
  /** '' where the body could not be read. */
  readonly name: string;
  readonly displayName: string;
  /** The body as it stood in the queue, byte for byte. */
  readonly payload: string;
  /** Name, message, stack and causes, up to 64 K characters. */
  readonly exception: string;
  readonly failedAt: Date;
  readonly batchId?: string;
}

export interface FailedJobQuery {
  readonly queue?: string;
  readonly connection?: string;
}

export interface FailedJobStore {
  /** The same id twice is one record: the later one. */
  record(failures: readonly FailedJob[]): Promise<void>;
  find(id: string): Promise<FailedJob | undefined>;
  /** Newest first (ties: latest record first). `next` is the cursor of the page behind it; absent on the last. */
  page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }>;
  count(query?: FailedJobQuery): Promise<number>;
  /**
   * How many of them there were. `failedAt`, aligned with the ids: a record of another moment stays, since its job has failed again; each
   * id comes once then.
   */
  forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number>;
  /** Removes what failed at or before `failedAt`, everything without it; tells how many. Works in chunks. */
  prune(failedAt?: Date): Promise<number>;
}
