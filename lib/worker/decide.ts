import type { Outcome } from '../contracts/outcome.js';
import { JobStalledError, MaxAttemptsExceededError } from './worker-errors.js';

/** What holds for one attempt: the job's own policies where it has them, else the worker's. Milliseconds. */
export interface AttemptLimits {
  readonly displayName: string;
  /** 0 is unlimited. */
  readonly tries: number;
  /** Epoch ms. Where it is set, tries do not count. */
  readonly retryUntil?: number;
  /** One delay an attempt; the last holds from there on. Empty is none. */
  readonly backoff: readonly number[];
  readonly maxExceptions?: number;
  readonly failOnTimeout: boolean;
  readonly maxStalls: number;
}

export interface AttemptFacts {
  readonly attempts: number;
  readonly stalls: number;
  readonly now: number;
}

/**
 * Whether the job may run at all. Tries are held against pick-ups less those that ended in a dead
 * worker, which have a limit of their own.
 *
 * @returns why it fails unrun
 */
export function refusal(facts: AttemptFacts, limits: AttemptLimits): Error | undefined {
  if (facts.stalls > limits.maxStalls) return new JobStalledError(limits.displayName, facts.stalls);
  const exceeded =
    limits.retryUntil !== undefined
      ? facts.now > limits.retryUntil
      : limits.tries > 0 && facts.attempts - facts.stalls > limits.tries;
  return exceeded ? MaxAttemptsExceededError.of(limits.displayName) : undefined;
}

/**
 * What comes of an attempt. Pure: intent, error, counts and policy in, one value out.
 *
 * An explicit intent beats the exception that follows it, but a throw on the last try beats an earlier `release()`.
 */
export function decide(
  attempt: AttemptFacts & {
    readonly intent?:
      { kind: 'release'; delayMs: number; countAttempt?: false } | { kind: 'fail'; error: Error } | { kind: 'delete' };
    readonly thrown?: { readonly error: Error };
    readonly timedOut?: boolean;
    /** Exceptions of this job so far, this one included. */
    readonly exceptions: number;
  },
  limits: AttemptLimits,
): Outcome {
  const { intent, thrown } = attempt;
  if (intent?.kind === 'fail') return { kind: 'failed', error: intent.error };
  if (intent?.kind === 'delete') return { kind: 'done' };
  const released: Outcome | undefined = intent && {
    kind: 'retry',
    delayMs: intent.delayMs,
    ...(intent.countAttempt === false ? { countAttempt: false } : {}),
  };
  if (!thrown) return released ?? { kind: 'done' };

  const last =
    limits.retryUntil !== undefined
      ? limits.retryUntil <= attempt.now
      : limits.tries > 0 && attempt.attempts - attempt.stalls >= limits.tries;
  const tooMany = limits.maxExceptions !== undefined && attempt.exceptions >= limits.maxExceptions;
  if (last || (!intent && tooMany) || (attempt.timedOut && limits.failOnTimeout)) {
    return { kind: 'failed', error: thrown.error };
  }
  return (
    released ?? {
      kind: 'retry',
      delayMs: backoffFor(attempt.attempts - attempt.stalls, limits.backoff),
      error: thrown.error,
    }
  );
}

/** The delay behind the n-th attempt. */
export function backoffFor(attempt: number, backoff: readonly number[]): number {
  return backoff[Math.max(0, attempt - 1)] ?? backoff.at(-1) ?? 0;
}
