import type { JobEnvelope } from '../contracts/job-envelope.js';
import { durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import type { JobDefinition } from './job-definition.js';
import { readName, readPolicy } from './job-policies.js';
import { lockKey } from './lock-key.js';

/** A lock that is taken with the dispatch. */
export interface UniquePolicy {
  readonly key: string;
  /** Given back when the handler starts, or when the job ends. */
  readonly until: 'start' | 'end';
  /** Infinity: as long as the job lives. */
  readonly ttlMs: number;
  /** The connection whose store has it, where it is not the module's. */
  readonly via?: string;
}

/** A token that each dispatch takes over. */
export interface DebouncePolicy {
  readonly key: string;
  readonly delayMs: number;
  readonly maxWaitMs?: number;
  readonly via?: string;
}

export interface LockPolicies {
  readonly unique?: UniquePolicy;
  readonly debounce?: DebouncePolicy;
}

/**
 * What a job says about others of its kind; `undefined` for one that says nothing, which costs it no more than a look.
 *
 * @throws InvalidOptionError for a job that says both, or whose id is none
 */
export function lockPolicies(job: object, definition: JobDefinition): LockPolicies | undefined {
  const delay = (job as { debounceFor?: unknown }).debounceFor;
  if (definition.unique === undefined && definition.debounce === undefined && delay === undefined) return undefined;
  const debounce = debouncePolicy(job, definition);
  if (!definition.unique) return debounce && { debounce };
  if (debounce) throw bothPolicies(definition);
  return { unique: uniquePolicy(job, definition, definition.unique) };
}

/** Of a job that holds a lock until it has ended, whatever its class says. */
export function keptApart(key: string): LockPolicies {
  return { unique: { key, until: 'end', ttlMs: Infinity } };
}

/** What its envelope carries of it, for the workers. */
export function lockMarks({ unique, debounce }: LockPolicies, uuid: string): Pick<JobEnvelope, 'unique' | 'debounce'> {
  if (unique) {
    const { key, until, ttlMs, via } = unique;
    return { unique: { key, until, ...(ttlMs !== Infinity && { ttlMs }), ...(via !== undefined && { via }) } };
  }
  if (!debounce) return {};
  const { key, via, maxWaitMs } = debounce;
  const first = maxWaitMs === undefined ? {} : { first: true as const };
  return { debounce: { key, owner: uuid, ...(via !== undefined && { via }), ...first } };
}

/** What cannot be meant, as far as a class tells. @throws InvalidOptionError */
export function refuseBothPolicies(definition: JobDefinition): void {
  if (!definition.unique) return;
  if (definition.debounce || 'debounceFor' in (definition.type.prototype as object)) throw bothPolicies(definition);
}

function uniquePolicy(
  job: object,
  definition: JobDefinition,
  declared: NonNullable<JobDefinition['unique']>,
): UniquePolicy {
  const said = readPolicy(job, 'uniqueFor');
  const ttlMs = said === undefined ? declared.ttlMs : durationMs(said as Duration, `${definition.type.name}.uniqueFor`);
  const via = readName(job, 'uniqueVia', definition);
  return {
    key: lockKey('unique', nameOf(job, definition), idOf(job, 'uniqueId', definition)),
    until: declared.until,
    ttlMs: ttlMs === undefined || ttlMs === 0 ? Infinity : ttlMs,
    ...(via !== undefined && { via }),
  };
}

function debouncePolicy(job: object, definition: JobDefinition): DebouncePolicy | undefined {
  const said = readPolicy(job, 'debounceFor');
  const declared = definition.debounce;
  if (said === undefined && !declared) return undefined;
  const delayMs =
    said === undefined ? declared!.delayMs : durationMs(said as Duration, `${definition.type.name}.debounceFor`);
  const via = readName(job, 'debounceVia', definition);
  return {
    key: lockKey('debounce', nameOf(job, definition), idOf(job, 'debounceId', definition)),
    delayMs,
    ...(declared?.maxWaitMs !== undefined && { maxWaitMs: declared.maxWaitMs }),
    ...(via !== undefined && { via }),
  };
}

/** As Laravel: the class, or what the job is called where it says so itself. */
function nameOf(job: object, definition: JobDefinition): string {
  return readName(job, 'displayName', definition) ?? definition.name;
}

/** `undefined` only where the class does not speak of an id: one that is missing must not lock the whole class. */
function idOf(job: object, name: 'uniqueId' | 'debounceId', definition: JobDefinition): string | undefined {
  if (!(name in job)) return undefined;
  const id = readPolicy(job, name);
  if (typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id))) return String(id);
  throw new InvalidOptionError(
    `${definition.type.name}.${name} is ${describe(id)}, and would stand for every job of the class. Give a text or a number, or leave ${name} out where the whole class is meant.`,
  );
}

function bothPolicies(definition: JobDefinition): InvalidOptionError {
  return new InvalidOptionError(
    `${definition.type.name} is both unique and debounced. A debounced job cannot also be unique: take @Unique() (or @UniqueFor, @UniqueUntilProcessing) or @DebounceFor() off.`,
  );
}
