import type { Dispatchable, DispatchReceipt } from '../contracts/dispatchable.js';
import { chained, type Empty } from '../job/fluent-options.js';
import type { Moment } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import type { DispatchOptions } from './prepare-dispatch.js';

/** Kept from the start: a test may replace the global one. */
const { queueMicrotask } = globalThis;

/**
 * A dispatch that can still be told where and when. Awaiting it sends it; one that nobody awaits is sent in the microtask after the
 * statement, and its failure is then an unhandled rejection, never silence.
 */
export class PendingDispatch implements PromiseLike<DispatchReceipt | null> {
  readonly #options: { -readonly [K in keyof DispatchOptions]: DispatchOptions[K] } = {};
  #sent: Promise<DispatchReceipt | null> | undefined;

  /** @param send called once, with what the fluent calls said */
  constructor(private readonly send: (options: DispatchOptions) => Promise<DispatchReceipt | null>) {
    queueMicrotask(() => void this.#go());
  }

  onConnection(connection: string): this {
    this.#unsent.connection = connection;
    return this;
  }

  onQueue(queue: string): this {
    this.#unsent.queue = queue;
    return this;
  }

  /** Seconds, a string such as '10m', or the moment itself. Negative and past ones mean now. */
  delay(delay: Moment): this {
    this.#unsent.delay = delay;
    return this;
  }

  withoutDelay(): this {
    this.#unsent.delay = null;
    return this;
  }

  /**
   * Sent when the open TypeORM transaction commits, whatever DataSource it is on and whatever store the job goes to; gone when it rolls
   * back. At once where there is none. Inside one, awaiting gives the receipt before the commit: the job has been checked and written
   * down, and a store that fails it after the commit is reported in the log. With an outbox it is stored by the commit itself.
   */
  afterCommit(): this {
    this.#unsent.afterCommit = true;
    return this;
  }

  /** Not held back until a commit, whatever the job or the connection says. On SQLite it still joins a transaction on the same file. */
  beforeCommit(): this {
    this.#unsent.afterCommit = false;
    return this;
  }

  /** Jobs of one group are kept in order by stores that know groups; others do not look at it. */
  onGroup(group: string): this {
    this.#unsent.group = group;
    return this;
  }

  /** Says by what a store that drops repeats knows one; others do not look at it. */
  withDeduplicator(fn: (payload: string) => string): this {
    this.#unsent.deduplicator = fn;
    return this;
  }

  /**
   * What follows when the job is done, one after the other. Takes the place of what the job itself says. Empty entries are left out.
   *
   * @throws InvalidOptionError where nothing is left
   */
  chain(jobs: readonly (Dispatchable | Empty)[]): this {
    this.#unsent.chain = chained(jobs, 'dispatch().chain()');
    return this;
  }

  /** Sent once when the job, or a later one of its chain, has failed for good; it finds the error in `this.context.error`. Each call adds one. */
  catch(job: Dispatchable): this {
    const unsent = this.#unsent;
    unsent.catch = [...(unsent.catch ?? []), job];
    return this;
  }

  /** Stored in the caller's own transaction: committed or rolled back with it. For connections that are a database or have an outbox. */
  within(manager: object): this {
    if (typeof manager !== 'object' || manager === null) {
      throw new InvalidOptionError(
        `within() was given ${describe(manager)}. Give it the EntityManager of the open transaction.`,
      );
    }
    this.#unsent.within = manager;
    return this;
  }

  // To be awaited is what it is for.
  // oxlint-disable-next-line unicorn/no-thenable
  then<A = DispatchReceipt | null, B = never>(
    fulfilled?: ((receipt: DispatchReceipt | null) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#go().then(fulfilled, rejected);
  }

  /** @throws InvalidOptionError once it has been sent: what is said then would be lost */
  get #unsent(): { -readonly [K in keyof DispatchOptions]: DispatchOptions[K] } {
    if (!this.#sent) return this.#options;
    throw new InvalidOptionError(
      'The job had been sent before this call said where or when. Say it in the same statement: await bus.dispatch(job).onQueue(…).',
    );
  }

  #go(): Promise<DispatchReceipt | null> {
    this.#sent ??= this.send(this.#options);
    return this.#sent;
  }
}
