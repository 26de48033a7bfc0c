import type { QueueConnection } from '../connections/queue-connection.js';
import type { DispatchReceipt } from '../contracts/dispatchable.js';
import type { PushResult } from '../contracts/queue-driver.js';
import { UniqueJobSkipped } from '../contracts/queue-events.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobLocks } from '../connections/job-locks.js';
import { BulkDispatchError } from './bulk-dispatch-error.js';
import type { Carry, DispatchTraces } from './dispatch-traces.js';
import { leaveToCommit, tellWritten, written } from './leave-to-commit.js';
import { JobGates } from './job-gates.js';
import { OpenTransactions, type OpenTransaction } from './open-transactions.js';
import {
  prepareAll,
  prepareDispatch,
  type DispatchOptions,
  type PreparationServices,
  type Prepared,
} from './prepare-dispatch.js';
import type { Around } from './unique-gate.js';

export interface DispatcherServices extends PreparationServices {
  readonly hub: EventHub;
  readonly locks: JobLocks;
  /** For failures that nobody can be told of any more. */
  readonly report: (message: string, error: unknown) => void;
}

/** Turns jobs into entries and hands them to their connections. */
export class Dispatcher {
  /** The transactions that dispatches are looked at in. */
  readonly transactions: OpenTransactions<Prepared>;
  readonly #gates: JobGates;

  constructor(private readonly services: DispatcherServices) {
    const { locks, clock, report } = services;
    this.#gates = new JobGates(locks, clock, report);
    this.transactions = new OpenTransactions(
      (waiting) => this.#committed(waiting),
      report,
      (dropped) => this.#dropped(dropped),
      (lost) => this.#lost(lost),
    );
  }

  /**
   * Inside an open transaction a job that waits for the commit resolves at once: it has been checked and written down, and is pushed by
   * the commit. Any other job joins the transaction where its store has only that one writer.
   *
   * @returns `null` when a unique lock stopped it
   */
  dispatch(job: object, options: DispatchOptions): Promise<DispatchReceipt | null> {
    const { traces } = this.services;
    return traces ? this.#traced(job, options, traces) : this.#dispatch(job, options);
  }

  #traced(job: object, options: DispatchOptions, traces: DispatchTraces): Promise<DispatchReceipt | null> {
    const { services } = this;
    const prepare = (carry: Carry): Prepared => prepareDispatch(job, options, services, services.carried(), carry);
    return traces.dispatch('job', prepare, (given) => this.#dispatch(job, options, given));
  }

