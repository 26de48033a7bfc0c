import type { ConnectionManager } from '../connections/connection-manager.js';
import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import type { JobDefinition } from '../job/job-definition.js';
import { readName } from '../job/job-policies.js';
import { lockPolicies } from '../job/lock-policies.js';
import type { PayloadCodec } from '../job/payload-codec.js';
import type { PayloadHook } from '../job/payload-hooks.js';
import { fluentOptions } from '../job/fluent-options.js';
import type { ContextValues } from '../job/request-context.js';
import { delayMs } from '../support/duration.js';
import type { DispatchTraces } from './dispatch-traces.js';

export interface ChainWriting {
  readonly connections: ConnectionManager;
  readonly codec: PayloadCodec;
  readonly seals: EnvelopeSeals;
  readonly hooks: () => readonly PayloadHook[];
  readonly dispatching: (definition: JobDefinition) => void;
  readonly watch?: { written(job: object, id: string): void };
  /** Absent where nothing is traced. */
  readonly traces?: DispatchTraces;
}

/** Where steps go that do not say, and what ids they get. */
export interface Scope {
  readonly connection?: string | undefined;
  readonly queue?: string | undefined;
  readonly now: number;
  readonly context: ContextValues | undefined;
  /** Of the trace that writes them, for whoever sends them without one. */
  readonly trace?: JobEnvelope['trace'] | undefined;
  /** The id of the next one. */
  readonly mint: () => string;
  /** The jobs around the one that is being written. */
  readonly around: ReadonlySet<object>;
  /** They are members of this batch, whose place beats their own. */
  readonly batch?: { readonly id: string } & NonNullable<JobEnvelope['batch']>;
  /** They are callbacks of this batch. */
  readonly callbackOf?: string;
  /** What this says of the place is written into each: nobody is there to say it when they are sent. */
  readonly placed?: true;
}

type Target = NonNullable<JobEnvelope['target']>;

/**
 * What the job itself says of where it goes; its class's route only where the chain says nothing, which comes before routes. A batch
 * that says something is asked before all of them.
 */
export function targetOf(
  job: object,
  definition: JobDefinition,
  scope: Scope,
  { connections }: Pick<ChainWriting, 'connections'>,
): Target {
  const { batch, placed } = scope;
  const said = fluentOptions(job) ?? {};
  const route = connections.routes.routeOf(definition.type);
  const connection =
    batch?.connection ??
    said.connection ??
    readName(job, 'connection', definition) ??
    definition.connection ??
    (scope.connection === undefined ? route?.connection : placed && scope.connection);
  const queue =
    batch?.queue ??
    said.queue ??
    readName(job, 'queue', definition) ??
    definition.queue ??
    (scope.queue === undefined ? route?.queue : placed && scope.queue);
  // Jobs of a batch do not give way to each other.
  const debounce = batch ? undefined : lockPolicies(job, definition)?.debounce;
  const delay = said.delay === undefined ? (definition.delay ?? (debounce && debounce.delayMs / 1_000)) : said.delay;
  const wait = delay === undefined || delay === null ? 0 : delayMs(delay, `${definition.type.name}: delay`, scope.now);
  return {
    ...(connection !== undefined && { connection }),
    ...(queue !== undefined && { queue }),
    ...(wait > 0 && (delay instanceof Date ? { dueAt: scope.now + wait } : { delayMs: wait })),
  };
}

/** A job that may be tried for ten minutes means ten minutes from when it is enqueued, unless it names the moment itself. */
export function retrySpan(job: object, { retryUntil }: JobEnvelope, now: number): number | undefined {
  if (retryUntil === undefined || (job as { retryUntil?: unknown }).retryUntil instanceof Date) return undefined;
  return Math.max(0, retryUntil - now);
}

export function named(
  connection: string | undefined,
  queue: string | undefined,
): Pick<JobChain, 'connection' | 'queue'> {
  return { ...(connection !== undefined && { connection }), ...(queue !== undefined && { queue }) };
}
