import type { Dispatchable } from '../contracts/dispatchable.js';
import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import { BatchJob } from '../job/batch-job.js';
import { hasHooks, type BatchMoment, type BatchPlan } from '../job/batch-plan.js';
import { writeEnvelope } from '../job/envelope-writer.js';
import { definitionOfJob, type JobDefinition } from '../job/job-definition.js';
import { lockMarks, lockPolicies } from '../job/lock-policies.js';
import { fluentOptions, type FluentOptions } from '../job/fluent-options.js';
import type { Moment } from '../support/duration.js';
import { namedUuid } from '../support/named-uuid.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { timeOrderedUuid } from '../support/time-ordered-uuid.js';
import { PendingBatch, type BatchMember } from './pending-batch.js';
import { named, retrySpan, targetOf, type ChainWriting, type Scope } from './step-target.js';

/** What a chain says behind its head. */
export interface ChainBehind {
  readonly steps: readonly Dispatchable[];
  /** Sent when the job, or one of the steps, has failed for good. */
  readonly catch: readonly Dispatchable[];
  /** For jobs that name none. */
  readonly connection?: string | undefined;
  readonly queue?: string | undefined;
  /** For the head, unless it has one. */
  readonly delay?: Moment | undefined;
}

type Moments = Pick<Scope, 'now' | 'context' | 'trace'>;

/** A member of a batch as it is written down. */
export interface WrittenMember {
  /** Its own id and those of the steps behind it: each is a member. */
  readonly ids: readonly string[];
  /** Its job as it was written, before it was told what follows it. */
  readonly written: JobEnvelope;
  readonly envelope: JobEnvelope;
  readonly job: object;
}

/**
 * A job's envelope with everything that is to follow it, as it stands: each step an envelope of its own, with its id. The envelope
 * itself where nothing follows.
 *
 * @param said what the dispatch says over the job
 * @throws whatever is wrong with one of the jobs, saying which
 */
export function withChain(
  envelope: JobEnvelope,
  job: object,
  said: FluentOptions & { readonly behind?: ChainBehind },
  { now, context, trace }: Moments,
  services: ChainWriting,
): JobEnvelope {
  const own = fluentOptions(job);
  const { behind } = said;
  const chain = said.chain ?? own?.chain;
  if (!chain && !behind && !own?.catch && !said.catch) return envelope;
  const steps = [...(chain ?? []), ...(behind?.steps ?? [])];
  const callbacks = [...(own?.catch ?? []), ...(said.catch ?? []), ...(behind?.catch ?? [])];
  const { connection, queue } = behind ?? {};
  const mint = (): string => timeOrderedUuid(now);
  const scope: Scope = { connection, queue, now, context, trace, mint, around: new Set([job]) };
  const rest = stepsOf(steps, behind ? 1 : 0, scope, services);
  const caught = callbacksOf(callbacks, scope, services);
  if (rest.length === 0 && caught.length === 0) return envelope;
  return services.seals.signed({
    ...envelope,
    chain: { rest, ...(caught.length > 0 && { catch: caught }), ...named(connection, queue) },
  });
}

/** Jobs that a running one puts into its chain. @throws as `withChain` */
export function writeSteps(
  jobs: readonly Dispatchable[],
  chain: Pick<JobChain, 'connection' | 'queue'> | undefined,
  ids: Pick<Scope, 'now' | 'context' | 'mint' | 'batch'>,
  services: ChainWriting,
): readonly JobEnvelope[] {
  return stepsOf(jobs, 0, { ...named(chain?.connection, chain?.queue), ...ids, around: new Set() }, services);
}

/** A member of a batch, with the chain that it may be. @throws as `withChain` */
export function writeMember(member: BatchMember, scope: Scope, services: ChainWriting): WrittenMember {
  const [written, ...rest] = Array.isArray(member)
    ? stepsOf(member as readonly Dispatchable[], 0, scope, services)
    : stepOf(member, scope, services);
  const { catch: own, ...envelope } = written!;
  const chain = (rest.length > 0 || own) && {
    rest,
    ...(own && { catch: own }),
    ...named(scope.connection, scope.queue),
  };
  return {
    ids: [written!, ...rest].map(({ uuid }) => uuid),
    written: written!,
    envelope: chain ? { ...envelope, chain } : envelope,
    job: (Array.isArray(member) ? member[0] : member) as object,
  };
}

/** What is kept with a batch. @throws whatever is wrong with one of its callbacks, saying which */
export function writeBatchPlan(pending: PendingBatch, id: string, around: Scope, services: ChainWriting): BatchPlan {
  const { connection, queue, allowFailures = false } = pending.options;
  const { batch: _outer, ...inside } = around;
  const scope: Scope = {
    ...inside,
    connection: connection ?? around.batch?.connection ?? around.connection,
    queue: queue ?? around.batch?.queue ?? around.queue,
    callbackOf: id,
    placed: true,
  };
  const callbacks: Partial<Record<BatchMoment, readonly JobEnvelope[]>> = {};
  for (const [moment, jobs] of pending.callbacks) {
    const kind = moment === 'failure' ? 'allowFailures' : moment;
    callbacks[moment] = callbacksOf(jobs, scope, services, (index) => `Job number ${index} of the batch's ${kind}()`);
  }
  return { ...named(connection, queue), allowFailures, given: pending.given, callbacks };
}

