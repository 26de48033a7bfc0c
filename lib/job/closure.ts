import { inspect, isDeepStrictEqual } from 'node:util';
import type { InjectionToken } from '@nestjs/common';
import type { ClosureJob, InlineClosure } from '../contracts/dispatchable.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import type { SourceParts } from './closure-seal.js';
import { NotAJobError } from './job-definition.js';
import type { PayloadCodec } from './payload-codec.js';
import { labelOf, QueuedClosure, reserveClosure, type WrittenFor } from './queued-closure.js';
import { MATCHES } from './same-jobs.js';

/** The name that functions travel under. */
export const CLOSURE = '@closure';

/** A function with all that it is called with: no values where it is an inline one, which takes none. */
export type ClosureParts = Omit<SourceParts, 'values'> & Partial<SourceParts>;

const parts = new WeakMap<object, ClosureParts>();

/**
 * A function to be dispatched like a job: `closure({ id: 1 }, async ({ id }, podcasts) => podcasts.publish(id), [Podcasts])`.
 *
 * On in-process connections it runs as it is. On others its source travels, signed, where the module has `closures: { source: 'signed' }`:
 * it may then use its parameters, its own variables and the standard globals of Node, and nothing from around it.
 *
 * @param values its first argument: whatever a job may carry
 * @param inject what follows behind it; classes and strings travel by name
 * @throws InvalidOptionError for arguments that cannot be
 */
export function closure<V extends object>(
  values: V,
  fn: (values: V, ...dependencies: any[]) => unknown,
  inject: InjectionToken[] = [],
): ClosureJob {
  if (typeof values !== 'object' || values === null) {
    throw new InvalidOptionError(
      `closure() was given ${describe(values)} as values. Give an object: closure({ id }, …).`,
    );
  }
  if (typeof fn !== 'function' || isClass(fn)) {
    throw new InvalidOptionError(
      `closure() was given ${describe(fn)}. Give a function: closure({ id }, async ({ id }) => …).`,
    );
  }
  if (!Array.isArray(inject)) {
    throw new InvalidOptionError(`closure() was given ${describe(inject)} as inject. Give a list of tokens.`);
  }
  if (fn.length > inject.length + 1) {
    throw new InvalidOptionError(
      `closure() was given a function of ${fn.length} parameters: the values and ${fn.length - 1} dependencies, of which inject names ${inject.length}. Name one for each.`,
    );
  }
  return new FunctionClosure({ fn, values, inject });
}

/** A function that is dispatched itself. */
export function inlineClosure(fn: InlineClosure): FunctionClosure {
  return new FunctionClosure({ fn, inject: [] });
}

export function isClass(fn: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(fn));
}

/** A function on its way. In a worker it is run by what it was written down as. */
export class FunctionClosure extends QueuedClosure {
  constructor(given: ClosureParts) {
    super();
    parts.set(this, given);
  }

  displayName(): string {
    const label = labelOf(this) ?? parts.get(this)?.fn.name;
    return label ? `${label} - Closure` : 'Closure';
  }

  /** Another one whose function has the same source, with the same values and dependencies. */
  [MATCHES](actual: unknown): boolean {
    const own = parts.get(this)!;
    const other = partsOf(actual);
    if (other === undefined || own.fn.toString() !== other.fn.toString()) return false;
    return isDeepStrictEqual([own.values, own.inject], [other.values, other.inject]);
  }

  /** As a test's message shows it. */
  override toString(): string {
    const { values } = parts.get(this)!;
    return values === undefined ? this.displayName() : `${this.displayName()} ${inspect(values)}`;
  }

  /** @throws NotAJobError where sources do not travel; UnserializableError for one that cannot */
  written({ uuid, connection, inProcess, sources }: WrittenFor, codec: PayloadCodec): object {
    if (inProcess) return {};
    const { fn, values, inject } = parts.get(this)!;
    if (values === undefined || sources === undefined) {
      throw new NotAJobError(refusal(this.displayName(), connection, values !== undefined, sources !== undefined));
    }
    return sources.write({ fn, values, inject }, { uuid, shown: this.displayName() }, codec);
  }
}

reserveClosure(FunctionClosure, CLOSURE);

/** The function itself, where this is what was dispatched and not what came back from a store. */
export function partsOf(job: unknown): ClosureParts | undefined {
  return typeof job === 'object' && job !== null ? parts.get(job) : undefined;
}

function refusal(shown: string, connection: string, declared: boolean, travels: boolean): string {
  const call = "Mark a method @Callable() and dispatch call(Service, 'method', …)";
  const source = 'closure({ id }, async ({ id }, service) => …, [Service])';
  const rewrite = declared
    ? `${call}, or let sources travel: closures: { source: 'signed' } and a key in QueueModule's options.`
    : travels
      ? `${call}, or declare what it uses: ${source}.`
      : `${call}, or ${source} with closures: { source: 'signed' } and a key in QueueModule's options.`;
  return `${shown} is a function. It runs as it is only where it is dispatched itself, on a sync or deferred connection; a queue (here of [${connection}]) and a chain carry text. ${rewrite}`;
}
