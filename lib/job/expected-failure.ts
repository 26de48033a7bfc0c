import { types } from 'node:util';
import type { Type } from '@nestjs/common';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** The error's message, a pattern for it, its class, or an error of the same class, message and code. */
export type ExpectedFailure = string | RegExp | Error | Type<Error>;

export function isExpectedFailure(error: Error, expected: ExpectedFailure): boolean {
  if (typeof expected === 'function') return error instanceof expected;
  if (typeof expected === 'string') return error.message === expected;
  // Not test(), which goes on from where it last stopped.
  if (types.isRegExp(expected)) return error.message.search(expected) >= 0;
  return (
    error.constructor === expected.constructor &&
    error.message === expected.message &&
    codeOf(error) === codeOf(expected)
  );
}

/** What is expected, for a message. @throws InvalidOptionError for what no error can be compared with */
export function wantedFailure(expected: ExpectedFailure): string {
  if (typeof expected === 'string') return `the message ${JSON.stringify(expected)}`;
  if (types.isRegExp(expected)) return `a message that matches ${String(expected)}`;
  if (isError(expected)) return failureText(expected, true);
  if (typeof expected === 'function' && expected.prototype !== undefined) return `an instance of ${expected.name}`;
  throw new InvalidOptionError(
    `assertFailedWith() was given ${describe(expected)}. Give it a message, a RegExp, an error, or a class of errors.`,
  );
}

/** Of this realm or another. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

export function failureText(error: Error, withCode = false): string {
  const code = withCode ? codeOf(error) : undefined;
  const coded = code === undefined ? '' : ` (code ${describe(code)})`;
  return `${error.constructor.name}: ${error.message}${coded}`;
}

function codeOf(error: Error): unknown {
  return (error as { code?: unknown }).code;
}
