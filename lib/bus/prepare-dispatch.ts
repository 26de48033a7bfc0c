import type { ConnectionManager } from '../connections/connection-manager.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { FunctionClosure } from '../job/closure.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { writeEnvelope } from '../job/envelope-writer.js';
import { definitionOfJob, type JobDefinition } from '../job/job-definition.js';
import { keptApart, lockMarks, lockPolicies } from '../job/lock-policies.js';
import { readName } from '../job/job-policies.js';
import { messageOptions } from '../job/message-options.js';
import type { PayloadCodec } from '../job/payload-codec.js';
import type { PayloadHook } from '../job/payload-hooks.js';
import type { ContextValues } from '../job/request-context.js';
import { fluentOptions, type FluentOptions } from '../job/fluent-options.js';
import type { Clock } from '../support/clock.js';
import { delayMs } from '../support/duration.js';
import { timeOrderedUuid } from '../support/time-ordered-uuid.js';
import type { DispatchOnce } from './dispatch-once.js';
import type { Carry, DispatchTraces } from './dispatch-traces.js';
import type { DispatchWatch } from './dispatch-watch.js';
import type { Prepared } from './prepared.js';
import { PendingBatch } from './pending-batch.js';
import type { Scope } from './step-target.js';
import { batchJob, withChain, type ChainBehind } from './write-chain.js';

export type { Prepared } from './prepared.js';

/** What one dispatch says, over what the job says. */
export interface DispatchOptions extends FluentOptions {
  /** An EntityManager: the job is stored in its transaction. */
  readonly within?: unknown;
  /** Of a chain whose head the job is: what stands behind what the job itself says. */
  readonly behind?: ChainBehind;
  /** Several processes make it, and one of them is to send it. */
  readonly once?: DispatchOnce;
  /** It is run without a queue: no lock is taken for it, and none is given back. */
  readonly unmarked?: true;
}

export interface PreparationServices {
  readonly connections: ConnectionManager;
  readonly codec: PayloadCodec;
  readonly seals: EnvelopeSeals;
  /** What jobs that are dispatched now carry of their context. Asked once for each dispatch or bulk. */
  readonly carried: () => ContextValues | undefined;
  readonly hooks: () => readonly PayloadHook[];
  readonly clock: Clock;
  /** Told of every class that is dispatched, so that one nobody here runs can be pointed out. */
  readonly dispatching: (definition: JobDefinition) => void;
  readonly watch?: DispatchWatch;
  /** Absent where nothing is traced. */
  readonly traces?: DispatchTraces;
}

/**
 * Looks where a job goes and writes it down.
 *
 * @param context what it carries; jobs that are dispatched together are given the same
 * @param carry what it carries of the trace that sends it, asked once it is known where it goes
 * @throws whatever is wrong with the job or where it should go, before anything is stored
 */
export function prepareDispatch(
  given: object,
  options: DispatchOptions,
  services: PreparationServices,
  context: ContextValues | undefined,
  carry?: Carry,
): Prepared {
  const now = services.clock.now();
  const { once } = options;
  const uuid = once?.id ?? timeOrderedUuid(now);
  const job = given instanceof PendingBatch ? headBatch(given, uuid, options, { now, context }, services) : given;
  const definition = definitionOfJob(job);
  services.dispatching(definition);
  const said: DispatchOptions = { ...fluentOptions(job), ...options };
  const to = services.connections.routes.resolve(
    {
      type: definition.type,
      connection:
        said.connection ?? readName(job, 'connection', definition) ?? definition.connection ?? said.behind?.connection,
      queue: said.queue ?? readName(job, 'queue', definition) ?? definition.queue ?? said.behind?.queue,
    },
    {
      connection: services.connections.defaultName,
      queueOf: (name) => services.connections.get(name).defaultQueue,
    },
  );
  const connection = services.connections.get(to.connection);
  const policies = once?.lockKey === undefined ? lockPolicies(job, definition) : keptApart(once.lockKey);
  const waits = policies?.debounce && policies.debounce.delayMs / 1_000;
  const delay = said.delay === undefined ? (definition.delay ?? said.behind?.delay ?? waits) : said.delay;
  const delayInMs = delay === undefined || delay === null ? 0 : delayMs(delay, `${definition.type.name}: delay`, now);
  const { inProcess } = connection;
  const trace = carry?.(connection, to.queue, uuid, definition.name);
  const written = writeEnvelope(
    job,
    definition,
    {
      uuid,
      now,
      dueAt: delayInMs > 0 ? now + delayInMs : undefined,
      connection: to.connection,
      queue: to.queue,
      context,
      trace,
      inProcess,
      marks: policies && !options.unmarked ? lockMarks(policies, uuid) : undefined,
    },
    services.codec,
    services.hooks(),
    services.seals,
  );
  const body = JSON.stringify(withChain(written, job, options, { now, context, trace }, services));
  const prepared: Prepared = {
    connection,
    afterCommit: said.afterCommit ?? definition.afterCommit ?? connection.afterCommit,
    receipt: { id: uuid, connection: to.connection, queue: to.queue },
    ...(policies && { policies }),
    outgoing: {
      job,
      entry: {
        id: uuid,
        queue: to.queue,
        body,
        delayMs: delayInMs,
        ...messageOptions(job, definition, said, body),
        ...(once && { once: { ttlMs: once.ttlMs } }),
        ...(inProcess && job instanceof FunctionClosure && { live: job }),
      },
      requestedQueue: to.requestedQueue,
      delaySeconds: delay === undefined || delay === null ? null : delayInMs / 1_000,
    },
  };
  services.watch?.prepared(given, options, prepared);
  return prepared;
}

/** The same for the jobs of a bulk, which carry the same. @throws as `prepareDispatch`, saying which job it is */
export function prepareAll(jobs: readonly object[], services: PreparationServices, carry?: Carry): readonly Prepared[] {
  const context = services.carried();
  return jobs.map((job, index) => {
    try {
      return prepareDispatch(job, {}, services, context, carry);
    } catch (error) {
      if (error instanceof Error) error.message = `Job number ${index} of the bulk: ${error.message}`;
      throw error;
    }
  });
}

/** A batch as the first step of a chain. */
function headBatch(
  batch: PendingBatch,
  uuid: string,
  { behind }: DispatchOptions,
  moments: Pick<Scope, 'now' | 'context'>,
  services: PreparationServices,
): object {
  const mint = (): string => timeOrderedUuid(moments.now);
  const place = { connection: behind?.connection, queue: behind?.queue };
  return batchJob(batch, uuid, { ...place, ...moments, mint, around: new Set() }, services);
}

/** A job as it is run in this process: written down and read back, as it would be anywhere else. */
export function prepareInProcess(job: object, connection: string, services: PreparationServices): ReservedJob {
  const definition = definitionOfJob(job);
  const { clock, codec, hooks, seals, carried } = services;
  const now = clock.now();
  const to = { uuid: timeOrderedUuid(now), now, connection, queue: connection, context: carried(), inProcess: true };
  const written = writeEnvelope(job, definition, to, codec, hooks(), seals);
  const body = JSON.stringify(withChain(written, job, {}, to, services));
  services.watch?.writtenInProcess(job, body);
  const reserved = {
    id: to.uuid,
    queue: connection,
    body,
    priority: 0,
    attempts: 1,
    stalls: 0,
    token: '',
    leasedUntil: 0,
  };
  return job instanceof FunctionClosure ? { ...reserved, live: job } : reserved;
}
