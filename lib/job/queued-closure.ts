import type { ClosureJob, Dispatchable } from '../contracts/dispatchable.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';
import type { SealedSources } from './closure-seal.js';
import { addCatch } from './fluent-options.js';
import { reserveJob } from './job-definition.js';
import type { PayloadCodec } from './payload-codec.js';
import { Queueable } from './queueable.js';

/** What a closure must know of the place it is written down for. */
export interface WrittenFor {
  readonly uuid: string;
  readonly connection: string;
  /** It is not stored: this process runs it. */
  readonly inProcess?: boolean;
  /** Writes sources down, where the module lets them travel. */
  readonly sources?: SealedSources | undefined;
}

/** A closure was run by hand. */
export class ClosureNotDispatchedError extends QueueError {
  constructor(displayName: string) {
    super(
      'ERR_QUEUE_CLOSURE_NOT_DISPATCHED',
      `${displayName} cannot be run by hand: what it needs comes from the container. Dispatch it, or run it by bus.dispatchSync().`,
    );
  }
}

const labels = new WeakMap<object, string>();

/** What `call()` and `closure()` make: jobs without a class of the application's own. */
export abstract class QueuedClosure extends Queueable implements ClosureJob {
  /** Takes the place of what lists and log lines show. @throws InvalidOptionError */
  name(label: string): this {
    if (typeof label !== 'string' || label === '') {
      throw new InvalidOptionError(`name() was given ${describe(label)}. Give a text that is not empty.`);
    }
    labels.set(this, label);
    return this;
  }

  /** A job that is sent once when this one has failed for good. Several may be given. @throws InvalidOptionError */
  catch(job: Dispatchable): this {
    if (typeof job !== 'object' || job === null) {
      throw new InvalidOptionError(
        `catch() was given ${describe(job)}. Give a job or a call: catch(call(Service, 'method')).`,
      );
    }
    addCatch(this, job);
    return this;
  }

  abstract displayName(): string;

  /**
   * What travels.
   *
   * @throws NotAJobError, UnserializableError for what cannot
   */
  abstract written(to: WrittenFor, codec: PayloadCodec): object;

  /** A worker runs what it has found by the names that travelled, not this. @throws ClosureNotDispatchedError */
  handle(): never {
    throw new ClosureNotDispatchedError(this.displayName());
  }
}

export function labelOf(closure: QueuedClosure): string | undefined {
  return labels.get(closure);
}

/** Gives a kind of closure the name that it travels under. */
export function reserveClosure(type: abstract new (...given: any[]) => QueuedClosure, name: `@${string}`): void {
  // Laravel's closures go quietly when an entity of theirs is gone, and so do these.
  reserveJob(type, { name, signed: true, deleteWhenMissingEntities: true });
}
