import type { PendingBatch } from '../bus/pending-batch.js';
import type { WatchedOptions } from '../bus/dispatch-watch.js';
import type { Prepared } from '../bus/prepared.js';
import type { StagedStore } from '../connections/connection-stage.js';
import { entryOf } from '../connections/outbox-entry.js';
import type { Outgoing } from '../connections/outgoing.js';
import type { Backend } from '../contracts/backend.js';
import type { Batch } from '../contracts/batch.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { PushEntry } from '../contracts/queue-driver.js';
import { JobQueueing } from '../contracts/queue-events.js';
import { calledBy } from '../job/callable.js';
import { FunctionClosure } from '../job/closure.js';
import { fluentOptions } from '../job/fluent-options.js';
import { UnknownJobError } from '../job/job-registry.js';
import { firstMark } from '../job/lock-key.js';
import type { QueueStage } from '../nest/queue-stage.js';
import { nameOf, type PushedRecord } from './pushed-record.js';
import { recordingBackend, type RecordingStore } from './recording-backend.js';

/** What a dispatch said, before anything was done with it. */
interface Said {
  readonly job: object;
  readonly options: WatchedOptions;
  readonly prepared: Prepared;
}

/** A batch that was dispatched. */
export interface BatchRecord {
  readonly pending: PendingBatch;
  readonly id: string;
}

/** A body that was pushed as text. */
export interface RawRecord {
  readonly connection: string;
  readonly queue: string;
  readonly body: string;
}

/** Stands in front of the stores of a module and notes what comes by. */
export class RecordingStage implements QueueStage {
  /** In the order in which they were pushed or held back. */
  records: PushedRecord[] = [];
  batches: BatchRecord[] = [];
  raw: RawRecord[] = [];

  readonly #said = new Map<string, Said>();
  /** Members of batches, callbacks and jobs that follow others, by their ids. What waits in a real store comes by after a reset, too. */
  readonly #written = new Map<string, object>();
  /** What another process has written down, as it was brought back. */
  readonly #sending = new Map<string, object>();
  /** Jobs that are to run in this process, as they travel. */
  readonly #bodies = new WeakMap<object, string>();
  readonly #keys = new Set<string>();
  readonly #stores: RecordingStore[] = [];
  #module: Parameters<QueueStage['attach']>[0] | undefined;

  /** @param fakes whether a job is not to be sent; `partly` where it may answer no */
  constructor(
    private readonly fakes: (job: object) => boolean,
    private readonly partly: boolean,
  ) {}

  attach(module: Parameters<QueueStage['attach']>[0]): void {
    this.#module = module;
    // Where nobody hears of them, jobs that follow others are not brought back to be shown.
    module.hub.on(JobQueueing, () => undefined);
  }

  async backend(place: StagedStore): Promise<Backend> {
    // As the module asks for one; a connection that has one is of another driver.
    const isOutbox = place.driver === 'database' && place.options['outbox'] === true;
    const store = await recordingBackend(place, {
      partly: this.partly,
      isFaked: ({ id }) => this.#isFaked(id),
      isFakedLock: (key) => this.#keys.has(key),
      recorded: (entry) => this.#record(entry, place, isOutbox),
      // What an outbox keeps is told of its commit already.
      within: (manager, entries) => isOutbox || this.#within(manager, entries),
    });
    this.#stores.push(store);
    return store.backend;
  }

  prepared(given: object, options: WatchedOptions, prepared: Prepared): void {
    const { receipt, policies } = prepared;
    const said: WatchedOptions = { ...fluentOptions(given), ...options };
    this.#said.set(receipt.id, { job: given, options: said, prepared });
    if (!policies || !this.fakes(given)) return;
    if (policies.unique) this.#keys.add(policies.unique.key);
    if (policies.debounce) this.#keys.add(policies.debounce.key).add(firstMark(policies.debounce.key));
  }

  written(job: object, id: string): void {
    this.#written.set(id, job);
  }

  writtenInProcess(job: object, body: string): void {
    this.#bodies.set(job, body);
  }

  dropped(all: readonly Prepared[]): void {
    const ids = new Set(all.map(({ receipt }) => receipt.id));
    this.records = this.records.filter(({ id }) => !ids.has(id));
    for (const { memory } of this.#stores) {
      const now = memory.clock.now();
      for (const id of ids) {
        const job = memory.jobs.get(id);
        if (job) memory.cancel(job, now);
      }
    }
  }

