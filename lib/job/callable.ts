import { inspect } from 'node:util';
import type { Type } from '@nestjs/common';
import type { ClosureJob } from '../contracts/dispatchable.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { describe } from '../support/queue-error.js';
import { isCallable, isJobClass } from './job.decorators.js';
import { NotAJobError } from './job-definition.js';
import type { PayloadCodec } from './payload-codec.js';
import { TAG } from './payload-types.js';
import { labelOf, QueuedClosure, reserveClosure, type WrittenFor } from './queued-closure.js';

/** The name that calls travel under. */
export const CALL = '@call';

/** The class that a call was made with. It does not travel: its name does. */
const services = new WeakMap<MethodCall, unknown>();

/**
 * A call of a `@Callable()` method, to be dispatched like a job: `bus.dispatch(call(Podcasts, 'publish', podcast.id))`.
 *
 * The worker finds the service by its class name among its own providers and calls the method there with the arguments, which may be
 * whatever a job may carry. `name()` gives it a label, `catch()` a job that is sent when it has failed for good.
 *
 * Whether the method is marked is looked at when it is dispatched.
 */
export function call<S, M extends keyof S>(
  service: Type<S> | (abstract new (...args: any[]) => S),
  method: M,
  ...args: S[M] extends (...args: infer A) => unknown ? A : never
): ClosureJob {
  return new MethodCall(service, method, args);
}

/** A call on its way, and in the worker once it has been read back: then its fields are what the store gave. */
export class MethodCall extends QueuedClosure {
  readonly service: string;
  readonly method: string;

  constructor(
    service: unknown,
    method: unknown,
    readonly args: readonly unknown[],
  ) {
    super();
    this.service = typeof service === 'function' ? service.name : describe(service);
    this.method = String(method);
    services.set(this, typeof method === 'string' ? service : undefined);
  }

  displayName(): string {
    return labelOf(this) ?? `${this.service}.${this.method}`;
  }

  /** As a test's message shows it. */
  override toString(): string {
    return `${this.service}.${this.method}(${this.args.map((one) => inspect(one)).join(', ')})`;
  }

  /** @throws NotAJobError for a method without `@Callable()` */
  written(_to: WrittenFor, codec: PayloadCodec): object {
    const { service, method, args } = this;
    const at = `${service}.${method}`;
    const type = services.get(this);
    if (typeof type !== 'function' || service === '') {
      throw new NotAJobError(`call() was given ${at}. Give a class and the name of one of its methods as a text.`);
    }
    if (isJobClass(type)) {
      throw new NotAJobError(`call() was given the job ${service}. Dispatch the job itself: new ${service}(…).`);
    }
    if (!isCallable(type.prototype as object, method)) {
      throw new NotAJobError(
        `${at} is not marked as callable from a queue. Put @Callable() on the method ${method} of ${service}.`,
      );
    }
    return codec.encode({ service, method, args }, at);
  }
}

reserveClosure(MethodCall, CALL);

/** The names in a call from a store, for a look-up in a Map; `undefined` where the body names none. */
export function calledBy({
  name,
  data,
}: JobEnvelope): { readonly service: string; readonly method: string } | undefined {
  if (name !== CALL || typeof data === 'string') return undefined;
  const fields = (Object.hasOwn(data, TAG) ? (data as { v?: unknown }).v : data) as
    Partial<MethodCall> | null | undefined;
  const service = fields?.service;
  const method = fields?.method;
  return typeof service === 'string' && typeof method === 'string' ? { service, method } : undefined;
}
