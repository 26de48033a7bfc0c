import type { Batch } from '../contracts/batch.js';
import type {
  ClosureJob,
  Dispatchable,
  DispatchReceipt,
  InlineClosure,
  QueueableJob,
} from '../contracts/dispatchable.js';
import { inlineClosure, isClass } from '../job/closure.js';
import type { Batches, PruneBatchesOptions } from './batches.js';
import { type Link, LiveList } from '../support/live-list.js';
import { declined } from './declined.js';
import type { DispatchWatch } from './dispatch-watch.js';
import type { Dispatcher } from './dispatcher.js';
import type { Empty } from '../job/fluent-options.js';
import type { BatchMember, PendingBatch } from './pending-batch.js';
import { PendingChain } from './pending-chain.js';
import { PendingDispatch } from './pending-dispatch.js';
import type { DispatchOptions } from './prepare-dispatch.js';

/** What the bus takes from the floors around it. */
export interface BusServices {
  readonly dispatcher: Dispatcher;
  /**
   * Writes a job down as for a queue, at once, and gives what runs it in this process, with middleware, events and `failed()`: that
   * resolves with what its handler returned.
   */
  readonly inProcess: (job: object, connection: string) => () => Promise<unknown>;
  /** Calls `fn` once the current HTTP response is out, at once outside a request. */
  readonly afterResponse: (fn: () => Promise<void>) => void;
  /** For failures that nobody can be told of any more. */
  readonly report: (message: string, error: unknown) => void;
  readonly batches: () => Batches;
  readonly watch?: DispatchWatch;
}

/** A dispatch under way. */
interface Open {
  readonly work: Promise<unknown>;
  link: Link<Open> | undefined;
}

/** Sends jobs. Inject it wherever jobs are dispatched from. */
export class QueueBus {
  readonly #open = new LiveList<'link', Open>('link');

  constructor(private readonly services: BusServices) {}

  /**
   * Sends a job to its queue: `await bus.dispatch(new ProcessPodcast(id)).onQueue('media').delay('10m')`.
   *
   * A function runs as it is, on connections that run their jobs in this process (sync, deferred); others refuse it.
   *
   * @returns the receipt, when awaited; `null` when a unique lock, or the job's own `prepareForDispatch()`, stopped it
   * @throws NotAJobError, UnserializableError, InvalidOptionError, DispatchTimeoutError when awaited
   */
  dispatch(job: QueueableJob | ClosureJob | InlineClosure): PendingDispatch {
    const given = isInline(job) ? inlineClosure(job) : job;
    return this.#pending((options) => this.#unlessDeclined(given, options));
  }

  /** Dispatches when the condition holds; a job given as a function is not even made when it does not. */
  dispatchIf(condition: boolean | (() => boolean), job: QueueableJob | (() => QueueableJob)): PendingDispatch {
    const holds = typeof condition === 'function' ? condition() : condition;
    if (!holds) return new PendingDispatch(() => Promise.resolve(null));
    return this.dispatch(isInline(job) ? (job() as QueueableJob) : job);
  }

  /** Dispatches unless the condition holds. */
  dispatchUnless(condition: boolean | (() => boolean), job: QueueableJob | (() => QueueableJob)): PendingDispatch {
    const holds = typeof condition === 'function' ? condition() : condition;
    return this.dispatchIf(!holds, job);
  }

  /**
   * Runs the job here and now, through its middleware. One attempt; nothing is queued or recorded.
   *
   * @returns what its handler returned
   * @throws what its handler threw, after `failed()` and the events
   */
  async dispatchSync<R = unknown>(job: QueueableJob | InlineClosure): Promise<R> {
    const { inProcess, watch } = this.services;
    if (isInline(job)) {
      if (watch?.holdsBack(inlineClosure(job), 'sync')) return undefined as R;
      return (await job()) as R;
    }
    const run = inProcess(job, 'sync');
    if (watch?.holdsBack(job, 'sync')) return undefined as R;
    return (await run()) as R;
  }

