import type { Dispatchable } from '../contracts/dispatchable.js';
import type { JobContext } from '../contracts/job-context.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { fluentOptions } from './fluent-options.js';
import { FakeAttempt, JobAssertionError } from './job-interactions.js';
import { jobsDiffer, jobText, sameJobs } from './same-jobs.js';

/** What follows a job as things stand: what `chain()` said, with what its handler has put before and behind it. */
export function chainOf(job: object, context: JobContext | undefined): readonly Dispatchable[] {
  const faked = context instanceof FakeAttempt ? context : undefined;
  return [...(faked?.prepended ?? []), ...(fluentOptions(job)?.chain ?? []), ...(faked?.appended ?? [])];
}

/**
 * @param expected classes, or instances that carry the same: all of the chain, in its order
 * @throws JobAssertionError
 */
export function assertHasChain(job: object, chain: readonly Dispatchable[], expected: readonly unknown[]): void {
  if (!Array.isArray(expected) || expected.length === 0) {
    throw new InvalidOptionError(
      'assertHasChain() needs a list of at least one class or instance. For a job without a chain use assertDoesntHaveChain().',
    );
  }
  if (sameJobs(expected, chain)) return;
  throw new JobAssertionError(
    `The [${job.constructor.name}] job does not have the expected chain.\n${jobsDiffer(expected, chain)}`,
    { expected: expected.map(jobText), actual: chain.map(jobText) },
  );
}

/** @throws JobAssertionError */
export function assertDoesntHaveChain(job: object, chain: readonly Dispatchable[]): void {
  if (chain.length === 0) return;
  throw new JobAssertionError(
    `The [${job.constructor.name}] job was not expected to have a chain, and is followed by ${chain.map(jobText).join(', ')}.`,
  );
}
