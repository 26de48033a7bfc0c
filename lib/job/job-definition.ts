import type { Type } from '@nestjs/common';
import { QueueError, describe, InvalidOptionError } from '../support/queue-error.js';
import { declaredPolicies, handlerName, isJobClass, type DeclaredPolicies } from './job.decorators.js';

/** Something was dispatched that is not a job. */
export class NotAJobError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_NOT_A_JOB', message);
  }
}

/** What there is to know about a job class, read once from its decorators. */
export interface JobDefinition extends Readonly<DeclaredPolicies> {
  readonly type: Type;
  readonly name: string;
  /** The method that runs. */
  readonly handler: string;
  /** Signed wherever there is a key, and refused unsigned there. */
  readonly signed?: boolean;
  /** Own fields of an instance that the container fills; they do not travel. */
  readonly injected: ReadonlySet<string>;
}

const definitions = new WeakMap<Function, JobDefinition>();

/** @throws NotAJobError where the class lacks `@Job()` or a handler */
export function definitionOf(type: Function): JobDefinition {
  const known = definitions.get(type);
  if (known) return known;
  if (!isJobClass(type)) {
    throw new NotAJobError(
      `${type.name || 'A class'} is not a job: it has no @Job(). Put @Job() on the class and list it in a module's providers.`,
    );
  }
  const handler = handlerName(type);
  if (typeof (type.prototype as Record<string, unknown>)[handler] !== 'function') {
    throw new NotAJobError(`${type.name} has no ${handler}() method. A job needs one: it is what runs.`);
  }
  const policies = declaredPolicies(type);
  const definition: JobDefinition = {
    ...policies,
    type,
    name: policies.name ?? type.name,
    handler,
    injected: new Set(injectedProperties(type)),
  };
  definitions.set(type, definition);
  return definition;
}

/**
 * Makes a class of this package a job. The name it travels under begins with a sign that no name of an application may begin with, and a
 * store that names it names one of these classes and nothing else.
 */
export function reserveJob(type: Function, policies: { readonly name: `@${string}` } & Partial<JobDefinition>): void {
  definitions.set(type, { ...policies, type: type as Type, handler: 'handle', injected: new Set() });
}

/** The definition behind an instance. @throws NotAJobError for everything that is not an instance of a job class */
export function definitionOfJob(job: unknown): JobDefinition {
  if (typeof job === 'function') {
    throw new NotAJobError(
      isJobClass(job)
        ? `dispatch() was given the class ${job.name}. Give it an instance: dispatch(new ${job.name}(…)).`
        : "The queue was given a function where it needs a job. Give functions to dispatch(), dispatchSync() and dispatchAfterResponse(); elsewhere write call(Service, 'method', …) or closure({ values }, …).",
    );
  }
  if (typeof job !== 'object' || job === null) {
    throw new NotAJobError(`dispatch() was given ${describe(job)}. Give it an instance of a class with @Job().`);
  }
  const type = (Object.getPrototypeOf(job) as { constructor?: Function } | null)?.constructor;
  if (type === undefined || type === Object || Array.isArray(job)) {
    throw new NotAJobError('dispatch() was given a plain object. Give it an instance of a class with @Job().');
  }
  return definitionOf(type);
}

/**
 * A job is revived without its constructor, so `#private` fields would not be there.
 *
 * @throws InvalidOptionError naming the class that uses one
 */
export function refusePrivateFields(type: Type): void {
  for (
    let one: Function | null = type;
    one && one !== Function.prototype;
    one = Object.getPrototypeOf(one) as Function | null
  ) {
    const found = /\.\s*(#[A-Za-z_$][\w$]*)/.exec(withoutText(Function.prototype.toString.call(one)));
    if (found) {
      throw new InvalidOptionError(
        `${one.name} uses the private field ${found[1]}. A job is brought back without running its constructor, so it would not be there: write "private ${found[1]!.slice(1)}" instead.`,
      );
    }
  }
}

/** Nest's own list of `@Inject()` properties, parents' included. */
function injectedProperties(type: Function): string[] {
  const keys: string[] = [];
  for (
    let one: Function | null = type;
    one && one !== Function.prototype;
    one = Object.getPrototypeOf(one) as Function | null
  ) {
    const own = Reflect.getOwnMetadata('self:properties_metadata', one) as { key: string }[] | undefined;
    for (const { key } of own ?? []) keys.push(key);
  }
  return keys;
}

/** Source without comments and the insides of strings, so that a '#' in a text does not count. */
function withoutText(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (match) =>
      // A template may hold code; only its plain text goes.
      match.startsWith('`') ? match.replace(/(^`|\})[^$`]*/g, '$1') : '',
  );
}
