import { durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** Reads options one by one, each with a line of its own when it is wrong. */
export type OptionRule = (value: unknown, field: string) => void;

export const text: OptionRule = (value, field) => {
  if (typeof value !== 'string' || value.trim() === '') throw wrong(field, value, 'Give a text that is not empty.');
};

export const flag: OptionRule = (value, field) => {
  if (typeof value !== 'boolean') throw wrong(field, value, 'Give true or false.');
};

export const record: OptionRule = (value, field) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(field, value, 'Give an object.');
};

export const textOrRecord: OptionRule = (value, field) => {
  if (typeof value === 'string' && value.trim() !== '') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(field, value, 'Give a name or an object.');
};

/** A name that goes into SQL: letters, digits, `_ $ -`, with a schema before a dot. */
export const table: OptionRule = (value, field) => {
  if (typeof value !== 'string' || !/^[\p{L}_][\p{L}\p{N}_$-]{0,62}(\.[\p{L}_][\p{L}\p{N}_$-]{0,62})?$/u.test(value)) {
    throw wrong(field, value, 'Give the name of a table, such as jobs or queue.jobs.');
  }
};

export const duration: OptionRule = (value, field) => {
  durationMs(value as Duration, field);
};

export function atLeastMs(leastMs: number): OptionRule {
  return (value, field) => {
    if (durationMs(value as Duration, field) < leastMs)
      throw wrong(field, value, `Give at least ${leastMs / 1_000} s.`);
  };
}

export function whole(least: number): OptionRule {
  return (value, field) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
      throw wrong(field, value, `Give a whole number from ${least} up.`);
    }
  };
}

export const texts: OptionRule = (value, field) => {
  if (!Array.isArray(value) || value.length === 0) throw wrong(field, value, 'Give a list with at least one name.');
  value.forEach((one, index) => text(one, `${field}[${index}]`));
};

/**
 * Checks an object against its rules. `undefined` is not set.
 *
 * @throws InvalidOptionError for the first key that is unknown or has a wrong value
 */
export function checkOptions(
  options: Readonly<Record<string, unknown>>,
  rules: Readonly<Record<string, OptionRule>>,
  at: string,
): void {
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, key)) throw unknownKey(key, rules, at);
    if (value !== undefined) rules[key]!(value, `${at}.${key}`);
  }
}

/** @throws InvalidOptionError unless the option is there */
export function required(options: Readonly<Record<string, unknown>>, key: string, at: string, hint: string): void {
  if (options[key] === undefined) throw new InvalidOptionError(`${at}.${key} is missing. ${hint}`);
}

export function wrong(field: string, value: unknown, hint: string): InvalidOptionError {
  return new InvalidOptionError(`${field} is ${describe(value)}. ${hint}`);
}

function unknownKey(key: string, rules: Readonly<Record<string, OptionRule>>, at: string): InvalidOptionError {
  const known = Object.keys(rules);
  const bare = (name: string): string => name.replace(/[_-]/g, '').toLowerCase();
  const meant = known.find((one) => bare(one) === bare(key));
  return new InvalidOptionError(
    meant
      ? `${at}.${key} is not an option. It is written ${meant} here.`
      : `${at}.${key} is not an option. ${known.length > 0 ? `Known are ${known.join(', ')}.` : 'There are none to set.'}`,
  );
}
