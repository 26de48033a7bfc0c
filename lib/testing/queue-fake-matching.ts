import type { Type } from '@nestjs/common';
import { PendingBatch } from '../bus/pending-batch.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { definitionOf } from '../job/job-definition.js';
import { isJobClass } from '../job/job.decorators.js';
import { MATCHES, sameJob, type JobMatcher } from '../job/same-jobs.js';
import { describe } from '../support/queue-error.js';
import { shownJob } from './pushed-record.js';
import { asFunction } from './queue-fake-arguments.js';

/** What stands for a job in an expected chain or batch: its class, an equal instance, or `chainedBatch(…)`. */
export type ExpectedJob = Type | object;

/** A batch in a chain, by what holds of it. */
export class ChainedBatchMatch implements JobMatcher {
  readonly #holds: (batch: PendingBatch) => boolean;

  /** @throws InvalidOptionError for what is no function */
  constructor(private readonly match: (batch: PendingBatch) => boolean) {
    this.#holds = asFunction(match, 'chainedBatch');
  }

  [MATCHES](job: unknown): boolean {
    return job instanceof PendingBatch && this.#holds(job);
  }

  toString(): string {
    return `a batch that ${this.match.name || 'fits'}`;
  }
}

/** Whether a job of a chain, a member of a batch, or a list of either, is what was expected there. */
export function fits(expected: unknown, actual: unknown): boolean {
  if (Array.isArray(expected) && Array.isArray(actual)) return fitsAll(expected, actual);
  return typeof expected === 'function' ? isOfType(actual, expected) : sameJob(expected, actual);
}

/** Length and order are exact. */
export function fitsAll(expected: readonly unknown[], jobs: readonly unknown[]): boolean {
  return expected.length === jobs.length && jobs.every((job, index) => fits(expected[index], job));
}

export function isOfType(job: unknown, type: Function): boolean {
  if (job instanceof type) return true;
  return isForeign(job) && isJobClass(type) && definitionOf(type).name === job.name;
}

/** A job as it travels: another process has written it down, and it has not been brought back here. Known by its name alone. */
export function isForeign(job: unknown): job is Pick<JobEnvelope, 'name' | 'uuid'> {
  return typeof job === 'object' && job !== null && job.constructor === Object && 'uuid' in job && 'name' in job;
}

/** `ShipOrder -> RecordShipment { id: 1 } -> a batch`. */
export function shownChain(chain: readonly unknown[]): string {
  return chain.map(shownExpected).join(' -> ');
}

export function shownExpected(expected: unknown): string {
  if (expected instanceof ChainedBatchMatch) return expected.toString();
  if (Array.isArray(expected)) return `[${shownChain(expected)}]`;
  if (typeof expected === 'function') return expected.name;
  return typeof expected === 'object' && expected !== null ? shownJob(expected) : describe(expected);
}

/** What was expected beside what comes closest to it, for a runner to lay them side by side: they differ where the jobs do. */
export function sidesOf(
  expected: readonly unknown[],
  all: readonly (readonly unknown[])[],
): { readonly expected: readonly string[]; readonly actual: readonly string[] } {
  const equal = (jobs: readonly unknown[]): number => jobs.filter((job, index) => fits(expected[index], job)).length;
  let closest: readonly unknown[] = [];
  let most = -1;
  for (const jobs of all) {
    const count = equal(jobs);
    if (count > most) [closest, most] = [jobs, count];
  }
  return {
    expected: expected.map((one, index) => shownBeside(one, closest[index])),
    actual: closest.map(shownExpected),
  };
}

function shownBeside(expected: unknown, actual: unknown): string {
  if (Array.isArray(expected) && Array.isArray(actual)) {
    return `[${expected.map((one, index) => shownBeside(one, actual[index])).join(' -> ')}]`;
  }
  return shownExpected(actual !== undefined && fits(expected, actual) ? actual : expected);
}
