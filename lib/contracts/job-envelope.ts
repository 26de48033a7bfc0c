/**
 * What travels: JSON, versioned, readable in any store browser. Moments are epoch milliseconds, durations milliseconds.
 * The words are Laravel's where it has them.
 */
export interface JobEnvelope {
  readonly v: 1;
  /** The job's one identity: receipt, context, failed record. Survives release and retry. */
  readonly uuid: string;
  /** The registered name. Looked up in a Map of registered jobs, never anywhere else. */
  readonly name: string;
  /** What people see in lists and log lines. */
  readonly displayName: string;
  /** The job's fields as the payload codec wrote them; text where they are encrypted. */
  readonly data: string | object;
  readonly createdAt: number;
  /** From when it was to be taken; absent where that is `createdAt`. The store decides; this is for those who measure. */
  readonly dueAt?: number;
  /** 0 is unlimited; absent leaves it to the worker's option. */
  readonly maxTries?: number;
  readonly maxExceptions?: number;
  readonly backoff?: readonly number[];
  /** 0 is none; absent leaves it to the worker's option. */
  readonly timeout?: number;
  readonly retryUntil?: number;
  readonly failOnTimeout?: boolean;
  readonly deleteWhenMissingEntities?: boolean;
  readonly encrypted?: boolean;
  readonly signature?: string;
  /** Where a job that waits inside another (a chain's step, a callback) wants to go. */
  readonly target?: {
    readonly connection?: string;
    readonly queue?: string;
    /** Counts from when it is enqueued. */
    readonly delayMs?: number;
    /** Epoch ms, where a moment was given instead of a delay. */
    readonly dueAt?: number;
    /** From when it is enqueued until when it may be tried: it is not known yet when that will be. */
    readonly retryForMs?: number;
    readonly priority?: number;
  };
  readonly chain?: JobChain;
  /** Sent when this very job has failed for good; those of the whole chain are in `chain.catch`. */
  readonly catch?: readonly JobEnvelope[];
  /** In a callback: why it was sent. */
  readonly cause?: FailureCause;
  /** It is a member of this batch, and counts there by its uuid. */
  readonly batchId?: string;
  /** What a member has to know of its batch; absent where there is nothing. */
  readonly batch?: {
    /** Jobs are sent for each end of a member. */
    readonly hooks?: true;
    /** Where every member goes. */
    readonly connection?: string;
    readonly queue?: string;
  };
  /** It is a callback of this batch, which it does not count in. */
  readonly callbackOf?: string;
  /** Its owner is the job's id, or tells it. */
  readonly unique?: {
    readonly key: string;
    readonly until: 'start' | 'end';
    /** Absent: as long as the job lives. */
    readonly ttlMs?: number;
    /** The connection that keeps it; absent where that is the module's place for locks. */
    readonly via?: string;
  };
  readonly debounce?: {
    readonly key: string;
    readonly owner: string;
    readonly via?: string;
    /** Something is kept of when the first of its burst was dispatched. */
    readonly first?: true;
  };
  /** Middleware given by `through()`, as the codec wrote it; text where the job is encrypted. */
  readonly middleware?: string | readonly object[];
  readonly tags?: readonly string[];
  /** It was retried by hand after it had failed then. When it is done, that failure is recorded no longer. */
  readonly retried?: number;
  readonly context?: Readonly<Record<string, string>>;
  /** Of the trace that sent it, under the names of the W3C headers; absent where nothing was traced. */
  readonly trace?: Readonly<Record<string, string>>;
  /** What payload hooks added. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** What goes on when a job is done, and what is sent when it, or one behind it, has failed for good. Each id was given when it was written. */
export interface JobChain {
  /** The steps still to come, the next one in front. */
  readonly rest: readonly JobEnvelope[];
  readonly catch?: readonly JobEnvelope[];
  /** For steps that name none. */
  readonly connection?: string;
  readonly queue?: string;
}

/** An error as it travels: not the object, but what there is to read of it. */
export interface FailureCause {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}
