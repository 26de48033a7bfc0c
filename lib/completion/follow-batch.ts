import type { EventHub } from '../connections/event-hub.js';
import type { BatchCallback, BatchProgress, BatchRecord, BatchStore, MemberEnd } from '../contracts/batch-store.js';
import type { Batch } from '../contracts/batch.js';
import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import { BatchCancelled, BatchFinished, BatchStarted } from '../contracts/queue-events.js';
import { readBatchPlan, type BatchPlan } from '../job/batch-plan.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { batchHooks } from './batch-hooks.js';
import { causeOf } from './failure-cause.js';
import type { Waiting } from './next-in-chain.js';

/** What follows from how a batch stands takes this from the floors around it. */
export interface BatchFollowing {
  readonly store: () => Promise<BatchStore>;
  readonly batchOf: (record: BatchRecord) => Batch;
  /** Sends jobs under the ids that they were written with, a repeat being a no-op. Rejects where one was not taken. */
  readonly send: (
    jobs: readonly Waiting[],
    place: Pick<JobChain, 'connection' | 'queue'>,
    batch: BatchRecord,
  ) => Promise<void>;
  /** Sends the next step of a chain that a batch was a step of. */
  readonly goOn: (chain: JobChain, batch: BatchRecord) => Promise<void>;
  /** Why a job has failed that failed elsewhere, or a while ago. */
  readonly errorOf: (jobId: string) => Promise<Error>;
  readonly seals: EnvelopeSeals;
  readonly hub: EventHub;
  readonly report: (message: string, error: unknown) => void;
}

/**
 * Does what follows when members of a batch end: its events, its callbacks, the chain or the batch that it is a part of. Callbacks are
 * confirmed once they are with their stores; what a crash leaves between is done again by a sweep, and is there already.
 */
export class BatchFollower {
  /** Callbacks on their way, by batch: members that end meanwhile find them due as well. */
  readonly #sending = new Map<string, Set<BatchCallback>>();

  constructor(private readonly services: BatchFollowing) {}

  /**
   * Never rejects: what could not be sent is due still.
   *
   * @param error of the member that has just failed, where that is what happened
   * @param left somebody else should have done this, and has told nobody
   */
  async follow(progress: BatchProgress, error?: Error, left = false): Promise<void> {
    const { hub, report } = this.services;
    const { started, cancelled, finished, batch: record } = progress;
    const raise = (type: typeof BatchStarted | typeof BatchFinished): void => {
      if (hub.heard(type)) hub.emit(new type(this.services.batchOf(record)));
    };
    if (started) raise(BatchStarted);
    if (cancelled && hub.heard(BatchCancelled)) {
      hub.emit(new BatchCancelled(this.services.batchOf(record), error ?? null));
    }
    const sending = this.#sending.get(record.id) ?? new Set<BatchCallback>();
    const due = progress.due.filter((callback) => !sending.has(callback));
    if (finished || (left && due.includes('finally'))) raise(BatchFinished);
    if (due.length === 0) return;
    this.#sending.set(record.id, sending);
    for (const callback of due) sending.add(callback);
    try {
      await this.#call(record, due, error);
    } catch (why) {
      report(`The callbacks of the batch ${record.name || record.id} could not be sent yet`, why);
    } finally {
      for (const callback of due) sending.delete(callback);
      if (sending.size === 0) this.#sending.delete(record.id);
    }
  }

  async #call(record: BatchRecord, due: readonly BatchCallback[], error: Error | undefined): Promise<void> {
    const { send, goOn, store } = this.services;
    const plan = readBatchPlan(record.options);
    const { callbacks, chain, allowFailures } = plan;
    const call = async (jobs: readonly JobEnvelope[], failed = false): Promise<void> => {
      if (jobs.length === 0) return;
      const cause = failed && causeOf(error ?? (await this.#whyFailed(record)));
      const waiting = jobs.map((written) => ({ written, envelope: cause ? { ...written, cause } : written }));
      await send(waiting, plan, record);
    };
    if (due.includes('catch')) {
      await call([...(callbacks.catch ?? []), ...(allowFailures ? [] : (chain?.catch ?? []))], true);
    }
    if (due.includes('then')) await call(callbacks.then ?? []);
    if (due.includes('finally')) {
      await call(callbacks.finally ?? []);
      if (chain && !wasCancelled(record)) await goOn(chain, record);
    }
    if (plan.parent && (due.includes('finally') || due.includes('then'))) {
      await this.#tellParent(record, plan, plan.parent, error);
    }
    await (await store()).confirm(record.id, due);
  }

  /** A batch inside a batch is one member, which ends when it has ended. */
  async #tellParent(
    record: BatchRecord,
    { allowFailures, chain }: BatchPlan,
    { batchId, jobId }: NonNullable<BatchPlan['parent']>,
    error: Error | undefined,
  ): Promise<void> {
    if (record.finishedAt === undefined) return;
    const { send, store, seals } = this.services;
    const cancelled = wasCancelled(record);
    const succeeded = !cancelled && (allowFailures || record.failedJobs === 0);
    const behind = cancelled ? (chain?.rest ?? []).map(({ uuid }) => uuid) : [];
    const end: Omit<MemberEnd, 'batchId'> = {
      jobId,
      outcome: succeeded ? 'done' : 'failed',
      ...(behind.length > 0 && { alsoEnded: behind }),
    };
    const why = succeeded ? undefined : (error ?? (await this.#whyFailed(record)));
    const progress = await (await store()).recordEnd(batchId, end);
    if (!progress) return;
    const parent = readBatchPlan(progress.batch.options);
    const hooks = batchHooks(parent, { ...end, batchId }, why, seals);
    if (hooks.length > 0) await send(hooks, parent, progress.batch);
    await this.follow(progress, why);
  }

  #whyFailed(record: BatchRecord): Promise<Error> {
    const [first] = record.failedJobIds;
    if (first !== undefined) return this.services.errorOf(first);
    return Promise.resolve(new Error(`The batch ${record.name || record.id} was cancelled.`));
  }
}

/** Before it had finished, that is: afterwards it changes nothing. */
function wasCancelled({ cancelledAt, finishedAt }: BatchRecord): boolean {
  return cancelledAt !== undefined && (finishedAt === undefined || cancelledAt <= finishedAt);
}
