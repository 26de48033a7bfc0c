import type { Type } from '@nestjs/common';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** An error class, or a function that answers true. */
export type ErrorMatch = Type<Error> | ((error: unknown) => boolean);

/** @throws InvalidOptionError for what is neither */
export function errorMatch(match: ErrorMatch, field: string): (error: unknown) => boolean {
  if (isErrorClass(match)) return (error) => error instanceof match;
  if (typeof match === 'function') return match as (error: unknown) => boolean;
  throw new InvalidOptionError(
    `${field} was given ${describe(match)}. Give an error class, or a function that answers true.`,
  );
}

export function isErrorClass(value: unknown): value is Type<Error> {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error);
}
