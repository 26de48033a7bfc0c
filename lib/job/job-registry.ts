import type { Type } from '@nestjs/common';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';
import type { JobDefinition } from './job-definition.js';

/** Nobody in this process knows a job of that name. */
export class UnknownJobError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_UNKNOWN_JOB', message);
  }

  /** @param called the service's class and method that a call names */
  static of(name: string, called?: { readonly service: string; readonly method: string }): UnknownJobError {
    if (called) {
      return new UnknownJobError(
        `No provider of this process is a ${called.service} with a method ${called.method} marked @Callable(). Mark it, list the class in a module's providers, or work this queue where it is known.`,
      );
    }
    return new UnknownJobError(
      `No job class travels under the name "${name}" in this process. List the class in a module's providers, give it that name as an alias, or work this queue where it is known.`,
    );
  }
}

/** What one attempt gets from the container: the same scope for middleware, handler and `failed()`. */
export interface AttemptScope {
  /** Sets the injected properties of a revived job. */
  inject(job: object): void;
  /** Calls the handler with its dependencies. */
  handle(job: object): unknown;
  /** Calls `failed(error, …)` with its dependencies; does nothing where the class has none. */
  failed(job: object, error: Error | null): unknown;
  /** An injectable middleware. */
  middleware(type: Type<JobMiddleware>): JobMiddleware | Promise<JobMiddleware>;
}

/** A job class that this process can run. */
export interface RegisteredJob {
  readonly definition: JobDefinition;
  /** Opens the scope of one attempt; at once where all dependencies are singletons, which are looked up only once. */
  open(context: JobContext): AttemptScope | Promise<AttemptScope>;
  /** Whether this process has what the body names further. Absent where the job's name says it all. */
  knows?(envelope: JobEnvelope): boolean;
}

/** The job classes of this process by the names they travel under. A Map: a name from a store never reaches a property look-up. */
export class JobRegistry {
  /** Whether all jobs of the application have been added. */
  explored = false;
  readonly #byName = new Map<string, RegisteredJob>();

  /** @throws InvalidOptionError when another class has one of its names */
  add(job: RegisteredJob): void {
    const { definition } = job;
    for (const name of [definition.name, ...(definition.aliases ?? [])]) {
      const other = this.#byName.get(name);
      if (other && other.definition.type !== definition.type) {
        throw new InvalidOptionError(
          `Two job classes travel under the name "${name}": ${other.definition.type.name} and ${definition.type.name}. Give one of them another: @Job({ name: '…' }).`,
        );
      }
      this.#byName.set(name, job);
    }
  }

  find(name: string): RegisteredJob | undefined {
    return this.#byName.get(name);
  }

  has(definition: JobDefinition): boolean {
    return this.#byName.get(definition.name)?.definition.type === definition.type;
  }

  /** Each registered class once. */
  all(): readonly RegisteredJob[] {
    return [...new Set(this.#byName.values())];
  }
}