  /**
   * Runs the job in this process once the current HTTP response is out; at once outside a request. It is not queued: nobody retries it,
   * and its errors go to `failed()`, the events and the log. The job is taken as it stands now.
   *
   * @throws NotAJobError, UnserializableError, InvalidOptionError at once
   */
  dispatchAfterResponse(job: QueueableJob | InlineClosure): void {
    const inline = isInline(job);
    const work = inline ? job : this.services.inProcess(job, 'sync');
    if (this.services.watch?.holdsBack(inline ? inlineClosure(job) : job, 'after-response')) return;
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        // A job has told its failed() and the events by now; a function has nobody else to tell.
        if (inline) this.services.report(`${job.name || 'An inline function'} failed after the response`, error);
      }
    };
    this.services.afterResponse(() => this.#track(run()));
  }

  /**
   * Sends many jobs, in one trip a connection. All are checked before any is stored.
   *
   * @returns receipts aligned with the jobs; `null` where a unique lock, or its own `prepareForDispatch()`, stopped one
   * @throws BulkDispatchError naming those that the store did not take
   */
  bulk(jobs: readonly QueueableJob[]): Promise<readonly (DispatchReceipt | null)[]> {
    return this.#track(Promise.resolve().then(() => this.#bulk(jobs)));
  }

  /**
   * Jobs that run one after the other, each when the one before it is done: `await bus.chain([new Pull(), new Test()]).dispatch()`.
   * Empty entries are left out.
   */
  chain(jobs: readonly (Dispatchable | Empty)[]): PendingChain {
    return new PendingChain(jobs, (head, options) => this.#track(this.services.dispatcher.dispatch(head, options)));
  }

  /**
   * Jobs that run side by side and are counted together: `await bus.batch([new Import(1), [new Release(1), new Notify(1)]]).dispatch()`.
   * An inner list is a chain. Empty entries are left out. Sent by its `dispatch()` alone.
   */
  batch(jobs: readonly (Dispatchable | Empty | readonly (Dispatchable | Empty)[])[]): PendingBatch {
    const { batches, watch } = this.services;
    const pending: PendingBatch = batches().pending(jobs as readonly BatchMember[], (work) =>
      this.#track(watch ? watch.sent(pending, work) : work),
    );
    return pending;
  }

  /** A batch as it stands now; `null` where there is none of that id. */
  findBatch(id: string): Promise<Batch | null> {
    return this.services.batches().find(id);
  }

  /**
   * Removes batches, by how many hours ago it happened: those that have finished (`hours`, default 24), and where they are given those
   * that were never finished nor cancelled (`unfinished`), and those that were cancelled (`cancelled`). 0 is all of them.
   *
   * @returns how many
   * @throws InvalidOptionError
   */
  async pruneBatches(options: PruneBatchesOptions = {}): Promise<number> {
    const { finished, unfinished, cancelled } = await this.services.batches().prune(options);
    return finished + unfinished + cancelled;
  }

  /** Dispatches that are on their way to their stores. */
  get pending(): number {
    return this.#open.size;
  }

  /** Resolves when everything that was dispatched so far is with its store or has failed. */
  async flush(): Promise<void> {
    // A dispatch that was not awaited begins in the next microtask.
    await Promise.resolve();
    while (this.#open.size > 0) await Promise.allSettled(this.#open.all().map(({ work }) => work));
  }

  #unlessDeclined(job: object, options: DispatchOptions): Promise<DispatchReceipt | null> {
    const answer = declined(job);
    const send = (no: boolean) => (no ? Promise.resolve(null) : this.services.dispatcher.dispatch(job, options));
    return answer instanceof Promise ? answer.then(send) : send(answer);
  }

  async #bulk(jobs: readonly object[]): Promise<readonly (DispatchReceipt | null)[]> {
    const answers = jobs.map(declined);
    if (answers.every((answer) => answer === false)) return this.services.dispatcher.bulk(jobs);
    const out = await Promise.all(answers.map(async (answer) => answer));
    const sent = await this.services.dispatcher.bulk(jobs.filter((_, index) => !out[index]));
    let next = 0;
    return out.map((no) => (no ? null : sent[next++]!));
  }

  #pending(send: (options: DispatchOptions) => Promise<DispatchReceipt | null>): PendingDispatch {
    return new PendingDispatch((options) => this.#track(send(options)));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const open: Open = { work, link: undefined };
    this.#open.add(open);
    const done = (): void => void this.#open.delete(open);
    // A promise of its own for the caller: this look at `work` must not count as somebody's having handled its failure.
    return work.finally(done);
  }
}

function isInline(job: unknown): job is InlineClosure {
  // A class is a function too: it is left to the check that says what to write instead.
  return typeof job === 'function' && !isClass(job);
}
