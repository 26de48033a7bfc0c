import { AbilityMissingError } from '../contracts/ability-missing-error.js';
import type { Backend } from '../contracts/backend.js';
import type { PushResult, TransactAbility } from '../contracts/queue-driver.js';
import { JobQueued, JobQueueing } from '../contracts/queue-events.js';
import type { Clock } from '../support/clock.js';
import type { QueueError } from '../support/queue-error.js';
import type { DispatchDeadline } from './dispatch-deadline.js';
import type { EventHub } from './event-hub.js';
import { outboxRow } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';

interface OutboxServices {
  readonly open: () => Promise<Backend>;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly deadline: DispatchDeadline;
  /** Why the connection itself would refuse a job. */
  readonly refusal: (one: Outgoing) => QueueError | undefined;
}

/**
 * Where jobs for a connection wait in the application's own database: written within its transaction, and sent on by a relay once that
 * has committed. Opens nothing before its first verb.
 */
export class Outbox {
  #backend: Promise<Backend> | undefined;
  /** By the connection of a transaction: what is written through it is written one after the other. */
  readonly #writing = new WeakMap<object, Promise<unknown>>();

  constructor(
    /** Of the connection that the jobs are for. */
    readonly connection: string,
    private readonly services: OutboxServices,
  ) {}

  /** The database, made with the first call; one that could not be made is tried again with the next. */
  backend(): Promise<Backend> {
    this.#backend ??= this.services.open().catch((error: unknown) => {
      this.#backend = undefined;
      throw error;
    });
    return this.#backend;
  }

  /** What is wrong with its table or server, as an error that says how to mend it. */
  async check(): Promise<void> {
    const backend = await this.backend();
    await backend.check?.();
  }

  /** Whether a job is on its way here. */
  async holds(id: string): Promise<boolean> {
    const { queue } = await this.backend();
    return (await queue?.inspection?.find(id)) !== undefined;
  }

  /** Tells the EntityManagers of its database from others. */
  async covering(): Promise<(manager: unknown) => boolean> {
    const transactions = await this.#transactions();
    return (manager) => transactions.covers?.(manager) === true;
  }

  /**
   * Writes jobs in the caller's transaction, in the order of the calls. Answers are aligned; JobQueueing is raised here, JobQueued by
   * `committed()`.
   *
   * @throws InvalidOptionError for an EntityManager of another database; what is wrong with the table
   */
  async write(manager: unknown, outgoing: readonly Outgoing[]): Promise<readonly PushResult[]> {
    const target = (await this.#transactions()).within(manager);
    const refused = outgoing.map((one) => this.services.refusal(one));
    const taken = outgoing.filter((_, index) => !refused[index]);
    const { hub, clock, deadline } = this.services;
    if (hub.heard(JobQueueing)) {
      for (const { job, entry, requestedQueue, delaySeconds } of taken) {
        hub.emit(new JobQueueing(this.connection, requestedQueue, job, entry.body, delaySeconds));
      }
    }
    const now = clock.now();
    const rows = taken.map(({ entry }) => outboxRow(entry, this.connection, now));
    const answers =
      rows.length === 0
        ? []
        : await deadline.within(
            this.#inTurn(manager, () => target.push(rows)),
            'unknown',
          );
    let next = 0;
    return refused.map((error): PushResult => (error ? { stored: false, reason: 'error', error } : answers[next++]!));
  }

  /** The transaction that these were written in has committed. */
  committed(outgoing: readonly Outgoing[]): void {
    const { hub } = this.services;
    if (hub.heard(JobQueued)) {
      for (const { job, entry, requestedQueue, delaySeconds } of outgoing) {
        hub.emit(new JobQueued(this.connection, requestedQueue, entry.id, job, entry.body, delaySeconds));
      }
    }
    // A relay in this process goes to work at once. Elsewhere it hears of them as workers hear of jobs.
    this.#transactions().then(
      (transactions) => transactions.committed?.(new Set([this.connection])),
      () => undefined,
    );
  }

  /** Statements of two writes at a time would mix their savepoints. */
  #inTurn<T>(manager: unknown, write: () => Promise<T>): Promise<T> {
    const key = (manager as { readonly queryRunner?: object }).queryRunner ?? (manager as object);
    const before = this.#writing.get(key) ?? Promise.resolve();
    const writing = before.then(write, write);
    this.#writing.set(key, writing);
    return writing;
  }

  async #transactions(): Promise<TransactAbility> {
    const { queue } = await this.backend();
    if (!queue?.transactions) throw new AbilityMissingError('database', 'transactions');
    return queue.transactions;
  }
}
