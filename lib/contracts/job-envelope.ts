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
    readonly delayMs?: number;
    readonly priority?: number;
  };
  readonly chain?: {
    readonly rest: readonly JobEnvelope[];
    readonly catch?: readonly JobEnvelope[];
    readonly connection?: string;
    readonly queue?: string;
  };
  readonly batchId?: string;
  readonly unique?: { readonly key: string; readonly until: 'start' | 'end' };
  readonly debounce?: { readonly key: string; readonly owner: string };
  /** Middleware given by `through()`, as the codec wrote it. */
  readonly middleware?: readonly object[];
  readonly tags?: readonly string[];
  readonly context?: Readonly<Record<string, string>>;
  /** What payload hooks added. */
  readonly extra?: Readonly<Record<string, unknown>>;
}
