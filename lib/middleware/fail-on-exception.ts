import type { Type } from '@nestjs/common';
import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { toError } from '../support/error-text.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { isErrorClass } from './error-match.js';
import { refuseFunction } from './travelling.js';

/** Fails the job at exceptions that no further try would mend. */
export class FailOnException implements JobMiddleware {
  readonly #matches: (error: unknown, job: any) => unknown;

  /** @param match error classes, or a function that answers true */
  constructor(match: readonly Type<Error>[] | ((error: unknown, job: any) => boolean)) {
    if (Array.isArray(match)) {
      const classes = [...(match as Type<Error>[])];
      for (const one of classes) if (!isErrorClass(one)) throw wrong(one);
      this.#matches = (error) => classes.some((one) => error instanceof one);
    } else if (typeof match === 'function') {
      this.#matches = match as (error: unknown, job: any) => boolean;
    } else {
      throw wrong(match);
    }
  }

  async handle(job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    try {
      await next();
    } catch (error) {
      if (!endedBySignal(context.signal) && this.#matches(error, job) === true) {
        context.fail(toError(error, (context.payload as { encrypted?: boolean } | undefined)?.encrypted));
      }
      throw error;
    }
  }

  /** @throws InvalidOptionError: it holds classes or a function, which cannot travel with a job */
  toJSON(): never {
    return refuseFunction('FailOnException');
  }
}

/** A job that ends since its worker stops or has lost it has not failed; one that has timed out may have. */
function endedBySignal(signal: AbortSignal | undefined): boolean {
  if (!signal?.aborted) return false;
  return (signal.reason as { code?: unknown } | undefined)?.code !== 'ERR_QUEUE_TIMEOUT_EXCEEDED';
}

function wrong(value: unknown): InvalidOptionError {
  return new InvalidOptionError(
    `FailOnException was given ${describe(value)}. Give a list of error classes, or a function that answers true.`,
  );
}
