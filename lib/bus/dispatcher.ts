import type { QueueConnection } from '../connections/queue-connection.js';
import type { DispatchReceipt } from '../contracts/dispatchable.js';
import type { PushResult } from '../contracts/queue-driver.js';
import { UniqueJobSkipped } from '../contracts/queue-events.js';
import type { EventHub } from '../connections/event-hub.js';
import { QueueError } from '../support/queue-error.js';
import { OpenTransactions } from './open-transactions.js';
import { prepareDispatch, type DispatchOptions, type PreparationServices, type Prepared } from './prepare-dispatch.js';

export interface DispatcherServices extends PreparationServices {
  readonly hub: EventHub;
  /** For failures that nobody can be told of any more. */
  readonly report: (message: string, error: unknown) => void;
}

/** Some jobs of a bulk were not stored; the others were. */
export class BulkDispatchError extends QueueError {
  constructor(
    /** By index in what was given. */
    readonly failures: readonly { readonly index: number; readonly error: unknown }[],
    total: number,
  ) {
    const first = failures[0]!;
    const why = first.error instanceof Error ? first.error.message : String(first.error);
    super(
      'ERR_QUEUE_BULK_DISPATCH',
      `${failures.length} of ${total} jobs were not stored; the first is number ${first.index}: ${why}`,
      {
        cause: first.error,
      },
    );
  }
}

/** Turns jobs into entries and hands them to their connections. */
export class Dispatcher {
  /** The transactions that dispatches are looked at in. */
  readonly transactions: OpenTransactions<Prepared>;

  constructor(private readonly services: DispatcherServices) {
    this.transactions = new OpenTransactions((waiting) => this.#committed(waiting), services.report);
  }

  /**
   * Inside an open transaction a job that waits for the commit resolves at once: it has been checked and written down, and is pushed by
   * the commit. Any other job joins the transaction where its store has only that one writer.
   *
   * @returns `null` when a unique lock stopped it
   */
  async dispatch(job: object, options: DispatchOptions): Promise<DispatchReceipt | null> {
    const prepared = prepareDispatch(job, options, this.services);
    const { connection, outgoing, receipt } = prepared;
    const open = options.within === undefined ? this.transactions.current() : undefined;
    if (open && prepared.afterCommit) {
      const refusal = connection.refusal(outgoing);
      if (refusal) throw refusal;
      open.onCommit(prepared);
      return receipt;
    }
    const [result] =
      options.within === undefined
        ? await connection.push([outgoing], open)
        : await connection.pushWithin(options.within, [outgoing]);
    if (result && !result.stored && result.reason === 'error') throw result.error;
    return this.#answer(result!, receipt, job);
  }

  /**
   * One trip per connection. Everything is checked before anything is stored. Open transactions count as for `dispatch`, job by job.
   *
   * @throws BulkDispatchError where some were not stored; the store's own error where none was
   */
  async bulk(jobs: readonly object[]): Promise<readonly (DispatchReceipt | null)[]> {
    const prepared = jobs.map((job, index) => {
      try {
        return prepareDispatch(job, {}, this.services);
      } catch (error) {
        if (error instanceof Error) error.message = `Job number ${index} of the bulk: ${error.message}`;
        throw error;
      }
    });
    const receipts: (DispatchReceipt | null)[] = Array.from({ length: jobs.length }, () => null);
    const failures: { index: number; error: unknown }[] = [];
    const open = this.transactions.current();
    const now: number[] = [];
    prepared.forEach((one, index) => {
      if (!open || !one.afterCommit) {
        now.push(index);
        return;
      }
      const error = one.connection.refusal(one.outgoing);
      if (error) {
        failures.push({ index, error });
        return;
      }
      open.onCommit(one);
      receipts[index] = one.receipt;
    });
    const results = await this.#push(now.map((index) => prepared[index]!));
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
    return answers;
  }

  /** Sends what waited for a commit. Whoever dispatched it has gone on, so what fails is reported, one by one. */
  async #committed(waiting: readonly Prepared[]): Promise<void> {
    const results = await this.#push(waiting);
    waiting.forEach(({ outgoing, receipt }, index) => {
      const result = results[index]!;
      if (result.stored || result.reason !== 'error') {
        this.#answer(result, receipt, outgoing.job);
        return;
      }
      const { name } = outgoing.job.constructor;
      this.services.report(
        `${name} [${receipt.id}] waited for a commit and then failed on the [${receipt.connection}] connection`,
        result.error,
      );
    });
  }

  #answer(result: PushResult, receipt: DispatchReceipt, job: object): DispatchReceipt | null {
    if (result.stored || result.reason !== 'locked') return receipt;
    this.services.hub.emit(new UniqueJobSkipped(job));
    return null;
  }
}
