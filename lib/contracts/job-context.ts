import type { Moment } from '../support/duration.js';
import type { Batch } from './batch.js';
import type { Dispatchable } from './dispatchable.js';

/**
 * The running job as its handler, middleware and event listeners see it. Injected by `@Inject(JOB_REF)`, and `this.context` of a
 * Queueable. Its verbs record an intent; what comes of it is decided when the attempt ends. The first intent holds.
 */
export interface JobContext {
  /** The job's uuid: the same value in the receipt and in a failed record. */
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly connection: string;
  readonly queue: string;
  /** Pick-ups, this one included. */
  readonly attempts: number;
  /** The envelope as it travelled. */
  readonly payload: object;
  /** Aborts when the job has timed out, lost its lease, was removed, or its worker must end. The reason tells which. */
  readonly signal: AbortSignal;
  /** In a `catch` callback and in events after a failure: what went wrong. */
  readonly error?: unknown;
  readonly batchId?: string | undefined;
  readonly tags: readonly string[];
  /** Back to the queue, after a delay if given. */
  release(delay?: Moment): void;
  /** No further try: the job is recorded as failed. */
  fail(error?: Error | string): void;
  /** Done, whatever else happens. */
  delete(): void;
  /** Puts jobs right behind this one, before what follows already. They count only if this attempt succeeds. */
  prependToChain(jobs: readonly Dispatchable[]): void;
  /** As `prependToChain`, at the end of the chain. */
  appendToChain(jobs: readonly Dispatchable[]): void;
  batch(): Promise<Batch | null>;
}

/** Injects the JobContext of the running job: `@Inject(JOB_REF) context: JobContext`. */
export const JOB_REF: unique symbol = Symbol.for('nestjs-queue:job-ref');
