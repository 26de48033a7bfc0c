import { randomUUID } from 'node:crypto';
import { AbilityMissingError } from '../contracts/ability-missing-error.js';
import type { Backend } from '../contracts/backend.js';
import type { InspectAbility, JobState, PushEntry, PushResult, StoredJob } from '../contracts/queue-driver.js';
import { JobQueued, JobQueueing } from '../contracts/queue-events.js';
import type { Clock } from '../support/clock.js';
import { delayMs, type Moment } from '../support/duration.js';
import { describe, InvalidOptionError, type QueueError } from '../support/queue-error.js';
import type { ResolvedConnection } from './connection-config.js';
import type { ConnectionStage } from './connection-stage.js';
import { DispatchDeadline } from './dispatch-deadline.js';
import type { EventHub } from './event-hub.js';
import { fitDriver, misfit, type FittedDriver } from './fit-driver.js';
import { forwardQueues } from './forward-queues.js';
import { inspectedJob, parsedBody, storedPage, type InspectedJob, type InspectPage } from './inspected-job.js';
import { joinOpen, type JoinableTransaction } from './join-open.js';
import { Outbox } from './outbox.js';
import type { Outgoing } from './outgoing.js';
import { assertQueueName } from './queue-name.js';
import type { QueueRoutes } from './queue-routes.js';

/** How many jobs a queue holds, by state. `undefined`: the store cannot tell. */
export interface QueueSizes {
  readonly pending: number;
  readonly delayed: number | undefined;
  readonly reserved: number | undefined;
  /** Of the states that are known. */
  readonly total: number;
  /** Since when the oldest pending job could have been taken. */
  readonly oldestPendingAt: Date | undefined;
}

/** What a connection needs from the manager that makes it. */
export interface QueueConnectionServices {
  readonly open: () => Promise<Backend>;
  /** Opens the database that keeps its outbox. */
  readonly openOutbox?: () => Promise<Backend>;
  readonly hub: EventHub;
  readonly routes: QueueRoutes;
  readonly clock: Clock;
  readonly dispatchTimeoutMs: number;
  readonly maxPayload: number;
  readonly stage?: ConnectionStage;
}

type PushTarget = Pick<FittedDriver, 'push'>;

const NO_WITHIN = 'For .within(manager) name a database connection, or give this one an outbox.';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A named connection: a driver made whole, and observed. Opens nothing before its first verb. */
export class QueueConnection {
  readonly name: string;
  readonly driver: string;
  /** Its jobs run in the process that dispatches them; nothing is stored. */
  readonly inProcess: boolean;
  /** The queue of jobs that name none. */
  readonly defaultQueue: string;
  readonly leaseMs: number;
  readonly blockForMs: number | undefined;
  readonly afterCommit: boolean;
  readonly prefetch: number;
  /** Where jobs wait that were written in a transaction of the application, if it was given one. */
  readonly outbox: Outbox | undefined;
  #backend: Promise<Backend> | undefined;
  #fitting: Promise<FittedDriver> | undefined;
  #driver: FittedDriver | undefined;
  readonly #deadline: DispatchDeadline;

  constructor(
    config: ResolvedConnection,
    private readonly services: QueueConnectionServices,
  ) {
    this.name = config.name;
    this.driver = config.driver;
    this.inProcess = config.inProcess;
    this.defaultQueue = config.queue;
    this.leaseMs = config.leaseMs;
    this.blockForMs = config.blockForMs;
    this.afterCommit = config.afterCommit;
    this.prefetch = config.prefetch;
    this.#deadline = new DispatchDeadline(config.name, services.dispatchTimeoutMs, services.clock);
    const { openOutbox: open, hub, clock } = services;
    const refusal = (one: Outgoing): QueueError | undefined => this.refusal(one);
    this.outbox = open && new Outbox(config.name, { open, hub, clock, deadline: this.#deadline, refusal });
  }

  /** The store behind it, made with the first call; one that could not be made is tried again with the next. */
  backend(): Promise<Backend> {
    this.#backend ??= this.services.open().catch((error: unknown) => {
      this.#backend = undefined;
      throw error;
    });
    return this.#backend;
  }

