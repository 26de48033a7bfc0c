import { describe, InvalidOptionError } from './queue-error.js';

/** Seconds as a number, or `'500ms' '90s' '5m' '1h' '2d'`. */
export type Duration = number | string;
/** A duration from now, or the moment itself. */
export type Moment = Duration | Date;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WRITTEN = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;
/** The furthest moment a `Date` can hold. Anything beyond is a mistake in units. */
const LONGEST_MS = 8.64e15;

/**
 * Milliseconds of a duration.
 *
 * @param field what the value is called, for the error
 * @throws InvalidOptionError for NaN, infinities, negative numbers, and text without a known unit
 */
export function durationMs(value: Duration, field: string): number {
  const ms = toMs(value);
  if (ms === undefined || ms < 0) throw invalid(value, field);
  return ms;
}

/**
 * Milliseconds from `now` until a moment. What is negative or past means now.
 *
 * @throws InvalidOptionError for NaN, infinities, an invalid Date, and text without a known unit
 */
export function delayMs(value: Moment, field: string, now: number): number {
  const ms = value instanceof Date ? value.getTime() - now : toMs(value);
  if (ms === undefined || Number.isNaN(ms)) throw invalid(value, field);
  return Math.max(0, ms);
}

/** Epoch milliseconds of a moment; a duration counts from `now`. */
export function momentMs(value: Moment, field: string, now: number): number {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid(value, field);
    return value.getTime();
  }
  return now + durationMs(value, field);
}

function toMs(value: unknown): number | undefined {
  if (typeof value === 'number') {
    const ms = Math.round(value * 1_000);
    return Number.isFinite(value) && Math.abs(ms) <= LONGEST_MS ? ms : undefined;
  }
  if (typeof value !== 'string') return undefined;
  const match = WRITTEN.exec(value.trim());
  if (!match) return undefined;
  const ms = Math.round(Number(match[1]) * UNITS[match[2]!]!);
  return ms <= LONGEST_MS ? ms : undefined;
}

function invalid(value: unknown, field: string): InvalidOptionError {
  const given = value instanceof Date ? 'an invalid Date' : describe(value);
  return new InvalidOptionError(
    `${field} is ${given}. Use seconds as a number, or a string such as '500ms', '90s', '5m', '1h', '2d'.`,
  );
}
