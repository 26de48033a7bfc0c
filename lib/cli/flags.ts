import { InvalidArgumentError } from 'commander';
import { durationMs, type Duration } from '../support/duration.js';

/** Parsers for the values of flags. What they refuse is printed with what would have been right. */

export function wholeNumber(least = 0): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Give a whole number, ${least} or more.`);
  };
}

/** The number of a TCP port; 0 is any that is free. */
export function port(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError('Give a port from 0 to 65535, such as 9090.');
}

/** Seconds, or `'500ms' '90s' '5m' '1h' '2d'`. */
export function duration(text: string): Duration {
  const value = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text.trim();
  try {
    durationMs(value, 'value');
    return value;
  } catch {
    throw new InvalidArgumentError("Give seconds, or a duration such as '500ms', '90s', '5m', '1h', '2d'.");
  }
}

/** Durations by commas. */
export function durations(text: string): readonly Duration[] {
  return text.split(',').map((one) => duration(one));
}

/** Names by commas: trimmed, empty and repeated ones dropped. */
export function namesOrNone(text: string): readonly string[] {
  return [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
}

/** The same where none would be a slip: an unset variable must not choose a queue to empty. */
export function names(text: string): readonly string[] {
  const all = namesOrNone(text);
  if (all.length > 0) return all;
  throw new InvalidArgumentError('Give one name, or several by commas.');
}
