import type { Following } from '../job/job-context.js';

/**
 * What one attempt leaves for the next beside the body: kept by the store with the job, gone when the job is.
 */
export interface AttemptMemo {
  /** Exceptions so far, for `maxExceptions`. */
  readonly exceptions?: number;
  /** Pick-ups by workers that do not know the job's name. */
  readonly unknown?: number;
  /** The attempt before the next one blocked its process until a watchdog ended it: its timeout, ms. That is still to be accounted for. */
  readonly timedOut?: number;
  /** The job is done, but what follows it could not be sent yet: its handler does not run again. */
  readonly done?: true;
  /** What the attempt that did it wants to follow. */
  readonly following?: Following;
  /** The job has failed, but could not be recorded yet: its handler does not run again. */
  readonly failing?: {
    readonly name: string;
    readonly message: string;
    readonly stack?: string;
    readonly code?: string;
    /** `fail()` was called without an error: `failed()` receives null. */
    readonly unsaid?: true;
  };
}

/** An unreadable memo is an empty one: it only ever makes a job run again. */
export function readMemo(text: string | undefined): AttemptMemo {
  if (!text) return {};
  try {
    const memo = JSON.parse(text) as unknown;
    return typeof memo === 'object' && memo !== null ? checked(memo) : {};
  } catch {
    return {};
  }
}

export function writeMemo(memo: AttemptMemo): string {
  return JSON.stringify(memo);
}

/** A message or stack is kept up to this many characters: a memo travels with every pick-up. */
const LONGEST_TEXT = 8_192;

/** What is kept of the error of a job that waits to be recorded; it may be of any make, with getters that throw. */
export function failingOf(error: Error, unsaid: boolean): NonNullable<AttemptMemo['failing']> {
  const text = (key: 'name' | 'message' | 'stack' | 'code'): string => {
    try {
      return String((error as { readonly [name in typeof key]?: string })[key] ?? '').slice(0, LONGEST_TEXT);
    } catch {
      return '';
    }
  };
  const code = text('code');
  return {
    name: text('name') || 'Error',
    message: text('message'),
    stack: text('stack'),
    ...(code !== '' && { code }),
    ...(unsaid && { unsaid }),
  };
}

/** The error of a job that waits to be recorded. */
export function failingError(failing: NonNullable<AttemptMemo['failing']>): Error {
  const error = new Error(failing.message);
  error.name = failing.name;
  if (typeof failing.code === 'string') (error as { code?: string }).code = failing.code;
  if (typeof failing.stack === 'string' && failing.stack !== '') error.stack = failing.stack;
  return error;
}

function checked(memo: { [key in keyof AttemptMemo]?: unknown }): AttemptMemo {
  const { exceptions, unknown, timedOut, failing, done, following } = memo;
  return {
    ...(isCount(exceptions) && { exceptions }),
    ...(isCount(unknown) && { unknown }),
    ...(typeof timedOut === 'number' && timedOut >= 0 && { timedOut }),
    ...(isFailing(failing) && { failing }),
    ...(done === true && { done }),
    ...(isFollowing(following) && { following }),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isFollowing(value: unknown): value is Following {
  if (typeof value !== 'object' || value === null) return false;
  const { prepended = [], appended = [], ends } = value as { readonly [key in keyof Following]: unknown };
  const jobs = [prepended, appended].every((list) => Array.isArray(list) && list.every(isNested));
  return jobs && (ends === undefined || ends === true);
}

function isNested(value: unknown): boolean {
  const job = value as Partial<Record<string, unknown>> | null;
  return typeof job?.uuid === 'string' && typeof job.name === 'string' && job.v === 1;
}

function isFailing(value: unknown): value is NonNullable<AttemptMemo['failing']> {
  const failing = value as Partial<Record<string, unknown>> | null | undefined;
  return typeof failing?.name === 'string' && typeof failing.message === 'string';
}
