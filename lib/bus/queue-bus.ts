import type { DispatchReceipt, InlineClosure, QueueableJob } from '../contracts/dispatchable.js';
import type { Dispatcher } from './dispatcher.js';
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
}

/** Sends jobs. Inject it wherever jobs are dispatched from. */
export class QueueBus {
  readonly #open = new Set<Promise<unknown>>();

  constructor(private readonly services: BusServices) {}

  /**
   * Sends a job to its queue: `await bus.dispatch(new ProcessPodcast(id)).onQueue('media').delay('10m')`.
   *
   * @returns the receipt, when awaited; `null` when a unique lock stopped it
   * @throws NotAJobError, UnserializableError, InvalidOptionError, DispatchTimeoutError when awaited
   */
  dispatch(job: QueueableJob): PendingDispatch {
    return this.#pending((options) => this.services.dispatcher.dispatch(job, options));
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
    if (isInline(job)) return (await job()) as R;
    return (await this.services.inProcess(job, 'sync')()) as R;
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
   * @returns receipts aligned with the jobs; `null` where a unique lock stopped one
   * @throws BulkDispatchError naming those that the store did not take
   */
  bulk(jobs: readonly QueueableJob[]): Promise<readonly (DispatchReceipt | null)[]> {
    return this.#track(Promise.resolve().then(() => this.services.dispatcher.bulk(jobs)));
  }

  /** Resolves when everything that was dispatched so far is with its store or has failed. */
  async flush(): Promise<void> {
    // A dispatch that was not awaited begins in the next microtask.
    await Promise.resolve();
    while (this.#open.size > 0) await Promise.allSettled(this.#open);
  }

  #pending(send: (options: DispatchOptions) => Promise<DispatchReceipt | null>): PendingDispatch {
    return new PendingDispatch((options) => this.#track(send(options)));
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#open.add(work);
    const done = (): void => void this.#open.delete(work);
    // A promise of its own for the caller: this look at `work` must not count as somebody's having handled its failure.
    return work.finally(done);
  }
}

function isInline(job: unknown): job is InlineClosure {
  // A class is a function too: it is left to the check that says what to write instead.
  return typeof job === 'function' && !/^class\b/.test(Function.prototype.toString.call(job));
}
