import type { EventHub } from '../connections/event-hub.js';
import type { BatchStore, MemberEnd } from '../contracts/batch-store.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { Effects, ReservedJob } from '../contracts/queue-driver.js';
import { readBatchPlan, type BatchPlan } from '../job/batch-plan.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import type { AttemptContext } from '../job/job-context.js';
import type { AfterStep, EndedAttempt } from './after-attempt.js';
import { batchHooks } from './batch-hooks.js';
import type { BatchFollower } from './follow-batch.js';
import type { Waiting } from './next-in-chain.js';
import type { FollowUp } from './place-follow-up.js';
import { holds, raiseQueueing, sendFollowUps, type FollowedFrom } from './send-follow-ups.js';

export interface BatchRecording {
  readonly store: () => Promise<BatchStore>;
  /** A member's end is counted by the very write that settles the job. Known once both stores have been asked for; false is always safe. */
  readonly withSettlement: (connection: string) => boolean;
  readonly from: (connection: string) => Promise<FollowedFrom>;
  readonly follower: BatchFollower;
  readonly hub: EventHub;
  readonly seals: EnvelopeSeals;
  /** Looks where jobs go that ride on the settlement of another. */
  readonly place: (jobs: readonly Waiting[], plan: BatchPlan, context: AttemptContext) => Promise<readonly FollowUp[]>;
  /** Sends jobs now. */
  readonly send: (jobs: readonly Waiting[], plan: BatchPlan, context: AttemptContext) => Promise<void>;
  readonly report: (message: string, error: unknown) => void;
}

/** Plans that are kept at hand: they never change. */
const KEPT_PLANS = 200;

/** Counts the ends of a batch's members. A job outside a batch costs one look. */
export class BatchRecorder {
  readonly #plans = new Map<string, BatchPlan>();

  constructor(private readonly services: BatchRecording) {}

  /** Steps that a member has put into its chain are members before any of them is sent. */
  grow(connection: string): AfterStep {
    return ({ context, outcome }, reserved) => {
      const batchId = context.envelope?.batchId;
      const added = batchId === undefined || outcome.kind !== 'done' ? [] : addedSteps(context);
      return added.length === 0 ? undefined : this.#grow(connection, batchId!, added, reserved);
    };
  }

  /** The member's end itself. */
  end(connection: string): AfterStep {
    return ({ context, outcome }, reserved) => {
      const member = endOf({ context, outcome }, reserved);
      if (!member) return undefined;
      const error = outcome.kind === 'failed' ? outcome.error : undefined;
      if (context.envelope?.batch?.hooks || !this.services.withSettlement(connection)) {
        return this.#record(connection, context, member, error, reserved);
      }
      this.#listen(context, error);
      return { member };
    };
  }

  /** The same for a job that was run in this process. Never rejects. */
  async inProcess(ended: EndedAttempt): Promise<void> {
    const { context, outcome } = ended;
    const member = endOf(ended, context.reserved);
    if (!member) return;
    const { services } = this;
    const error = outcome.kind === 'failed' ? outcome.error : undefined;
    const { batchId, ...end } = member;
    try {
      const store = await services.store();
      const added = error ? [] : addedSteps(context);
      if (added.length > 0) await store.grow(batchId, added, end.jobId);
      const plan = context.envelope?.batch?.hooks ? await this.#plan(batchId) : undefined;
      if (plan) await services.send(batchHooks(plan, member, error, services.seals), plan, context);
      const progress = await store.recordEnd(batchId, end);
      if (progress) await services.follower.follow(progress, error);
    } catch (why) {
      services.report(`${context.displayName} [${context.id}] has ended, but its batch could not be told`, why);
    }
  }

  /** A step that no waiting would get into a queue has failed before it was enqueued. */
  async misplaced(envelope: JobEnvelope, error: Error): Promise<void> {
    if (envelope.batchId === undefined) return;
    const behind = (envelope.chain?.rest ?? []).map(({ uuid }) => uuid);
    const end = { jobId: envelope.uuid, outcome: 'failed' as const, ...(behind.length > 0 && { alsoEnded: behind }) };
    const progress = await (await this.services.store()).recordEnd(envelope.batchId, end);
    if (progress) await this.services.follower.follow(progress, error);
  }