  /** Whether the store has been asked for. */
  get used(): boolean {
    return this.#backend !== undefined;
  }

  /** The driver, where it has been made by now. */
  ready(): FittedDriver | undefined {
    return this.#driver;
  }

  /** The driver. @throws AbilityMissingError where the store keeps no queues */
  queue(): Promise<FittedDriver> {
    this.#fitting ??= this.backend()
      .then(({ queue }) => {
        if (!queue) throw new AbilityMissingError(this.driver, 'queues');
        const { routes, maxPayload } = this.services;
        this.#driver = forwardQueues(fitDriver(queue, this.name, maxPayload), routes, this.name);
        return this.#driver;
      })
      .catch((error: unknown) => {
        this.#fitting = undefined;
        throw error;
      });
    return this.#fitting;
  }

  /** What is wrong with the store's tables or server, as an error that says how to mend it. */
  async check(): Promise<void> {
    const backend = await this.backend();
    await backend.check?.();
  }

  /**
   * Sends jobs in one call and raises their events. Answers are aligned with what was given.
   *
   * @param open a transaction that is open around the call: a store with one writer joins it, others do not look
   * @throws DispatchTimeoutError when the store does not answer in time; the store's own error where it took none of them
   */
  async push(outgoing: readonly Outgoing[], open?: JoinableTransaction): Promise<readonly PushResult[]> {
    const reachable = (): FittedDriver | Promise<FittedDriver> => this.#reachable();
    if (open) return joinOpen(open, reachable, (driver, to) => this.#observed(driver, to, outgoing));
    const driver = await reachable();
    return this.#observed(driver, driver, outgoing);
  }

  /**
   * Sends jobs inside the caller's own transaction: they are stored when it commits and gone when it rolls back. Events as `push`.
   *
   * @param manager the EntityManager of that transaction
   * @throws AbilityMissingError where the store is not the caller's database
   */
  async pushWithin(manager: unknown, outgoing: readonly Outgoing[]): Promise<readonly PushResult[]> {
    const driver = await this.#reachable();
    if (!driver.transactions) throw new AbilityMissingError(this.driver, 'transactions', NO_WITHIN);
    return this.#observed(driver, driver.transactions.within(manager), outgoing);
  }

  /** What a dispatch asks of a store besides its push. @throws DispatchTimeoutError when that does not answer in time */
  inTime<T>(work: Promise<T>): Promise<T> {
    return this.#deadline.within(work);
  }

  /** Why a push of this would be refused, as far as that is known before the store is asked. */
  refusal({ entry }: Outgoing): QueueError | undefined {
    const { delayMs = Infinity, bodyBytes = this.services.maxPayload } = this.#driver?.limits ?? {};
    return misfit(entry, this.name, delayMs, bodyBytes);
  }

  /** Sends entries as they are: the deadline holds, no events are raised. @throws as `push` */
  async pushEntries(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const driver = await this.#reachable();
    return this.#send(driver, driver, entries);
  }

  /**
   * A ready body as text, under no job class and without events.
   *
   * @param queue default: the connection's own
   * @returns the id: the body's `uuid` where it is a JSON object with one, else a fresh one
   */
  async pushRaw(body: string, queue?: string, options: { delay?: Moment } = {}): Promise<string> {
    if (typeof body !== 'string')
      throw new InvalidOptionError(`pushRaw() was given ${describe(body)}. Give it the body as a string.`);
    const { uuid } = parsedBody(body);
    const id = typeof uuid === 'string' && UUID.test(uuid) ? uuid : randomUUID();
    const wait = options.delay === undefined ? 0 : delayMs(options.delay, 'pushRaw delay', this.services.clock.now());
    const entry = { id, queue: this.queueName(queue), body, delayMs: wait };
    // Where nothing is stored there is no store to put a body into.
    if ((await this.#reachable()).storeless) return id;
    const [result] = await this.pushEntries([entry]);
    if (result && !result.stored && result.reason === 'error') throw result.error;
    return id;
  }

  /** The name a queue really has here. Default: the connection's own queue. @throws InvalidQueueNameError */
  queueName(queue: string = this.defaultQueue): string {
    assertQueueName(queue);
    return this.services.routes.forwarded(queue, this.name);
  }

  async size(queue?: string): Promise<QueueSizes> {
    const [size] = await this.sizes([queue ?? this.defaultQueue]);
    return size!;
  }

  /** Aligned with the queues, in one call. */
  async sizes(queues: readonly string[]): Promise<readonly QueueSizes[]> {
    for (const one of queues) assertQueueName(one);
    const driver = await this.queue();
    const sizes = await driver.size(queues);
    return sizes.map(({ pending, delayed, reserved, oldestPendingAt }) => ({
      pending,
      delayed,
      reserved,
      total: pending + (delayed ?? 0) + (reserved ?? 0),
      oldestPendingAt: oldestPendingAt === undefined ? undefined : new Date(oldestPendingAt),
    }));
  }

  /**
   * Removes every job of a queue, running ones too, and gives their unique locks back. `undefined`: the store cannot count them.
   *
   * @throws AbilityMissingError
   */
  async clear(queue?: string): Promise<number | undefined> {
    const name = this.queueName(queue);
    const { clearing } = await this.queue();
    if (!clearing) throw new AbilityMissingError(this.driver, 'clearing');
    return clearing.clear(name);
  }

  /** Jobs that are due and free, in the order in which they will be taken. @throws AbilityMissingError */
  pendingJobs(queue?: string, page?: InspectPage): Promise<InspectedJob[]> {
    return this.#inspected('pending', queue, page);
  }

  /** Jobs that wait for their time. @throws AbilityMissingError */
  delayedJobs(queue?: string, page?: InspectPage): Promise<InspectedJob[]> {
    return this.#inspected('delayed', queue, page);
  }

  /** Jobs that a worker has. @throws AbilityMissingError */
  reservedJobs(queue?: string, page?: InspectPage): Promise<InspectedJob[]> {
    return this.#inspected('reserved', queue, page);
  }

  /** Jobs in one state as the store keeps them, in the order in which they will be taken. @throws AbilityMissingError */
  async storedJobs(state: JobState, queue?: string, page: InspectPage = {}): Promise<readonly StoredJob[]> {
    return storedPage(() => this.inspection(), this.queueName(queue), state, page);
  }

  /** @throws AbilityMissingError where the store cannot be looked into */
  async inspection(): Promise<InspectAbility> {
    const { inspection } = await this.queue();
    if (!inspection) throw new AbilityMissingError(this.driver, 'inspection');
    return inspection;
  }

  #reachable(): FittedDriver | Promise<FittedDriver> {
    return this.#driver ?? this.#deadline.within(this.queue());
  }

  async #inspected(state: JobState, queue?: string, page?: InspectPage): Promise<InspectedJob[]> {
    return (await this.storedJobs(state, queue, page)).map(inspectedJob);
  }

  async #observed(driver: FittedDriver, to: PushTarget, outgoing: readonly Outgoing[]): Promise<readonly PushResult[]> {
    const { hub, stage } = this.services;
    stage?.sending(outgoing);
    if (!driver.storeless && hub.heard(JobQueueing)) {
      for (const { job, entry, requestedQueue, delaySeconds } of outgoing) {
        hub.emit(new JobQueueing(this.name, requestedQueue, job, entry.body, delaySeconds));
      }
    }
    const entries = outgoing.map((one) => one.entry);
    const results = await this.#send(driver, to, entries);
    if (!driver.storeless && hub.heard(JobQueued)) {
      outgoing.forEach(({ job, entry, requestedQueue, delaySeconds }, index) => {
        if (results[index]!.stored)
          hub.emit(new JobQueued(this.name, requestedQueue, entry.id, job, entry.body, delaySeconds));
      });
    }
    return results;
  }

  async #send(driver: FittedDriver, to: PushTarget, entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const pushed = to.push(entries);
    const results = await (driver.storeless ? pushed : this.#deadline.within(pushed, 'unknown'));
    const [first] = results;
    if (first && !first.stored && first.reason === 'error') {
      const { error } = first;
      // One and the same error for every entry is the store's. A single entry has nobody else to tell.
      if (results.every((one) => !one.stored && one.reason === 'error' && one.error === error)) throw error;
    }
    return results;
  }
}
