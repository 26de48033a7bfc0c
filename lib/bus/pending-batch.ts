import type { Batch } from '../contracts/batch.js';
import type { Dispatchable } from '../contracts/dispatchable.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** A member: a job, or a list of jobs that is a chain. */
export type BatchMember = Dispatchable | readonly Dispatchable[];

/** When a callback that was registered is sent. */
export type CallbackKind = 'before' | 'progress' | 'failure' | 'then' | 'catch' | 'finally';

/** Hears how many entries of a batch have been stored, and how many there are; a chain is one. */
export type StoredListener = (stored: number, total: number) => void;

export interface PendingBatchOptions {
  name?: string;
  connection?: string;
  queue?: string;
  allowFailures?: boolean;
}

/**
 * A batch that can still be told its members, name and callbacks. It is sent by `.dispatch()` alone. A callback is a job or a call: an
 * ordinary durable job, in which `this.batch()` is the batch.
 */
export class PendingBatch {
  /** Members as they were given; what is falsy is left out. */
  readonly jobs: readonly BatchMember[] = [];
  readonly options: Readonly<PendingBatchOptions> = {};
  /** @internal */
  readonly callbacks: ReadonlyMap<CallbackKind, readonly Dispatchable[]> = new Map();
  /** @internal */
  readonly listeners: readonly StoredListener[] = [];
  /** @internal What `withOption()` said. */
  readonly given: Readonly<Record<string, unknown>> = {};

  constructor(
    jobs: readonly BatchMember[],
    private readonly send: (batch: PendingBatch, when: 'now' | 'after-response') => Promise<Batch>,
  ) {
    this.add(jobs);
  }

  /** More members, one or many; a list within the list is a chain. */
  add(jobs: Dispatchable | readonly BatchMember[]): this {
    const members = present(Array.isArray(jobs) ? (jobs as readonly BatchMember[]) : [jobs as Dispatchable]);
    for (const one of members) (this.jobs as BatchMember[]).push(one);
    return this;
  }

  name(name: string): this {
    return this.#set('name', name);
  }

  /** For every member and step, and for callbacks that do not say another. */
  onConnection(connection: string): this {
    return this.#set('connection', connection);
  }

  /** For every member and step, and for callbacks that do not say another. */
  onQueue(queue: string): this {
    return this.#set('queue', queue);
  }

  /** Sent once the batch is stored, before its members. */
  before(job: Dispatchable): this {
    return this.#on('before', job);
  }

  /** Sent for each member that has succeeded; where failures are allowed, for each that has failed too. */
  progress(job: Dispatchable): this {
    return this.#on('progress', job);
  }

  /** Sent once, with the first failure: `this.context.error` is what went wrong. */
  catch(job: Dispatchable): this {
    return this.#on('catch', job);
  }

  /** Sent once, when every member has ended, in whatever way. */
  finally(job: Dispatchable): this {
    return this.#on('finally', job);
  }

  /**
   * Sent once, when every member has succeeded and the batch was not cancelled. Not a promise's `then`: a pending batch is not awaited.
   */
  // The name is Laravel's; that it is no promise's is checked below.
  // oxlint-disable-next-line unicorn/no-thenable
  then(job: Dispatchable): this {
    if (typeof job === 'function') {
      // What `await` calls with: resolve and reject.
      const reject = arguments[1] as ((error: unknown) => void) | undefined;
      const error = new InvalidOptionError(
        typeof reject === 'function'
          ? 'A pending batch was awaited. Send it: await bus.batch([…]).dispatch().'
          : 'then() was given a function. Give it a job or a call(…), which can be stored with the batch.',
      );
      if (typeof reject !== 'function') throw error;
      reject(error);
      return this;
    }
    return this.#on('then', job);
  }

  /** A failure does not cancel the batch. A job given here is sent for each member that has failed. */
  allowFailures(allow: boolean | Dispatchable | readonly Dispatchable[] = true): this {
    this.#set('allowFailures', allow !== false);
    if (typeof allow === 'boolean') return this;
    for (const job of Array.isArray(allow) ? (allow as readonly Dispatchable[]) : [allow as Dispatchable]) {
      this.#on('failure', job);
    }
    return this;
  }

  /** A value that is kept with the batch and stands in its `options`: JSON. */
  withOption(key: string, value: unknown): this {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (cause) {
      throw new InvalidOptionError(`withOption("${key}") was given a value that is no JSON. Give one that is.`, {
        cause,
      });
    }
    if (text === undefined)
      throw new InvalidOptionError(`withOption("${key}") was given ${describe(value)}. Give a value that is JSON.`);
    (this.given as Record<string, unknown>)[key] = JSON.parse(text);
    return this;
  }

  /**
   * Told in this process, while the batch is stored, of how many of its entries have been and how many there are: after each thousand,
   * and at the end. It is not kept with the batch.
   */
  onStored(listener: StoredListener): this {
    if (typeof listener !== 'function') {
      throw new InvalidOptionError(`onStored() of a batch was given ${describe(listener)}. Give it a function.`);
    }
    (this.listeners as StoredListener[]).push(listener);
    return this;
  }

  /** Stores the batch and sends its members. An empty one finishes at once. */
  dispatch(): Promise<Batch> {
    return this.send(this, 'now');
  }

  /** `null` where the condition does not hold. */
  async dispatchIf(condition: boolean | (() => boolean)): Promise<Batch | null> {
    return (typeof condition === 'function' ? condition() : condition) ? this.dispatch() : null;
  }

  async dispatchUnless(condition: boolean | (() => boolean)): Promise<Batch | null> {
    return (typeof condition === 'function' ? condition() : condition) ? null : this.dispatch();
  }

  /** Stores the batch now, and sends its members once the current HTTP response is out; at once outside a request. */
  dispatchAfterResponse(): Promise<Batch> {
    return this.send(this, 'after-response');
  }

  #set<K extends keyof PendingBatchOptions>(key: K, value: PendingBatchOptions[K]): this {
    if (key !== 'allowFailures' && (typeof value !== 'string' || value === '')) {
      throw new InvalidOptionError(`A batch's ${key} is ${describe(value)}. Give a name that is not empty.`);
    }
    (this.options as PendingBatchOptions)[key] = value;
    return this;
  }

  #on(kind: CallbackKind, job: Dispatchable): this {
    if (typeof job !== 'object' || job === null) {
      throw new InvalidOptionError(
        `${kind}() of a batch was given ${describe(job)}. Give it a job or a call(…), which can be stored with the batch.`,
      );
    }
    const callbacks = this.callbacks as Map<CallbackKind, Dispatchable[]>;
    const registered = callbacks.get(kind);
    if (registered) registered.push(job);
    else callbacks.set(kind, [job]);
    return this;
  }
}

/** Members as they were given, without those that are none: `false`, `null`, an empty chain. */
export function present(jobs: readonly BatchMember[]): readonly BatchMember[] {
  return jobs
    .map((one) => (Array.isArray(one) ? (one as readonly Dispatchable[]).filter(Boolean) : one))
    .filter((one) => (Array.isArray(one) ? one.length > 0 : Boolean(one)));
}
