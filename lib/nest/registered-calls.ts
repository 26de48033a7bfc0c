import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { calledBy, MethodCall } from '../job/callable.js';
import { definitionOf } from '../job/job-definition.js';
import type { AttemptScope, RegisteredJob } from '../job/job-registry.js';
import { UnknownJobError } from '../job/job-registry.js';
import { InvalidPayloadError } from '../job/payload-errors.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';
import type { Provided } from './provided.js';

/** What stands for a service in this process lacks the method: a stand-in that was made by hand, mostly. */
export class MissingMethodError extends QueueError {
  constructor(service: string, method: string) {
    super(
      'ERR_QUEUE_MISSING_METHOD',
      `What is provided for ${service} has no method ${method}. Give the stand-in that method, or provide the class itself.`,
    );
  }
}

interface Callable {
  readonly type: Function;
  readonly module: string;
  readonly provided: Provided;
}

/**
 * The `@Callable()` methods of this process by the names that calls travel under. Maps: what a store names is found here or not at all,
 * and never looked up on an object before.
 */
export class RegisteredCalls implements RegisteredJob {
  readonly definition = definitionOf(MethodCall);
  readonly #services = new Map<string, Map<string, Callable>>();

  /**
   * Adds a method.
   *
   * @returns false where that of the same class in another module was first
   * @throws InvalidOptionError where another class has the names
   */
  add(service: string, method: string, callable: Callable): boolean {
    const methods = this.#services.get(service) ?? new Map<string, Callable>();
    this.#services.set(service, methods);
    const other = methods.get(method);
    if (other && other.type !== callable.type) {
      throw new InvalidOptionError(
        `Two classes named ${service} have a method ${method} marked @Callable(), in ${other.module} and in ${callable.module}. A call travels by these names: rename one of the classes or methods.`,
      );
    }
    if (!other) methods.set(method, callable);
    return !other;
  }

  knows(envelope: JobEnvelope): boolean {
    const called = calledBy(envelope);
    // A body without names is not unknown here but unreadable everywhere.
    return called === undefined || this.#services.get(called.service)?.has(called.method) === true;
  }

  open(context: JobContext): AttemptScope | Promise<AttemptScope> {
    const called = calledBy(context.payload as JobEnvelope);
    if (!called) throw unreadable();
    const callable = this.#services.get(called.service)?.get(called.method);
    if (!callable) throw UnknownJobError.of(context.name, called);
    const { method } = called;
    const instance = callable.provided.for(context);
    return instance instanceof Promise
      ? instance.then((made) => new CallScope(made, method))
      : new CallScope(instance, method);
  }
}

class CallScope implements AttemptScope {
  constructor(
    private readonly service: unknown,
    /** The one that was found in the map: no other is called, whatever the body turns out to say. */
    private readonly method: string,
  ) {}

  /** Nothing is injected into a call; its fields come from a store. */
  inject(job: object): void {
    const { service, method, args } = job as Partial<MethodCall>;
    if (typeof service !== 'string' || typeof method !== 'string' || !Array.isArray(args)) throw unreadable();
  }

  handle(job: object): unknown {
    const { service, args } = job as MethodCall;
    const found = (this.service as Record<string, unknown> | null | undefined)?.[this.method];
    if (typeof found !== 'function') throw new MissingMethodError(service, this.method);
    return Reflect.apply(found, this.service, args);
  }

  failed(): undefined {
    return undefined;
  }

  /** A call has no class of its own that could name one. */
  middleware(): never {
    throw new InvalidOptionError('A call takes middleware by through() alone, as instances.');
  }
}

function unreadable(): InvalidPayloadError {
  return new InvalidPayloadError(
    'The body of the call names no service, method and arguments. It was not run; its bytes are kept.',
  );
}
