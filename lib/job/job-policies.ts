import { delayMs, durationMs, momentMs, type Duration, type Moment } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { wholeNumber } from './job.decorators.js';
import type { JobDefinition } from './job-definition.js';

/**
 * Own fields of a job that say how it runs. They are read at dispatch and do not travel as data.
 * A field always beats a decorator, and a method of the same name beats both.
 */
export const POLICY_FIELDS: ReadonlySet<string> = new Set([
  'tries',
  'backoff',
  'timeout',
  'maxExceptions',
  'failOnTimeout',
  'retryUntil',
  'deleteWhenMissingEntities',
  'shouldBeEncrypted',
  'connection',
  'queue',
  'displayName',
  'tags',
  'uniqueId',
  'uniqueFor',
  'uniqueVia',
  'debounceFor',
  'debounceId',
  'debounceVia',
  'messageGroup',
  'deduplicationId',
  'middleware',
]);

/** What travels in the envelope: durations in ms, moments in epoch ms, absent where the job does not say. */
export interface FrozenPolicies {
  readonly displayName: string;
  readonly maxTries?: number;
  readonly maxExceptions?: number;
  readonly backoff?: readonly number[];
  readonly timeout?: number;
  readonly retryUntil?: number;
  readonly failOnTimeout?: boolean;
  readonly deleteWhenMissingEntities?: boolean;
  readonly tags?: readonly string[];
}

/**
 * Reads a job's policies at dispatch: method, else field, else decorator. `null` and `undefined`
 * are "not set".
 *
 * @throws InvalidOptionError naming the class and the policy, for a value that cannot be
 */
export function freezePolicies(job: object, definition: JobDefinition, now: number): FrozenPolicies {
  const at = definition.type.name;
  const read = (name: string): unknown => readPolicy(job, name);
  const own = job as { middleware?: unknown };
  if (own.middleware !== undefined && typeof own.middleware !== 'function') {
    throw new InvalidOptionError(
      `${at}.middleware is a field, which does not travel with the job. Make it a method, or use @Middleware().`,
    );
  }

  const tries = read('tries');
  const backoff = read('backoff');
  const timeout = read('timeout');
  const maxExceptions = read('maxExceptions');
  const retryUntil = read('retryUntil');
  const frozen: { -readonly [K in keyof FrozenPolicies]: FrozenPolicies[K] } = {
    displayName: displayNameOf(job, definition),
  };

  const maxTries = tries === undefined ? definition.tries : wholeNumber(tries, `${at}.tries`, 0);
  if (maxTries !== undefined) frozen.maxTries = maxTries;
  const delays = backoff === undefined ? definition.backoff : backoffList(backoff, `${at}.backoff`, now);
  if (delays !== undefined) frozen.backoff = delays;
  const limit = timeout === undefined ? definition.timeout : durationMs(timeout as Duration, `${at}.timeout`);
  if (limit !== undefined) frozen.timeout = limit;
  const exceptions =
    maxExceptions === undefined ? definition.maxExceptions : wholeNumber(maxExceptions, `${at}.maxExceptions`, 1);
  if (exceptions !== undefined) frozen.maxExceptions = exceptions;
  if (retryUntil !== undefined) frozen.retryUntil = momentMs(retryUntil as Moment, `${at}.retryUntil`, now);
  if (flag(read('failOnTimeout'), definition.failOnTimeout, `${at}.failOnTimeout`)) frozen.failOnTimeout = true;
  if (
    flag(read('deleteWhenMissingEntities'), definition.deleteWhenMissingEntities, `${at}.deleteWhenMissingEntities`)
  ) {
    frozen.deleteWhenMissingEntities = true;
  }
  const tags = read('tags');
  if (tags !== undefined) {
    if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string')) {
      throw new InvalidOptionError(`${at}.tags is ${describe(tags)}. Give a list of strings.`);
    }
    if (tags.length > 0) frozen.tags = [...(tags as string[])];
  }
  return frozen;
}

/** A policy by method or field; `undefined` where it is not set. */
export function readPolicy(job: object, name: string): unknown {
  const value = (job as Record<string, unknown>)[name];
  const read: unknown = typeof value === 'function' ? (value as () => unknown).call(job) : value;
  return read ?? undefined;
}

/** A text policy. @throws InvalidOptionError when it is something else */
export function readName(job: object, name: string, definition: JobDefinition): string | undefined {
  const value = readPolicy(job, name);
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw new InvalidOptionError(`${definition.type.name}.${name} is ${describe(value)}. Give a name that is not empty.`);
}

function displayNameOf(job: object, definition: JobDefinition): string {
  return readName(job, 'displayName', definition) ?? definition.name;
}

function backoffList(value: unknown, field: string, now: number): readonly number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new InvalidOptionError(`${field} is an empty list. Give at least one delay.`);
  return list.map((one) => (one instanceof Date ? delayMs(one, field, now) : durationMs(one as Duration, field)));
}

function flag(value: unknown, declared: boolean | undefined, field: string): boolean {
  if (value === undefined) return declared ?? false;
  if (typeof value !== 'boolean') throw new InvalidOptionError(`${field} is ${describe(value)}. Give true or false.`);
  return value;
}
