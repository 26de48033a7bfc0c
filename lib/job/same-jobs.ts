import { inspect, isDeepStrictEqual } from 'node:util';
import { isJobClass } from './job.decorators.js';
import { definitionOf } from './job-definition.js';
import { isClosure, isUnsentBatch } from './step-check.js';
import { travellingFields } from './travelling-fields.js';

/** On what is expected in the place of a job: says whether this is it. */
export const MATCHES: unique symbol = Symbol.for('nestjs-queue:matches') as typeof MATCHES;

/** Something to be expected that looks at jobs in a way of its own. */
export interface JobMatcher {
  [MATCHES](actual: unknown): boolean;
  /** As a message shows it. */
  toString(): string;
}

/** The same length, and each the expected one in its place. */
export function sameJobs(expected: readonly unknown[], actual: readonly unknown[]): boolean {
  return firstDifference(expected, actual) === undefined;
}

/** A class stands for its instances, an instance for one of the same class with the same data. */
export function sameJob(expected: unknown, actual: unknown): boolean {
  if (expected === actual) return true;
  if (typeof expected === 'function') return actual instanceof expected;
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return false;
  if (MATCHES in expected) return (expected as JobMatcher)[MATCHES](actual);
  if (Array.isArray(expected)) return Array.isArray(actual) && sameJobs(expected, actual);
  if (Object.getPrototypeOf(expected) !== Object.getPrototypeOf(actual)) return false;
  if (isUnsentBatch(expected)) {
    return (
      isUnsentBatch(actual) &&
      isDeepStrictEqual(expected.options, actual.options) &&
      sameJobs(expected.jobs, actual.jobs)
    );
  }
  return isDeepStrictEqual(dataOf(expected), dataOf(actual));
}

/** Two lists of jobs for a message, and where they part. */
export function jobsDiffer(expected: readonly unknown[], actual: readonly unknown[]): string {
  const part = firstDifference(expected, actual) ?? 0;
  const lines = (jobs: readonly unknown[]): string =>
    jobs.length === 0
      ? '  (nothing)'
      : jobs.map((job, index) => `  ${index + 1}. ${jobText(job)}${index === part ? '   <--' : ''}`).join('\n');
  return `Expected:\n${lines(expected)}\nActual:\n${lines(actual)}`;
}

/** A job as a message shows it: its class with what it carries. */
export function jobText(job: unknown): string {
  if (typeof job === 'function') return `any ${job.name}`;
  if (typeof job !== 'object' || job === null) return inspect(job);
  if (MATCHES in job || isClosure(job)) return (job as { toString(): string }).toString();
  if (Array.isArray(job)) return `[${job.map(jobText).join(', ')}]`;
  if (isUnsentBatch(job)) return `a batch ${job.options.name ?? ''}[${job.jobs.map(jobText).join(', ')}]`;
  const shown: unknown = Object.create(
    Object.getPrototypeOf(job) as object | null,
    Object.getOwnPropertyDescriptors(dataOf(job)),
  );
  const text = inspect(shown, {
    depth: 3,
    breakLength: Infinity,
    maxArrayLength: 10,
    maxStringLength: 100,
  });
  return text.replace(/ \{\}$/, '');
}

function firstDifference(expected: readonly unknown[], actual: readonly unknown[]): number | undefined {
  const length = Math.max(expected.length, actual.length);
  for (let index = 0; index < length; index++) {
    if (index >= expected.length || index >= actual.length || !sameJob(expected[index], actual[index])) return index;
  }
  return undefined;
}

/** What a job carries; everything, where it is no job. */
export function dataOf(job: object): object {
  const type = job.constructor;
  return isJobClass(type) ? travellingFields(job, definitionOf(type)) : { ...job };
}