  sending(outgoing: readonly Outgoing[]): void {
    for (const { job, entry } of outgoing) {
      if (!this.#said.has(entry.id) && !this.#written.has(entry.id)) this.#sending.set(entry.id, job);
    }
  }

  holdsBack(job: object, how: 'sync' | 'after-response'): boolean {
    if (!this.fakes(job)) return false;
    const payload = this.#bodies.get(job) ?? '';
    if (how === 'sync' && !(job instanceof FunctionClosure)) this.#refuseUnknown(payload);
    const chain = (fluentOptions(job)?.chain ?? []).flatMap(flat);
    const place = {
      connection: 'sync',
      queue: 'sync',
      delayMs: 0,
      options: { ...fluentOptions(job) },
      chain,
      payload,
    };
    this.records.push({ id: '', how, job, name: nameOf(job), ...place });
    return true;
  }

  async sent<T>(pending: PendingBatch, sending: Promise<T>): Promise<T> {
    const batch = (await sending) as Batch;
    const { id } = batch;
    const members = pending.jobs.flat() as readonly object[];
    const counts = !this.partly || members.length === 0 || members.some((one) => this.fakes(one));
    if (counts && !this.batches.some((one) => one.id === id)) this.batches.push({ pending, id });
    return batch as T;
  }

  /** Forgets everything, and gives back the locks that faked jobs have. */
  reset(): void {
    for (const { memory } of this.#stores) {
      for (const key of this.#keys) {
        const owner = memory.locks.holder(key);
        if (owner !== undefined) memory.locks.free(key, owner);
      }
      const now = memory.clock.now();
      for (const job of memory.jobs.values()) memory.cancel(job, now);
      for (const { id } of this.batches) void memory.batches.delete(id);
    }
    this.#keys.clear();
    this.#said.clear();
    this.#sending.clear();
    this.records = [];
    this.batches = [];
    this.raw = [];
  }

  #isFaked(id: string): boolean {
    const job = this.#jobOf(id);
    // A text is nobody's job: where anything is real, it is.
    return job === undefined ? !this.partly : this.fakes(job);
  }

  #jobOf(id: string): object | undefined {
    return this.#said.get(id)?.job ?? this.#written.get(id) ?? this.#sending.get(id);
  }

  /** Before `init()` no job is known, and none is refused. */
  #refuseUnknown(body: string): void {
    const { registry } = this.#module!;
    if (!registry.explored) return;
    const envelope = JSON.parse(body) as JobEnvelope;
    const registered = registry.find(envelope.name);
    if (registered && registered.knows?.(envelope) !== false) return;
    throw UnknownJobError.of(envelope.name, calledBy(envelope));
  }

  /** To be told of when it is rolled back. Those that say something of others of their kind are noted by the bus itself. */
  #within(manager: unknown, entries: readonly PushEntry[]): void {
    const its = this.#module?.transactions.of(manager);
    for (const { id } of its ? entries : []) {
      const prepared = this.#said.get(id)?.prepared;
      if (prepared && !prepared.policies) its!.onCommit({ ...prepared, written: true });
    }
  }

  #record(given: PushEntry, { connection, context }: StagedStore, isOutbox: boolean): void {
    const place = isOutbox ? given.queue : connection;
    const entry = isOutbox ? unwrapped(given, context.clock.now()) : given;
    const { id, queue, body, delayMs } = entry;
    const job = this.#jobOf(id);
    if (!job) {
      this.raw.push({ connection: place, queue, body });
      return;
    }
    const { batchId, chain } = JSON.parse(body) as Partial<JobEnvelope>;
    this.records.push({
      id,
      how: 'queue',
      job,
      name: nameOf(job),
      connection: place,
      queue,
      delayMs,
      options: this.#said.get(id)?.options ?? {},
      chain: chain?.rest.map((step) => this.#jobOf(step.uuid) ?? step) ?? [],
      ...(batchId !== undefined && { batchId }),
      payload: body,
    });
  }
}

/** A step with the chain that it has of its own, as they will run. */
function flat(job: object): readonly object[] {
  return [job, ...(fluentOptions(job)?.chain ?? []).flatMap(flat)];
}

function unwrapped({ id, queue, body, priority }: PushEntry, now: number): PushEntry {
  const row = { id, queue, body, priority: priority ?? 0, attempts: 0, stalls: 0, token: '', leasedUntil: 0 };
  return entryOf(row, now);
}
