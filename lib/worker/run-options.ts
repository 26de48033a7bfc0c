import type { AsyncLocalStorage } from 'node:async_hooks';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { JobDefinition } from '../job/job-definition.js';
import type { RegisteredJob } from '../job/job-registry.js';
import type { RequestContextOption } from '../job/request-context.js';
import type { Clock } from '../support/clock.js';
import type { AttemptLimits } from './decide.js';

/** For jobs that do not say; milliseconds. */
export interface RunOptions {
  readonly tries: number;
  readonly backoff: readonly number[];
  readonly timeoutMs: number;
  readonly maxStalls: number;
  readonly unknownJobTries: number;
  /** False on in-process connections: one attempt, no limits looked at, nothing retried. */
  readonly limited: boolean;
  /** False on in-process connections: timeouts do not apply. */
  readonly timeouts: boolean;
}

/** What holds for an attempt: what its job says, else what its worker says. */
export function limitsOf(displayName: string, envelope: JobEnvelope | undefined, options: RunOptions): AttemptLimits {
  return {
    displayName,
    tries: envelope?.maxTries ?? options.tries,
    ...(envelope?.retryUntil === undefined ? {} : { retryUntil: envelope.retryUntil }),
    backoff: envelope?.backoff ?? options.backoff,
    ...(envelope?.maxExceptions === undefined ? {} : { maxExceptions: envelope.maxExceptions }),
    failOnTimeout: envelope?.failOnTimeout ?? false,
    maxStalls: options.maxStalls,
  };
}

/** What an attempt takes from the floors around it. */
export interface RunServices<Attempt> {
  readonly clock: Clock;
  /** Tells which attempt a stray error belongs to. */
  readonly storage: AsyncLocalStorage<Attempt>;
  /** @throws where the body is not an envelope */
  readonly read: (body: string) => JobEnvelope;
  /** Why a job must not run whose envelope could be read: its signature is missing or wrong. */
  readonly refusal?: (envelope: JobEnvelope, id: string, definition: JobDefinition | undefined) => Error | undefined;
  /** The job as its handler sees it: fields set, entities fetched, context attached. At once where nothing has to be fetched. */
  readonly revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>;
  /** Brings back the middleware that travelled with a job. */
  readonly through: (envelope: JobEnvelope, id: string) => readonly JobMiddleware[] | Promise<readonly JobMiddleware[]>;
  /** The application's own way to bring back what jobs carry of the context they were dispatched from. */
  readonly restore?: RequestContextOption['restore'] | undefined;
  /** What holds between a job and others of its kind. */
  readonly others?: {
    /** A newer dispatch has taken the place of a debounced job: it ends without having run. */
    superseded(envelope: JobEnvelope, context: JobContext): Promise<boolean>;
    /** The handler starts: from now on another job of the kind may be dispatched. */
    started(envelope: JobEnvelope, context: JobContext): Promise<void>;
  };
  /** What comes of a job that could not be brought back: `undefined` where it is an exception like any other. */
  readonly verdictOnOpening: (error: unknown, envelope: JobEnvelope) => 'done' | 'failed' | undefined;
}