/** Where the members of a batch go, and what each has to know of it. */
export function membersScope(id: string, plan: BatchPlan, { callbackOf: _none, ...around }: Scope): Scope {
  const connection = plan.connection ?? around.batch?.connection;
  const queue = plan.queue ?? around.batch?.queue;
  return {
    ...around,
    connection: connection ?? around.connection,
    queue: queue ?? around.queue,
    placed: true,
    batch: { id, ...(hasHooks(plan) && { hooks: true }), ...named(connection, queue) },
  };
}

/**
 * A batch as a job, with all its members inside.
 *
 * @param uuid of that job: the batch has an id that is made of it
 */
export function batchJob(pending: PendingBatch, uuid: string, around: Scope, services: ChainWriting): BatchJob {
  const id = namedUuid(uuid, 'batch');
  const within = inside(pending, around);
  const plan = writeBatchPlan(pending, id, within, services);
  const scope = membersScope(id, plan, within);
  const members = pending.jobs.map((member, index) =>
    numbered(`Member number ${index} of the batch`, () => {
      const { written, envelope } = writeMember(member, scope, services);
      return written === envelope ? envelope : services.seals.signed(envelope);
    }),
  );
  const { name = '', connection, queue } = pending.options;
  const job = new BatchJob(id, name, plan, members);
  if (connection !== undefined) job.onConnection(connection);
  if (queue !== undefined) job.onQueue(queue);
  return job;
}

/** A step that has a chain of its own is followed by it, before what comes behind the step. */
function stepsOf(jobs: readonly unknown[], first: number, scope: Scope, services: ChainWriting): JobEnvelope[] {
  return jobs.flatMap((job, index) =>
    numbered(`Step number ${first + index} of the chain`, () => stepOf(job, scope, services)),
  );
}

function stepOf(job: unknown, scope: Scope, services: ChainWriting): JobEnvelope[] {
  const envelope = nested(job, scope, services);
  const { chain = [], catch: caught = [] } = fluentOptions(job as object) ?? {};
  if (chain.length === 0 && caught.length === 0) return [envelope];
  const inner = inside(job as object, scope);
  const { batch: _members, ...outside } = inner;
  const callbacks = callbacksOf(caught, outside, services);
  const step = callbacks.length > 0 ? services.seals.signed({ ...envelope, catch: callbacks }) : envelope;
  return [step, ...stepsOf(chain, 0, inner, services)];
}

/** A callback may have a chain of its own. */
function callbacksOf(
  jobs: readonly unknown[],
  scope: Scope,
  services: ChainWriting,
  which = (index: number): string => `Catch job number ${index} of the chain`,
): JobEnvelope[] {
  return jobs.map((job, index) =>
    numbered(which(index), () => {
      const envelope = nested(job, scope, services);
      const { chain = [], catch: caught = [] } = fluentOptions(job as object) ?? {};
      if (chain.length === 0 && caught.length === 0) return envelope;
      const inner = inside(job as object, scope);
      const rest = stepsOf(chain, 0, inner, services);
      const callbacks = callbacksOf(caught, inner, services);
      return services.seals.signed({
        ...envelope,
        chain: { rest, ...(callbacks.length > 0 && { catch: callbacks }) },
      });
    }),
  );
}

function nested(given: unknown, scope: Scope, services: ChainWriting): JobEnvelope {
  const uuid = scope.mint();
  const job = given instanceof PendingBatch ? batchJob(given, uuid, scope, services) : given;
  const definition = definitionOfJob(job);
  services.dispatching(definition);
  const { codec, seals, hooks, connections } = services;
  const target = targetOf(job as object, definition, scope, services);
  const to = connections.routes.resolve(
    { connection: target.connection ?? scope.connection, queue: target.queue ?? scope.queue },
    { connection: connections.defaultName, queueOf: (name) => connections.get(name).defaultQueue },
  );
  const { now, context, trace } = scope;
  const marks = marksOf(job as object, definition, uuid, scope);
  const written = { uuid, now, context, trace, marks, connection: to.connection, queue: to.queue };
  const envelope = writeEnvelope(job as object, definition, written, codec, hooks(), seals);
  services.watch?.written(given as object, uuid);
  const retryForMs = retrySpan(job as object, envelope, scope.now);
  const own = { ...target, ...(retryForMs !== undefined && { retryForMs }) };
  return Object.keys(own).length > 0 ? seals.signed({ ...envelope, target: own }) : envelope;
}

/** Locks are not for members of a batch. */
function marksOf(
  job: object,
  definition: JobDefinition,
  uuid: string,
  { batch, callbackOf }: Scope,
): Partial<JobEnvelope> | undefined {
  if (batch) {
    const { id, ...known } = batch;
    return { batchId: id, ...(Object.keys(known).length > 0 && { batch: known }) };
  }
  const policies = lockPolicies(job, definition);
  const locks = policies && lockMarks(policies, uuid);
  return callbackOf === undefined ? locks : { ...locks, callbackOf };
}

function inside(job: object, scope: Scope): Scope {
  if (scope.around.has(job)) {
    throw new InvalidOptionError(
      job instanceof PendingBatch
        ? 'A batch is a part of itself. Give it another one.'
        : `${job.constructor.name} is a step of its own chain. Give the chain another instance.`,
    );
  }
  return { ...scope, around: new Set([...scope.around, job]) };
}

function numbered<T>(which: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof Error) error.message = `${which}: ${error.message}`;
    throw error;
  }
}
