import type { Type } from '@nestjs/common';
import { isClass } from '../job/closure.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** A class of jobs, an abstract one for all that extend it. */
export type JobType<J extends object = object> = Type<J> | (abstract new (...args: any[]) => J);

/** @throws InvalidOptionError for what is no class */
export function asType<J extends object>(type: unknown, at: string): JobType<J> {
  if (isType(type)) return type as unknown as JobType<J>;
  throw new InvalidOptionError(`${at}() was given ${describe(type)}. Give it a class.`);
}

/** @throws InvalidOptionError for what is no number of jobs */
export function whole(count: number, at: string): number {
  if (Number.isInteger(count) && count >= 0) return count;
  throw new InvalidOptionError(`${at}() was given ${describe(count)} as a number of jobs. Give it 0, 1, 2, …`);
}

/** @throws InvalidOptionError for what is no name */
export function asName(given: unknown, at: string, what: string): string {
  if (typeof given === 'string') return given;
  throw new InvalidOptionError(`${at}() was given ${describe(given)} as ${what}. Give it a name.`);
}

/** What a test says of a job by a function; all of them fit where it gives none. @throws InvalidOptionError as `asFunction` */
export function asMatch(given: unknown, at: string, or?: string): (...args: unknown[]) => boolean {
  return given === undefined ? () => true : asFunction(given, at, or);
}

/**
 * @param or what might have been given in its place
 * @throws InvalidOptionError for what is none, and once it answers with a promise: that would be taken for a yes
 */
export function asFunction(given: unknown, at: string, or = ''): (...args: unknown[]) => boolean {
  if (typeof given !== 'function' || isClass(given)) {
    throw new InvalidOptionError(
      `${at}() was given ${describe(given)} to match by. Give it a function that answers yes or no${or}.`,
    );
  }
  return (...args) => {
    const answer = (given as (...these: unknown[]) => unknown)(...args);
    if (typeof (answer as PromiseLike<unknown> | null | undefined)?.then !== 'function') return Boolean(answer);
    // What it comes to is nobody's concern any more, and must not end the process.
    Promise.resolve(answer).catch(() => undefined);
    throw new InvalidOptionError(
      `${at}() was given a function that answers with a promise, for which it cannot wait. Give it one that answers at once.`,
    );
  };
}

/**
 * Expected jobs.
 *
 * @param inner whether a list may stand among them, for a chain
 * @throws InvalidOptionError for what is no list, and for what cannot stand in one, by its place
 */
export function asList(given: unknown, at: string, inner = false): readonly unknown[] {
  if (!Array.isArray(given)) {
    throw new InvalidOptionError(
      `${at}() was given ${describe(given)}. Give it a list of classes and instances${inner ? ', or a function that answers yes or no' : ''}.`,
    );
  }
  checkList(given, at, inner, '');
  return given;
}

function checkList(list: readonly unknown[], at: string, inner: boolean, within: string): void {
  for (const [index, one] of list.entries()) {
    const place = `number ${index}${within}`;
    if (inner && Array.isArray(one)) checkList(one, at, false, ` of ${place}`);
    else if (Array.isArray(one) || !(isType(one) || (typeof one === 'object' && one !== null))) {
      throw new InvalidOptionError(
        `${at}() was given ${describe(one)} as ${place} of its list. Give it a class, an instance or chainedBatch(…)${inner ? ', or a list of them for a chain' : ''}.`,
      );
    }
  }
}

function isType(given: unknown): given is Function {
  return typeof given === 'function' && typeof given.prototype === 'object' && given.prototype !== null;
}
