import type { PendingBatch } from '../bus/pending-batch.js';
import { isClass } from '../job/closure.js';
import { listed, listedRecords, shownBatch } from './pushed-list.js';
import { shownRecord, type PushedRecord } from './pushed-record.js';
import { QueueFakeError } from './queue-fake-error.js';
import { asFunction, asList, asMatch, asType, whole, type JobType } from './queue-fake-arguments.js';
import {
  ChainedBatchMatch,
  fitsAll,
  isOfType,
  shownExpected,
  sidesOf,
  type ExpectedJob,
} from './queue-fake-matching.js';
import { asChain, chainMissing, elsewhere, PushedJobs } from './queue-fake-pushed.js';

/**
 * What a test asks of a module whose queue is faked: `const queue = moduleRef.get(QueueFake)`. See `fakeQueue`.
 *
 * Classes match by `instanceof`. A job that was pushed counts whatever way it went: dispatched, in bulk, at the head of a chain, as a
 * member of a batch. What would have run in this process (`dispatchSync`, `dispatchAfterResponse`) is kept apart. Each assertion throws a
 * `QueueFakeError` that says what was pushed instead.
 */
export class QueueFake extends PushedJobs {
  /**
   * A chain of exactly these was dispatched, by `bus.chain()`, `job.chain()` or as a member of a batch: classes, equal instances, or
   * `chainedBatch(…)`. A list of one is a job with nothing behind it.
   *
   * @throws QueueFakeError
   */
  assertChained(chain: readonly ExpectedJob[]): void {
    const expected = asChain(chain, 'assertChained');
    const found = this.stage.records.filter(({ job, chain: behind }) => fitsAll(expected, [job, ...behind]));
    if (found.some(({ how }) => how === 'queue')) return;
    const { records } = this;
    const chains = expected.length === 1 ? [] : records.filter((one) => one.chain.length > 0);
    throw chainMissing(expected, chains.length > 0 ? chains : records, undefined, elsewhere(found));
  }

  /** One of the class was pushed with nothing behind it. @throws QueueFakeError */
  assertDispatchedWithoutChain(job: JobType): void {
    this.assertPushedWithoutChain(asType(job, 'assertDispatchedWithoutChain'));
  }

  /** Nothing was pushed with a chain behind it. @throws QueueFakeError */
  assertNothingChained(): void {
    const chains = this.records.filter((one) => one.chain.length > 0);
    if (chains.length === 0) return;
    throw new QueueFakeError(listedRecords('The following chains were pushed unexpectedly:', chains));
  }

  /** For a place in `assertChained([…])` where a batch is expected. */
  chainedBatch(match: (batch: PendingBatch) => boolean): object {
    return new ChainedBatchMatch(match);
  }

  /** A batch was dispatched that the function says yes to, or that has exactly these members; a list is a chain. @throws QueueFakeError */
  assertBatched(match: ((batch: PendingBatch) => boolean) | readonly ExpectedJob[]): void {
    const { batches } = this.stage;
    const members = typeof match === 'function' && !isClass(match) ? undefined : asList(match, 'assertBatched', true);
    const holds = members ? undefined : asFunction(match, 'assertBatched');
    if (batches.some(({ pending }) => holds?.(pending) ?? fitsAll(members!, pending.jobs))) return;
    const expected = members
      ? `Expected:\n  - a batch of ${members.length}: ${members.map(shownExpected).join(', ')}\n`
      : '';
    throw new QueueFakeError(
      `The expected batch was not dispatched.\n\n${expected}${listed('Dispatched:', batches.map(shownBatch), 'No batch was dispatched.')}`,
      members &&
        sidesOf(
          members,
          batches.map(({ pending }) => pending.jobs),
        ),
    );
  }

  /** @throws QueueFakeError */
  assertBatchCount(count: number): void {
    const { batches } = this.stage;
    if (batches.length === whole(count, 'assertBatchCount')) return;
    throw new QueueFakeError(
      `Expected ${count} batches to be dispatched, but found ${batches.length} instead.\n\n${listed('Dispatched:', batches.map(shownBatch), 'No batch was dispatched.')}`,
      { expected: count, actual: batches.length },
    );
  }

  /** @throws QueueFakeError */
  assertNothingBatched(): void {
    const { batches } = this.stage;
    if (batches.length === 0) return;
    throw new QueueFakeError(
      listed('The following batches were dispatched unexpectedly:', batches.map(shownBatch), ''),
    );
  }