  async #grow(
    connection: string,
    batchId: string,
    added: readonly string[],
    reserved: ReservedJob,
  ): Promise<'lost' | undefined> {
    const { store, from } = this.services;
    if (!(await holds(reserved, await from(connection)))) return 'lost';
    await (await store()).grow(batchId, added, reserved.id);
    return undefined;
  }

  async #record(
    connection: string,
    context: AttemptContext,
    member: MemberEnd,
    error: Error | undefined,
    reserved: ReservedJob,
  ): Promise<Effects | 'lost' | undefined> {
    const { services } = this;
    const store = await services.store();
    const from = await services.from(connection);
    // Asked anew: the store of batches has been reached by now.
    const counted = services.withSettlement(connection);
    const plan = context.envelope?.batch?.hooks ? await this.#plan(member.batchId) : undefined;
    const hooks = plan ? batchHooks(plan, member, error, services.seals) : [];
    const riding = plan ? await sendFollowUps(await services.place(hooks, plan, context), reserved, from) : [];
    if (riding === 'lost') return 'lost';
    const queued = raiseQueueing(riding, services.hub);
    if (queued) {
      const before = context.accepted;
      context.accepted = async () => {
        await before?.();
        await queued();
      };
    }
    const push = riding.length > 0 && { push: riding.map(({ outgoing }) => outgoing.entry) };
    if (counted) {
      this.#listen(context, error);
      return { ...push, member };
    }
    if (!(await holds(reserved, from))) return 'lost';
    const { batchId, ...end } = member;
    const progress = await store.recordEnd(batchId, end);
    if (progress) await services.follower.follow(progress, error);
    return push || undefined;
  }

  /** What follows is known from the settlement's answer. */
  #listen(context: AttemptContext, error: Error | undefined): void {
    context.counted = (progress) => progress && this.services.follower.follow(progress, error);
  }

  async #plan(batchId: string): Promise<BatchPlan | undefined> {
    const known = this.#plans.get(batchId);
    if (known) return known;
    const record = await (await this.services.store()).find(batchId);
    if (!record) return undefined;
    const plan = readBatchPlan(record.options);
    if (this.#plans.size >= KEPT_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
    this.#plans.set(batchId, plan);
    return plan;
  }
}

/**
 * A member's end. A job that its chain ends with takes along what stands behind it: that will not run, and has ended too.
 *
 * @returns `undefined` for a job that is no member, has not ended, or for which a batch of its own stands
 */
function endOf({ context, outcome }: EndedAttempt, reserved: ReservedJob): MemberEnd | undefined {
  if (outcome.kind === 'retry' || context.handedOver) return undefined;
  const { envelope } = context;
  const batchId = envelope ? envelope.batchId : batchIn(reserved.body);
  if (batchId === undefined) return undefined;
  const failed = outcome.kind === 'failed';
  const behind = failed || context.following?.ends ? (envelope?.chain?.rest ?? []).map(({ uuid }) => uuid) : [];
  return {
    batchId,
    jobId: reserved.id,
    outcome: failed ? 'failed' : 'done',
    ...(behind.length > 0 && { alsoEnded: behind }),
  };
}

/** A body that is refused may be a member's all the same. Whatever it says, only a job that is one counts. */
function batchIn(body: string): string | undefined {
  if (!body.includes('"batchId"')) return undefined;
  try {
    const { batchId } = JSON.parse(body) as { batchId?: unknown };
    return typeof batchId === 'string' ? batchId : undefined;
  } catch {
    return undefined;
  }
}

/** Steps that the job put into its chain are members as well. */
function addedSteps({ following }: AttemptContext): readonly string[] {
  return [...(following?.prepended ?? []), ...(following?.appended ?? [])].map(({ uuid }) => uuid);
}
