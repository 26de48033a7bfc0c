import type { EventHub } from '../connections/event-hub.js';
import type { FailedJob } from '../contracts/failed-job-store.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { Effects, ReservedJob } from '../contracts/queue-driver.js';
import { JobQueued, JobQueueing, UniqueJobSkipped } from '../contracts/queue-events.js';
import type { AttemptContext } from '../job/job-context.js';
import { errorText } from '../support/error-text.js';
import { QueueError } from '../support/queue-error.js';
import type { AfterStep } from './after-attempt.js';
import { causeOf } from './failure-cause.js';
import { callbacksOf, nextInChain, placeOf, type Waiting } from './next-in-chain.js';
import { placeFollowUp, resealed, type FollowUp, type FollowUpServices } from './place-follow-up.js';
import { holds, raiseQueueing, sendFollowUps, type FollowedFrom } from './send-follow-ups.js';
import { UniqueJobSkippedError } from './unique-job-skipped-error.js';

export interface ChainServices extends FollowUpServices {
  readonly hub: EventHub;
  /** Takes a job through what a dispatch of its own would pass; `undefined` where a unique lock stopped it. */
  readonly admit: (job: FollowUp, after: AttemptContext | undefined) => Promise<FollowUp | undefined>;
  /** Records a job that no waiting would get into its queue. */
  readonly record: (failure: FailedJob) => Promise<void>;
  /** Once the store is reached it answers at once. */
  readonly from: (connection: string) => Promise<FollowedFrom>;
  readonly report: (message: string, error: unknown) => void;
}

/**
 * What a chain does when one of its jobs has ended: done, the next one is enqueued; failed for good, its callbacks are. A job that has
 * neither costs one look.
 */
export function followChain(connection: string, services: ChainServices): AfterStep {
  return ({ context, outcome }, reserved) => {
    const { envelope, following } = context;
    if (!envelope || (!envelope.chain && !envelope.catch && !following) || outcome.kind === 'retry') return undefined;
    if (context.handedOver) return undefined;
    const error = outcome.kind === 'failed' ? outcome.error : undefined;
    return follow(context, envelope, error, reserved, connection, services);
  };
}

async function follow(
  context: AttemptContext,
  envelope: JobEnvelope,
  error: Error | undefined,
  reserved: ReservedJob,
  connection: string,
  services: ChainServices,
): Promise<Effects | 'lost' | undefined> {
  const { hub } = services;
  const from = await services.from(connection);
  const planned = await plan(context, envelope, error, services);
  if (planned.misplaced.length > 0) {
    if (!(await holds(reserved, from))) return 'lost';
    for (const failure of planned.misplaced) await services.record(failure);
  }
  const riding = await sendFollowUps(planned.jobs, reserved, from);
  if (riding === 'lost') return riding;
  const queued = raiseQueueing(riding, hub);
  const { skipped } = planned;
  if (queued || skipped.length > 0) {
    context.accepted = () => {
      raiseSkipped(skipped, hub);
      return queued?.();
    };
  }
  return riding.length > 0 ? { push: riding.map(({ outgoing }) => outgoing.entry) } : undefined;
}

export interface Plan {
  readonly jobs: readonly FollowUp[];
  /** Those that there is no place for. */
  readonly misplaced: readonly FailedJob[];
  /** Those that a unique lock stopped, as their event shows them. */
  readonly skipped: readonly object[];
}

const NOTHING: Plan = { jobs: [], misplaced: [], skipped: [] };

export function raiseSkipped(skipped: readonly object[], hub: EventHub): void {
  for (const job of skipped) hub.emit(new UniqueJobSkipped(job));
}

/** What is to be sent. A step that cannot be has failed, and with it the chain. */
export async function plan(
  context: AttemptContext | undefined,
  envelope: Pick<JobEnvelope, 'chain' | 'catch' | 'displayName'>,
  error: Error | undefined,
  services: ChainServices,
): Promise<Plan> {
  if (error) return caught(context, envelope, error, services);
  const next = nextInChain(envelope, context?.following);
  if (!next) return NOTHING;
  const placed = await placedOr(next, envelope, services);
  if ('failure' in placed) {
    const after = await caught(context, next.envelope, placed.error, services);
    return { ...after, misplaced: [placed.failure, ...after.misplaced] };
  }
  const admitted = await services.admit(placed, context);
  if (admitted) return { ...NOTHING, jobs: [admitted] };
  const after = await caught(context, next.envelope, new UniqueJobSkippedError(next.envelope.displayName), services);
  return { ...after, skipped: [await services.shown(next.envelope), ...after.skipped] };
}

/** The callbacks of a chain. Nobody vouches for those of a job whose signature does not hold. */
async function caught(
  context: AttemptContext | undefined,
  envelope: Pick<JobEnvelope, 'chain' | 'catch' | 'displayName'>,
  error: Error,
  services: ChainServices,
): Promise<Plan> {
  return planned(isUnvouched(error) ? [] : callbacksOf(envelope, causeOf(error)), envelope, context, services);
}

/**
 * Looks where jobs go that are sent for another one, and takes them through what a dispatch would pass.
 *
 * @param envelope the one that they are sent for
 */
export async function planned(
  waiting: readonly Waiting[],
  envelope: Pick<JobEnvelope, 'chain' | 'displayName'>,
  context: AttemptContext | undefined,
  services: ChainServices,
): Promise<Plan> {
  const jobs: FollowUp[] = [];
  const misplaced: FailedJob[] = [];
  const skipped: object[] = [];
  for (const one of waiting) {
    const placed = await placedOr(one, envelope, services);
    if ('failure' in placed) {
      misplaced.push(placed.failure);
      continue;
    }
    const admitted = await services.admit(placed, context);
    if (admitted) jobs.push(admitted);
    else skipped.push(await services.shown(one.envelope));
  }
  return { jobs, misplaced, skipped };
}

function isUnvouched(error: Error): boolean {
  return (error as { readonly code?: unknown }).code === 'ERR_QUEUE_SIGNATURE';
}

async function placedOr(
  waiting: Waiting,
  behind: Pick<JobEnvelope, 'chain' | 'displayName'>,
  services: ChainServices,
): Promise<FollowUp | { readonly failure: FailedJob; readonly error: Error }> {
  const { hub, connections, report } = services;
  const { envelope } = waiting;
  const chain = placeOf(behind.chain);
  try {
    return await placeFollowUp(waiting, chain, hub.heard(JobQueueing) || hub.heard(JobQueued), services);
  } catch (error) {
    if (!(error instanceof QueueError) || error.transient) throw error;
    report(
      `${envelope.displayName} [${envelope.uuid}], which was to follow ${behind.displayName}, is recorded as failed`,
      error,
    );
    const { target = {} } = envelope;
    const failure: FailedJob = {
      id: envelope.uuid,
      connection: target.connection ?? chain.connection ?? connections.defaultName,
      queue: target.queue ?? chain.queue ?? 'default',
      name: envelope.name,
      displayName: envelope.displayName,
      payload: JSON.stringify(resealed(waiting.written, envelope, services.seals)),
      exception: errorText(error),
      failedAt: new Date(connections.clock.now()),
    };
    return { failure, error };
  }
}
