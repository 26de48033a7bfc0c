import type { PendingBatch } from '../bus/pending-batch.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { listedRecords } from './pushed-list.js';
import { QueueFake } from './queue-fake.js';
import { QueueFakeError } from './queue-fake-error.js';
import { asMatch, asName, asType, whole, type JobType } from './queue-fake-arguments.js';
import { shownChain, type ExpectedJob } from './queue-fake-matching.js';

/** Which of the pushed jobs are meant, and how many there have to be. */
export interface PushedExpectation<J extends object = object> {
  /** On this queue. */
  readonly on?: string;
  /** Exactly so many. Default: one or more. */
  readonly times?: number;
  /** Asked for each job of the class. */
  readonly where?: (job: J, queue: string) => boolean;
}

/** What `nestjs-queue/testing/jest` and `nestjs-queue/testing/vitest` add to `expect(queue)`, where `queue` is the `QueueFake`. */
export interface QueueMatchers<R = void> {
  /** A job of this class, or of one that extends it, was pushed. */
  toHavePushed<J extends object>(job: JobType<J>, expected?: PushedExpectation<J>): R;
  /** No job was pushed. */
  toHaveNothingPushed(): R;
  /** A chain was dispatched with exactly these jobs: classes, or jobs with the same data. */
  toHaveChained(chain: readonly ExpectedJob[]): R;
  /** A batch was dispatched: one that `match` says yes to, or one of exactly these jobs. */
  toHaveBatched(match: ((batch: PendingBatch) => boolean) | readonly ExpectedJob[]): R;
}

/** A matcher's answer, as Jest and Vitest take it. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** For `expect.extend()`, of any runner that has Jest's. */
export const queueMatchers = {
  toHavePushed(received: unknown, job: JobType, expected: PushedExpectation<any> = {}): MatcherResult {
    const queue = fakeOf(received, 'toHavePushed');
    const { on, times, where } = checked(expected);
    const type = asType(job, 'toHavePushed');
    const holds = asMatch(where, 'toHavePushed');
    const found = queue.records.filter(
      (one) => one.job instanceof type && (on === undefined || one.queue === on) && holds(one.job, one.queue),
    );
    const unexpected = () => `The unexpected [${job.name}] job was pushed.\n\n${listedRecords('Pushed:', found)}`;
    if (times === undefined)
      return asserted(
        () =>
          on === undefined
            ? queue.assertPushed(job, where)
            : queue.assertPushedOn(on, job, where && ((one) => where(one, on))),
        unexpected,
      );
    const which = `${on === undefined ? '' : ` on "${on}"`}${where ? ' of which the condition holds' : ''}`;
    return {
      pass: found.length === times,
      message: () =>
        found.length === times
          ? unexpected()
          : `The expected [${job.name}] job${which} was pushed ${found.length} times instead of ${times} times.\n\n${listedRecords('Pushed:', queue.records)}`,
    };
  },

  toHaveNothingPushed(received: unknown): MatcherResult {
    const queue = fakeOf(received, 'toHaveNothingPushed');
    return asserted(
      () => queue.assertNothingPushed(),
      () => 'Nothing was pushed.',
    );
  },

  toHaveChained(received: unknown, chain: readonly ExpectedJob[]): MatcherResult {
    const queue = fakeOf(received, 'toHaveChained');
    return asserted(
      () => queue.assertChained(chain),
      () => `The unexpected chain was pushed.\n\nNot expected:\n  - ${shownChain(chain)}`,
    );
  },

  toHaveBatched(received: unknown, match: ((batch: PendingBatch) => boolean) | readonly ExpectedJob[]): MatcherResult {
    const queue = fakeOf(received, 'toHaveBatched');
    return asserted(
      () => queue.assertBatched(match),
      () => 'The unexpected batch was dispatched.',
    );
  },
};

function fakeOf(received: unknown, matcher: string): QueueFake {
  if (received instanceof QueueFake) return received;
  throw new InvalidOptionError(
    `${matcher}() was given ${describe(received)}. Give it the fake: expect(moduleRef.get(QueueFake)).${matcher}(…).`,
  );
}

const OPTIONS: ReadonlySet<string> = new Set<keyof PushedExpectation>(['on', 'times', 'where']);

/** A misspelt condition would hold of everything. */
function checked<J extends object>(expected: PushedExpectation<J>): PushedExpectation<J> {
  if (typeof expected !== 'object' || expected === null)
    throw new InvalidOptionError(`toHavePushed() was given ${describe(expected)}. Give it { on, times, where }.`);
  for (const key of Object.keys(expected))
    if (!OPTIONS.has(key))
      throw new InvalidOptionError(`toHavePushed() has no condition "${key}". There are: ${[...OPTIONS].join(', ')}.`);
  if (expected.times !== undefined) whole(expected.times, 'toHavePushed');
  if (expected.on !== undefined) asName(expected.on, 'toHavePushed', 'a queue');
  return expected;
}

/** An assertion as a matcher. */
function asserted(assertion: () => void, unexpected: () => string): MatcherResult {
  try {
    assertion();
  } catch (error) {
    if (!(error instanceof QueueFakeError)) throw error;
    return { pass: false, message: () => error.message };
  }
  return { pass: true, message: unexpected };
}
