import type { JobEnvelope } from '../contracts/job-envelope.js';
import { InvalidPayloadError } from './payload-errors.js';

/** A body from the store as it is told by its text; anything may stand there. */
type Parsed = Readonly<Record<string, unknown>>;

/** The furthest moment a `Date` can hold: a longer duration could not be added to now. */
const LONGEST_MS = 8.64e15;

const whole = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= LONGEST_MS;
const text = (value: unknown): boolean => typeof value === 'string';
const flag = (value: unknown): boolean => typeof value === 'boolean';
const object = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

const optional = (value: unknown, fits: (value: unknown) => boolean): boolean => value === undefined || fits(value);

/** Jobs inside a job. What else is in them is looked at when they are jobs of their own. */
function nested(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => object(one) && nestable(one as Parsed));
}

function nestable({ v, uuid, name, displayName, target, catch: callbacks, chain: own, ...one }: Parsed): boolean {
  if (v !== 1 || !uuid || ![uuid, name, displayName].every(text)) return false;
  if (![one.unique, one.debounce].every((lock) => optional(lock, keyed))) return false;
  return optional(target, isTarget) && optional(callbacks, nested) && optional(own, chain);
}

function keyed(value: unknown): boolean {
  return object(value) && text((value as Parsed).key);
}

function isTarget(value: unknown): boolean {
  if (!object(value)) return false;
  const { connection, queue, delayMs, dueAt, retryForMs, priority } = value as Parsed;
  return (
    [connection, queue].every((one) => optional(one, text)) &&
    [delayMs, dueAt, retryForMs].every((one) => optional(one, whole)) &&
    optional(priority, Number.isSafeInteger)
  );
}

function chain(value: unknown): boolean {
  if (!object(value)) return false;
  const { rest, catch: callbacks, connection, queue } = value as Parsed;
  return nested(rest) && optional(callbacks, nested) && [connection, queue].every((one) => optional(one, text));
}

function batch(value: unknown): boolean {
  if (!object(value)) return false;
  const { hooks, connection, queue } = value as Parsed;
  return optional(hooks, flag) && [connection, queue].every((one) => optional(one, text));
}

/** Every optional key and what it must be. Keys that are not listed are ignored and kept. */
const OPTIONAL: readonly (readonly [keyof JobEnvelope, (value: unknown) => boolean, string])[] = [
  ['maxTries', whole, 'a number'],
  ['maxExceptions', whole, 'a number'],
  ['backoff', (value) => Array.isArray(value) && value.every(whole), 'a list of numbers'],
  ['timeout', whole, 'a number'],
  ['retryUntil', (value) => typeof value === 'number' && Math.abs(value) <= LONGEST_MS, 'a number'],
  ['failOnTimeout', flag, 'true or false'],
  ['deleteWhenMissingEntities', flag, 'true or false'],
  ['encrypted', flag, 'true or false'],
  ['signature', text, 'text'],
  ['target', object, 'an object'],
  ['chain', chain, 'an object with lists of jobs'],
  ['catch', nested, 'a list of jobs'],
  ['cause', (value) => object(value) && text((value as Parsed).name) && text((value as Parsed).message), 'an error'],
  ['batchId', text, 'text'],
  ['batch', batch, 'an object with names'],
  ['callbackOf', text, 'text'],
  ['unique', (value) => object(value) && text((value as Parsed).key), 'an object with a key'],
  ['debounce', (value) => object(value) && text((value as Parsed).key), 'an object with a key'],
  ['middleware', (value) => text(value) || Array.isArray(value), 'a list'],
  ['tags', (value) => Array.isArray(value) && value.every(text), 'a list of texts'],
  ['retried', (value) => typeof value === 'number' && Math.abs(value) <= LONGEST_MS, 'a number'],
  ['context', (value) => object(value) && Object.values(value as Parsed).every(text), 'an object of texts'],
  ['extra', object, 'an object'],
];

/**
 * The envelope in a body. The store is not trusted: the text is measured, parsed, and checked key by key before anything looks at it.
 *
 * @throws InvalidPayloadError saying what is wrong with it
 */
export function readEnvelope(body: string, maxBytes: number): JobEnvelope {
  if (body.length > maxBytes) {
    throw new InvalidPayloadError(`The job's body is larger than maxPayload (${maxBytes} bytes). It was not read.`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (cause) {
    throw new InvalidPayloadError("The job's body is not JSON.", { cause });
  }
  if (!object(parsed)) throw new InvalidPayloadError("The job's body is JSON, but not an object.");
  const envelope = parsed as Parsed;
  if (envelope.v !== 1) {
    throw new InvalidPayloadError(
      typeof envelope.v === 'number' && envelope.v > 1
        ? `The job was written by a newer version of this package (format ${envelope.v}). Deploy workers before producers, then retry it.`
        : "The job's body is not one of this package's: it has no known format version (v).",
    );
  }
  for (const key of ['uuid', 'name', 'displayName'] as const) {
    if (typeof envelope[key] !== 'string' || envelope[key] === '') {
      throw new InvalidPayloadError(`The job's body has no ${key}.`);
    }
  }
  if (!text(envelope.data) && !object(envelope.data)) throw new InvalidPayloadError("The job's body has no data.");
  if (!whole(envelope.createdAt)) throw new InvalidPayloadError("The job's body has no createdAt.");
  for (const [key, fits, kind] of OPTIONAL) {
    const value = envelope[key];
    if (value !== undefined && !fits(value))
      throw new InvalidPayloadError(`The job's body has a ${key} that is not ${kind}.`);
  }
  return parsed as JobEnvelope;
}
