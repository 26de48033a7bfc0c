import type { QueueConnection } from '../connections/queue-connection.js';
import type { EventHub } from '../connections/event-hub.js';
import type { Backend } from '../contracts/backend.js';
import type { BatchProgress, BatchRecord, BatchStore } from '../contracts/batch-store.js';
import type { Batch } from '../contracts/batch.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { TransactAbility } from '../contracts/queue-driver.js';
import { BatchCancelled, BatchDispatched } from '../contracts/queue-events.js';
import type { BatchJob } from '../job/batch-job.js';
import { batchPlanText, readBatchPlan, type BatchPlan } from '../job/batch-plan.js';
import type { AttemptContext } from '../job/job-context.js';
import type { ContextValues } from '../job/request-context.js';
import type { Clock } from '../support/clock.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { timeOrderedUuid } from '../support/time-ordered-uuid.js';
import {
  BatchFiller,
  BatchMissingError,
  groups,
  type FillingServices,
  type Members,
  type SendOptions,
} from './batch-filler.js';
import { PendingBatch, present, type BatchMember } from './pending-batch.js';
import { insideBatch } from './inside-batch.js';
import type { Scope } from './step-target.js';
import { StoredBatch, type BatchVerbs } from './stored-batch.js';
import { membersScope, writeBatchPlan } from './write-chain.js';

export interface BatchesServices extends FillingServices {
  /** What jobs that are dispatched now carry of their context. */
  readonly carried: () => ContextValues | undefined;
  readonly home: () => Promise<{ readonly store: BatchStore; readonly backend: Backend | undefined }>;
  /** Sends callbacks as they were written down, a repeat being a no-op. */
  readonly call: (callbacks: readonly JobEnvelope[], plan: BatchPlan, batch: BatchRecord) => Promise<void>;
  /** Does what follows from how a batch stands. Never rejects. */
  readonly follow: (progress: BatchProgress) => Promise<void>;
  /** The job that runs around the caller. */
  readonly running: () => AttemptContext | undefined;
  /** Whether a transaction is open around the caller whose manager fits. */
  readonly insideOf: (fits: (manager: unknown) => boolean) => boolean;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly afterResponse: (fn: () => Promise<void>) => void;
  readonly report: (message: string, error: unknown) => void;
}

/** How long ago what is pruned must have happened, in hours; 0 is anything until now. */
export interface PruneBatchesOptions {
  /** Finished batches. Default 24. */
  readonly hours?: number;
  /** Batches that were neither finished nor cancelled. Default: none. */
  readonly unfinished?: number;
  /** Cancelled batches. Default: none. */
  readonly cancelled?: number;
}

/** 0 hours ago is anything until now, by whichever clock it was written. */
const ANY_CLOCK_MS = 86_400_000;

/** Stores batches, fills them and finds them again. */
export class Batches implements BatchVerbs {
  readonly #filler: BatchFiller;

  constructor(private readonly services: BatchesServices) {
    this.#filler = new BatchFiller(services);
  }

  /** @param track told of each dispatch, so that the application does not end before it */
  pending(jobs: readonly BatchMember[], track: <T>(work: Promise<T>) => Promise<T>): PendingBatch {
    const { traces } = this.services.writing;
    return new PendingBatch(jobs, (batch, when) => {
      const send = (): Promise<Batch> => this.#dispatch(batch, when, track);
      return track(traces ? traces.batch(batch.options, batch.jobs.flat().length, send) : send());
    });
  }

  async find(id: string): Promise<Batch | null> {
    const { store } = await this.services.home();
    const record = await store.find(id);
    return record ? this.of(record) : null;
  }

  of(record: BatchRecord): Batch {
    return new StoredBatch(record, this);
  }

  async cancel(id: string): Promise<void> {
    const { store } = await this.services.home();
    const before = await store.find(id);
    if (!before || before.cancelledAt !== undefined) return;
    const record = await store.cancel(id);
    if (record) this.services.hub.emit(new BatchCancelled(this.of(record), null));
  }

  async delete(id: string): Promise<void> {
    const { store } = await this.services.home();
    await store.delete(id);
  }