  async #dispatch(job: object, options: DispatchOptions, prepared?: Prepared): Promise<DispatchReceipt | null> {
    const given = prepared ?? prepareDispatch(job, options, this.services, this.services.carried());
    const open = options.within === undefined ? this.transactions.current() : undefined;
    if (given.policies) return this.#gated(given, options, open);
    const { connection, outgoing, receipt } = given;
    if (open && given.afterCommit) {
      const [left] = await leaveToCommit([given], open, this.transactions);
      if (left && !left.stored && left.reason === 'error') throw left.error;
      return receipt;
    }
    const [result] =
      options.within === undefined
        ? await connection.push([outgoing], open)
        : await this.#pushWithin(options.within, given);
    if (result && !result.stored && result.reason === 'error') throw result.error;
    return this.#answer(result!, receipt, job);
  }

  /** The same for a job that says something of others of its kind. */
  async #gated(
    given: Prepared,
    { within }: DispatchOptions,
    open: OpenTransaction<Prepared> | undefined,
  ): Promise<DispatchReceipt | null> {
    const its = within === undefined ? open : this.transactions.of(within);
    const [one] = await this.#enter([given], its, within);
    const result = one ? await heldBy(its, this.#sendGated(one, within, its)) : LOCKED;
    if (!result.stored && result.reason === 'error') throw result.error;
    return this.#answer(result, given.receipt, given.outgoing.job);
  }

  async #sendGated(one: Prepared, within: unknown, its: OpenTransaction<Prepared> | undefined): Promise<PushResult> {
    if (within === undefined) {
      const [result] = its && one.afterCommit ? await this.#leave([one], its) : await this.#push([one]);
      return result!;
    }
    const [result] = await this.#pushWithin(within, one).catch(failed);
    await this.#gates.pushed(one, result!, its ?? 'unknown');
    return result!;
  }

  /** Those of the given that no lock has stopped, in their places. */
  #enter(
    given: readonly Prepared[],
    its: OpenTransaction<Prepared> | undefined,
    within?: unknown,
  ): Promise<readonly (Prepared | undefined)[]> {
    const manager = within ?? its?.manager;
    const waits = (one: Prepared): boolean =>
      within === undefined ? one.afterCommit : its !== undefined && one.connection.outbox !== undefined;
    const around = (one: Prepared): Around | undefined =>
      manager === undefined ? undefined : { manager, waits: waits(one), known: its !== undefined };
    return heldBy(its, this.#gates.enterAll(given, around));
  }

  /** Leaves jobs to the commit; those that cannot be left give their locks back. */
  async #leave(given: readonly Prepared[], open: OpenTransaction<Prepared>): Promise<readonly PushResult[]> {
    const left = await leaveToCommit(given, open, this.transactions).catch(failed);
    const results = given.map((_, index) => left[index] ?? left[0]!);
    for (const [index, result] of results.entries()) {
      if (!result.stored && given[index]!.policies) await this.#gates.pushed(given[index]!, result);
    }
    return results;
  }

  /**
   * One trip per connection. Everything is checked before anything is stored. Open transactions count as for `dispatch`, job by job.
   *
   * @throws BulkDispatchError where some were not stored; the store's own error where none was
   */
  bulk(jobs: readonly object[]): Promise<readonly (DispatchReceipt | null)[]> {
    const { traces } = this.services;
    if (!traces) return this.#bulk(jobs);
    const prepare = (carry: Carry): readonly Prepared[] => prepareAll(jobs, this.services, carry);
    return traces.dispatch('bulk', prepare, (given) => this.#bulk(jobs, given));
  }

  async #bulk(jobs: readonly object[], all?: readonly Prepared[]): Promise<readonly (DispatchReceipt | null)[]> {
    const given = all ?? prepareAll(jobs, this.services);
    const receipts: (DispatchReceipt | null)[] = Array.from({ length: jobs.length }, () => null);
    const failures: { index: number; error: unknown }[] = [];
    const open = this.transactions.current();
    const prepared = given.some(({ policies }) => policies) ? await this.#enter(given, open) : given;
    const now: number[] = [];
    const later: number[] = [];
    prepared.forEach((one, index) => {
      if (one) (open && one.afterCommit ? later : now).push(index);
      else this.#answer(LOCKED, given[index]!.receipt, jobs[index]!);
    });
    if (open && later.length > 0) {
      const waiting = later.map((index) => prepared[index]!);
      const left = await this.#leave(waiting, open);
      later.forEach((index, at) => {
        const result = left[at]!;
        if (!result.stored && result.reason === 'error') failures.push({ index, error: result.error });
        else receipts[index] = prepared[index]!.receipt;
      });
    }
    const sending = this.#push(now.map((index) => prepared[index]!));
    const results = await (prepared === given ? sending : heldBy(open, sending));
    now.forEach((index, at) => {
      const result = results[at]!;
      if (!result.stored && result.reason === 'error') failures.push({ index, error: result.error });
      else receipts[index] = this.#answer(result, prepared[index]!.receipt, jobs[index]!);
    });
    if (failures.length === 0) return receipts;
    const [first] = failures;
    if (failures.length === jobs.length && failures.every(({ error }) => error === first!.error)) throw first!.error;
    throw new BulkDispatchError(
      failures.sort((a, b) => a.index - b.index),
      jobs.length,
    );
  }

  /** One trip per connection. Answers are aligned; the failure of a trip is that of each of its jobs. */
  async #push(prepared: readonly Prepared[]): Promise<readonly PushResult[]> {
    const open = this.transactions.current();
    const byConnection = new Map<QueueConnection, number[]>();
    prepared.forEach(({ connection }, index) => {
      const indexes = byConnection.get(connection);
      if (indexes) indexes.push(index);
      else byConnection.set(connection, [index]);
    });
    const answers: PushResult[] = [];
    await Promise.all(
      [...byConnection].map(async ([connection, indexes]) => {
        const outgoing = indexes.map((index) => prepared[index]!.outgoing);
        const results = await connection
          .push(outgoing, open)
          .catch((error: unknown) => indexes.map((): PushResult => ({ stored: false, reason: 'error', error })));
        indexes.forEach((index, at) => (answers[index] = results[at]!));
      }),
    );
    if (prepared.some(({ policies }) => policies)) await this.#pushed(prepared, answers, open);
    return answers;
  }

  /** Of a burst within one bulk the last one counts. */
  async #pushed(
    prepared: readonly Prepared[],
    answers: PushResult[],
    open: OpenTransaction<Prepared> | undefined,
  ): Promise<void> {
    const last = new Map<string, number>();
    prepared.forEach(({ policies }, index) => {
      if (policies?.debounce && answers[index]!.stored) last.set(policies.debounce.key, index);
    });
    await Promise.all(
      prepared.map(async (one, index) => {
        if (!one.policies) return;
        const { debounce } = one.policies;
        if (debounce && last.get(debounce.key) !== index) return;
        const { connection, outgoing } = one;
        if (await this.#gates.mayRetry(one, answers[index]!)) {
          [answers[index]] = (await connection.push([outgoing], open).catch(failed)) as [PushResult];
        }
        const joined = open && connection.ready()?.transactions?.joins?.(open.manager) === true;
        await this.#gates.pushed(one, answers[index]!, joined ? open : undefined, open);
      }),
    );
  }

  #pushWithin(manager: unknown, prepared: Prepared): Promise<readonly PushResult[]> {
    const { connection, outgoing } = prepared;
    const { outbox } = connection;
    const its = this.transactions.of(manager);
    return heldBy(its, outbox ? written(outbox, [prepared], manager, its) : connection.pushWithin(manager, [outgoing]));
  }

  /** Sends what waited for a commit. Whoever dispatched it has gone on, so what fails is reported, one by one. */
  async #committed(all: readonly Prepared[]): Promise<void> {
    tellWritten(all);
    const waiting: Prepared[] = [];
    for (const one of all) {
      if (!one.policies) {
        if (!one.written) waiting.push(one);
        continue;
      }
      const next = await this.#gates.committing(one).catch((error: unknown) => this.#notSent(one, error));
      if (next === 'locked') this.#answer(LOCKED, one.receipt, one.outgoing.job);
      else if (next && next !== 'sent') waiting.push(next);
    }
    const results = await this.#push(waiting);
    waiting.forEach((one, index) => {
      const result = results[index]!;
      if (result.stored || result.reason !== 'error') this.#answer(result, one.receipt, one.outgoing.job);
      else this.#notSent(one, result.error);
    });
  }

  async #dropped(all: readonly Prepared[]): Promise<void> {
    this.services.watch?.dropped(all);
    await Promise.all(all.map((one) => this.#gates.dropped(one)));
  }

  /** What is in an outbox is relayed if the transaction has committed, and else is gone with it. */
  async #lost(all: readonly Prepared[]): Promise<void> {
    const unsent = all.filter((one) => !one.written);
    for (const { outgoing, receipt } of unsent) {
      this.services.report(
        `${outgoing.job.constructor.name} [${receipt.id}] was not sent to the [${receipt.connection}] connection: the commit that it waited for got no answer`,
        new Error(
          'The connection to the database was lost, and it is not known whether the transaction has committed. Dispatch the job again if it has; an outbox would have kept it.',
        ),
      );
    }
    await this.#dropped(unsent);
  }

  #notSent({ outgoing, receipt }: Prepared, error: unknown): undefined {
    const { name } = outgoing.job.constructor;
    this.services.report(
      `${name} [${receipt.id}] waited for a commit and then failed on the [${receipt.connection}] connection`,
      error,
    );
  }

  #answer(result: PushResult, receipt: DispatchReceipt, job: object): DispatchReceipt | null {
    if (result.stored || result.reason !== 'locked') return receipt;
    this.services.hub.emit(new UniqueJobSkipped(job));
    return null;
  }
}

const LOCKED: PushResult = Object.freeze({ stored: false, reason: 'locked' });

function failed(error: unknown): readonly PushResult[] {
  return [{ stored: false, reason: 'error', error }];
}

/** Not to be outrun by the end of its transaction, awaited by its caller or not. */
function heldBy<T>(its: OpenTransaction<Prepared> | undefined, work: Promise<T>): Promise<T> {
  return its ? its.hold(work) : work;
}