  /** Nothing at all was dispatched: no job, no batch, nothing that would have run in this process. @throws QueueFakeError */
  assertNothingPlaced(): void {
    this.assertNothingBatched();
    const { records } = this.stage;
    if (records.length === 0) return;
    throw new QueueFakeError(listed('The following jobs were dispatched unexpectedly:', records.map(shownPlaced), ''));
  }

  /** One of the class was given to `dispatchSync`; so many; or one that the function says yes to. @throws QueueFakeError */
  assertDispatchedSync<J extends object>(job: JobType<J>, match?: number | ((job: J) => boolean)): void {
    this.#assertHere(asType(job, 'assertDispatchedSync'), 'sync', match, 'assertDispatchedSync');
  }

  /** @throws QueueFakeError */
  assertNotDispatchedSync<J extends object>(job: JobType<J>, match?: (job: J) => boolean): void {
    const at = 'assertNotDispatchedSync';
    this.#assertNotHere(asType(job, at), 'sync', asMatch(match, at));
  }

  /** As `assertDispatchedSync`, of `dispatchAfterResponse`. @throws QueueFakeError */
  assertDispatchedAfterResponse<J extends object>(job: JobType<J>, match?: number | ((job: J) => boolean)): void {
    this.#assertHere(
      asType(job, 'assertDispatchedAfterResponse'),
      'after-response',
      match,
      'assertDispatchedAfterResponse',
    );
  }

  /** @throws QueueFakeError */
  assertNotDispatchedAfterResponse<J extends object>(job: JobType<J>, match?: (job: J) => boolean): void {
    const at = 'assertNotDispatchedAfterResponse';
    this.#assertNotHere(asType(job, at), 'after-response', asMatch(match, at));
  }

  /** The jobs that were given to `dispatchSync`. */
  dispatchedSync<J extends object>(job: JobType<J>, match?: (job: J) => boolean): J[] {
    const at = 'dispatchedSync';
    return this.#here(asType(job, at), 'sync', asMatch(match, at)).map((one) => one.job as J);
  }

  /** The jobs that were given to `dispatchAfterResponse`. */
  dispatchedAfterResponse<J extends object>(job: JobType<J>, match?: (job: J) => boolean): J[] {
    const at = 'dispatchedAfterResponse';
    return this.#here(asType(job, at), 'after-response', asMatch(match, at)).map((one) => one.job as J);
  }

  /** The batches that were dispatched, in their order. Batches inside chains and other batches are not among them. */
  batched(): PendingBatch[] {
    return this.stage.batches.map(({ pending }) => pending);
  }

  /** Forgets what was recorded, and gives back the locks that faked jobs have taken. */
  reset(): void {
    this.stage.reset();
  }

  #here(type: JobType, how: Here, holds: (job: object) => boolean): readonly PushedRecord[] {
    return this.stage.records.filter((one) => one.how === how && isOfType(one.job, type) && holds(one.job));
  }

  #assertHere(type: JobType, how: Here, match: unknown, at: string): void {
    const all = this.stage.records.filter((one) => one.how === how);
    const holds = asMatch(typeof match === 'number' ? undefined : match, at, ', or a number of jobs');
    const found = this.#here(type, how, holds).length;
    const list = listed('Dispatched so:', all.map(shownPlaced), `Nothing was dispatched ${WORDS[how]}.`);
    if (typeof match === 'number') {
      if (found === whole(match, at)) return;
      throw new QueueFakeError(
        `The expected [${type.name}] job was dispatched ${WORDS[how]} ${found} times instead of ${match} times.\n\n${list}`,
        { expected: match, actual: found },
      );
    }
    if (found > 0) return;
    const queued = this.pushed(type).length > 0 ? '\n\nIt was pushed to a queue: see assertPushed().' : '';
    throw new QueueFakeError(`The expected [${type.name}] job was not dispatched ${WORDS[how]}.\n\n${list}${queued}`);
  }

  #assertNotHere(type: JobType, how: Here, holds: (job: object) => boolean): void {
    const found = this.#here(type, how, holds);
    if (found.length === 0) return;
    throw new QueueFakeError(
      `The unexpected [${type.name}] job was dispatched ${WORDS[how]}.\n\n${listed('Dispatched so:', found.map(shownPlaced), '')}`,
    );
  }
}

type Here = 'sync' | 'after-response';

/** Laravel's words. */
const WORDS: Readonly<Record<Here, string>> = {
  sync: 'synchronously',
  'after-response': 'after sending the response',
};

function shownPlaced(record: PushedRecord): string {
  return record.how === 'queue' ? shownRecord(record) : `${shownRecord(record)}, ${WORDS[record.how]}`;
}