  add(id: string, jobs: readonly BatchMember[]): Promise<Batch> {
    const { traces } = this.services.writing;
    return traces ? traces.batch({ id }, present(jobs).flat().length, () => this.#add(id, jobs)) : this.#add(id, jobs);
  }

  async #add(id: string, jobs: readonly BatchMember[]): Promise<Batch> {
    const { services } = this;
    const running = services.running();
    // What runs again after a crash adds the same members again, and they are there already.
    const own = running?.batchId === id ? running : undefined;
    const { store, backend } = await services.home();
    const record = await store.find(id);
    if (!record) throw new BatchMissingError(id);
    const scope = membersScope(id, readBatchPlan(record.options), this.#scope(own && (() => own.addedId())));
    const refuse = this.#refusal(backend);
    const members = await this.#filler.check(present(jobs), scope, refuse);
    const by = own?.envelope?.batchId === id ? own.id : undefined;
    await this.#filler.send(store, id, members, { by, again: own !== undefined });
    const now = await store.find(id);
    if (!now) throw new BatchMissingError(id);
    return this.of(now);
  }

  async #dispatch(
    pending: PendingBatch,
    when: 'now' | 'after-response',
    track: <T>(work: Promise<T>) => Promise<T>,
  ): Promise<Batch> {
    const { services } = this;
    const { name = '' } = pending.options;
    const id = timeOrderedUuid(services.clock.now());
    const scope = this.#scope();
    const around = { ...scope, around: new Set([pending]) };
    const plan = writeBatchPlan(pending, id, around, services.writing);
    const { store, backend } = await services.home();
    const refuse = this.#refusal(backend);
    const members = await this.#filler.check(pending.jobs, membersScope(id, plan, around), refuse);
    const record = await this.#create(store, id, name, plan);
    const total = present(pending.jobs).length;
    const sent = (stored: number): void => {
      for (const listener of pending.listeners) {
        try {
          listener(stored, total);
        } catch (error) {
          services.report(`A listener of onStored() of the batch ${name || id} failed`, error);
        }
      }
    };
    const fill = async (): Promise<Batch> => {
      const progress = await this.#fill(store, record, plan, members, { sent }).catch(async (error: unknown) => {
        await store
          .delete(id)
          .catch((why: unknown) => services.report(`The batch ${name || id} is left unfilled`, why));
        throw error;
      });
      const batch = this.of((await store.find(id)) ?? progress?.batch ?? record);
      services.hub.emit(new BatchDispatched(batch));
      return batch;
    };
    if (when === 'now') return fill();
    services.afterResponse(async () => {
      await track(fill()).catch((error: unknown) =>
        services.report(`The batch ${name || id} could not be sent after the response`, error),
      );
    });
    return this.of(record);
  }

  /**
   * Creates a batch that waited inside a job, and sends its members. Any number of times: what is there already stays. From then on the
   * batch stands for the job.
   */
  async run(job: BatchJob, context: AttemptContext): Promise<void> {
    const { services } = this;
    const { id, plan, members } = insideBatch(job, context, services.writing.seals);
    const { store } = await services.home();
    const record = await this.#create(store, id, job.label, plan);
    if (record.sealed) {
      const progress = await store.seal(id);
      if (progress) await services.follow(progress);
    } else {
      const progress = await this.#fill(store, record, plan, groups(members), { again: true });
      services.hub.emit(new BatchDispatched(this.of(progress?.batch ?? record)));
    }
    context.handedOver = true;
  }

  async prune({ hours = 24, unfinished, cancelled }: PruneBatchesOptions = {}): Promise<{
    readonly finished: number;
    readonly unfinished: number;
    readonly cancelled: number;
  }> {
    const { store } = await this.services.home();
    const now = this.services.clock.now();
    const before = (age: number, what: string): number => {
      if (typeof age === 'number' && age >= 0) return age === 0 ? now + ANY_CLOCK_MS : now - age * 3_600_000;
      throw new InvalidOptionError(
        `pruneBatches(): ${what} is ${String(age)}. Give hours: a number that is not negative.`,
      );
    };
    const moments = {
      finished: before(hours, 'hours'),
      unfinished: unfinished === undefined ? undefined : before(unfinished, 'unfinished'),
      cancelled: cancelled === undefined ? undefined : before(cancelled, 'cancelled'),
    };
    return {
      finished: await store.prune({ finished: moments.finished }),
      unfinished: moments.unfinished === undefined ? 0 : await store.prune({ unfinished: moments.unfinished }),
      cancelled: moments.cancelled === undefined ? 0 : await store.prune({ cancelled: moments.cancelled }),
    };
  }

  /** The batch's row, without members yet. The same id again answers with what is there. */
  #create(store: BatchStore, id: string, name: string, plan: BatchPlan): Promise<BatchRecord> {
    return store.create({
      id,
      name,
      options: batchPlanText(plan),
      memberIds: [],
      sealed: false,
      cancelOnFailure: !plan.allowFailures,
    });
  }

  /** Sends `before`, then every member, and seals the batch: from then on it can finish. */
  async #fill(
    store: BatchStore,
    record: BatchRecord,
    plan: BatchPlan,
    members: Members,
    options: SendOptions = {},
  ): Promise<BatchProgress | undefined> {
    const { call, follow, report } = this.services;
    await call(plan.callbacks.before ?? [], plan, record).catch((error: unknown) =>
      report(`A 'before' callback of the batch ${record.name || record.id} could not be sent`, error),
    );
    await this.#filler.send(store, record.id, members, options);
    const progress = await store.seal(record.id);
    if (progress) await follow(progress);
    return progress;
  }

  #scope(mint?: () => string): Scope {
    const now = this.services.clock.now();
    return {
      now,
      context: this.services.carried(),
      trace: this.services.writing.traces?.current(),
      mint: mint ?? (() => timeOrderedUuid(now)),
      around: new Set(),
    };
  }

  /** A store with one writer, which an open transaction is, can take nothing beside it, and a batch is stored in several steps. */
  #refusal(home: Backend | undefined): (to: QueueConnection) => void {
    const { insideOf } = this.services;
    const refuse = (transactions: TransactAbility | undefined): void => {
      if (transactions?.joins && insideOf((manager) => transactions.joins!(manager))) {
        throw new InvalidOptionError(
          'A batch cannot be stored inside an open transaction on its own SQLite file. Dispatch it, or add to it, after the commit.',
        );
      }
    };
    refuse(home?.queue?.transactions);
    return (to) => refuse(to.ready()?.transactions);
  }
}
