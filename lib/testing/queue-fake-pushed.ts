import type { Type } from '@nestjs/common';
import { MethodCall } from '../job/callable.js';
import { FunctionClosure } from '../job/closure.js';
import { listed, listedRecords } from './pushed-list.js';
import type { PushedRecord } from './pushed-record.js';
import { asList, asMatch, asName, asType, whole, type JobType } from './queue-fake-arguments.js';
import { QueueFakeError } from './queue-fake-error.js';
import { fitsAll, isForeign, isOfType, shownChain, sidesOf, type ExpectedJob } from './queue-fake-matching.js';
import type { RecordingStage } from './recording-stage.js';

type Match<J> = (job: J, queue: string, record: PushedRecord) => boolean;

/** What would have reached a queue: dispatched, in bulk, at the head of a chain, as a member of a batch. */
export class PushedJobs {
  /** @internal */
  constructor(protected readonly stage: RecordingStage) {}

  /** All that would have reached a queue, in the order in which it was pushed. */
  get records(): readonly PushedRecord[] {
    return this.stage.records.filter(({ how }) => how === 'queue');
  }

  /** The jobs of a class, and of those that extend it, as they were dispatched. */
  pushed<J extends object>(job: JobType<J>, match?: Match<J>): J[] {
    return this.#pushed<J>(asType(job, 'pushed'), asMatch(match, 'pushed'));
  }

  hasPushed<J extends object>(job: JobType<J>, match?: Match<J>): boolean {
    return this.#pushed<J>(asType(job, 'hasPushed'), asMatch(match, 'hasPushed')).length > 0;
  }

  /** All jobs of a queue, of whatever class and connection. */
  pushedOn(queue: string): object[] {
    const name = asName(queue, 'pushedOn', 'a queue');
    return this.records.filter((one) => one.queue === name).map(({ job }) => job);
  }

  /** Bodies that were pushed as text (`pushRaw`). They count as no job. */
  rawPushes(): readonly { readonly connection: string; readonly queue: string; readonly body: string }[] {
    return [...this.stage.raw];
  }

  /** At least one job of the class was pushed; so many; or one that the function says yes to. @throws QueueFakeError */
  assertPushed<J extends object>(job: JobType<J>, match?: number | Match<J>): void {
    const type = asType<J>(job, 'assertPushed');
    if (typeof match === 'number') return this.times(type.name, this.#of(type), whole(match, 'assertPushed'));
    if (this.#pushed(type, asMatch(match, 'assertPushed', OR_COUNT)).length > 0) return;
    throw this.missing(type.name, this.#of(type), match && 'satisfies the function');
  }

  /** One was pushed on this queue. @throws QueueFakeError */
  assertPushedOn<J extends object>(queue: string, job: JobType<J>, match?: (job: J) => boolean): void {
    const name = asName(queue, 'assertPushedOn', 'a queue');
    const type = asType<J>(job, 'assertPushedOn');
    const holds = asMatch(match, 'assertPushedOn');
    if (this.#of(type).some((one) => one.queue === name && holds(one.job))) return;
    throw this.missing(type.name, this.#of(type), `is on "${name}"${match ? ' and satisfies the function' : ''}`);
  }

  /** @param times default 1 @throws QueueFakeError */
  assertPushedTimes(job: JobType, times = 1): void {
    const type = asType(job, 'assertPushedTimes');
    this.times(type.name, this.#of(type), whole(times, 'assertPushedTimes'));
  }

  /** @throws QueueFakeError */
  assertPushedOnce(job: JobType): void {
    const type = asType(job, 'assertPushedOnce');
    this.times(type.name, this.#of(type), 1);
  }

  /** None of the class was pushed, or none that the function says yes to. @throws QueueFakeError */
  assertNotPushed<J extends object>(job: JobType<J>, match?: (job: J, queue: string) => boolean): void {
    const type = asType<J>(job, 'assertNotPushed');
    const holds = asMatch(match, 'assertNotPushed');
    const found = this.#of(type).filter((one) => holds(one.job, one.queue));
    if (found.length > 0) throw unexpected(type.name, found);
  }

  /** @throws QueueFakeError */
  assertNothingPushed(): void {
    const { records } = this;
    if (records.length === 0) return;
    throw new QueueFakeError(listedRecords('The following jobs were pushed unexpectedly:', records));
  }

  /** So many jobs were pushed, of whatever class. @throws QueueFakeError */
  assertCount(count: number): void {
    const { records } = this;
    if (records.length === whole(count, 'assertCount')) return;
    throw new QueueFakeError(
      `Expected ${count} jobs to be pushed, but found ${records.length} instead.\n\n${listedRecords('Pushed:', records)}`,
      { expected: count, actual: records.length },
    );
  }

  /** A `call(service, method, …)` was pushed, with arguments that the function says yes to. @throws QueueFakeError */
  assertCallPushed<S>(
    service: Type<S> | (abstract new (...args: any[]) => S),
    method: keyof S,
    match?: (args: readonly unknown[]) => boolean,
  ): void {
    const { name } = asType(service, 'assertCallPushed');
    const holds = asMatch(match, 'assertCallPushed');
    const calls = this.#calls(name, method, 'assertCallPushed');
    if (calls.some(({ job }) => holds((job as MethodCall).args))) return;
    throw this.missing(`${name}.${String(method)}`, calls, match && 'satisfies the function');
  }

  /** @throws QueueFakeError */
  assertCallNotPushed<S>(
    service: Type<S> | (abstract new (...args: any[]) => S),
    method: keyof S,
    match?: (args: readonly unknown[]) => boolean,
  ): void {
    const { name } = asType(service, 'assertCallNotPushed');
    const holds = asMatch(match, 'assertCallNotPushed');
    const calls = this.#calls(name, method, 'assertCallNotPushed').filter(({ job }) => holds((job as MethodCall).args));
    if (calls.length > 0) throw unexpected(`${name}.${String(method)}`, calls);
  }

  /** A function was pushed, `closure(…)` or an inline one; so many; or one that the function says yes to. @throws QueueFakeError */
  assertClosurePushed(match?: number | ((closure: unknown) => boolean)): void {
    const closures = this.#of(FunctionClosure);
    if (typeof match === 'number') return this.times('Closure', closures, whole(match, 'assertClosurePushed'));
    const holds = asMatch(match, 'assertClosurePushed', OR_COUNT);
    if (closures.some(({ job }) => holds(job))) return;
    throw this.missing('Closure', closures, match && 'satisfies the function');
  }

  /** @throws QueueFakeError */
  assertClosureNotPushed(match?: (closure: unknown) => boolean): void {
    const holds = asMatch(match, 'assertClosureNotPushed');
    const closures = this.#of(FunctionClosure).filter(({ job }) => holds(job));
    if (closures.length > 0) throw unexpected('Closure', closures);
  }

  /** One of the class was pushed with exactly this chain behind it. @throws QueueFakeError */
  assertPushedWithChain(job: JobType, chain: readonly ExpectedJob[]): void {
    const type = asType(job, 'assertPushedWithChain');
    const behind = asChain(chain, 'assertPushedWithChain');
    const found = this.#of(type);
    if (found.length === 0) throw this.missing(type.name, found);
    if (found.some((one) => fitsAll(behind, one.chain))) return;
    throw chainMissing([type, ...behind], found);
  }

  /** One of the class was pushed with nothing behind it. @throws QueueFakeError */
  assertPushedWithoutChain(job: JobType): void {
    const type = asType(job, 'assertPushedWithoutChain');
    const found = this.#of(type);
    if (found.length === 0) throw this.missing(type.name, found);
    if (found.some((one) => one.chain.length === 0)) return;
    throw chainMissing([type], found, `${type.name}, with nothing behind it`);
  }

  /** @param found what comes close to it */
  protected missing(name: string, found: readonly PushedRecord[], which?: string): QueueFakeError {
    const head = `The expected [${name}] job was not pushed.`;
    if (found.length > 0) {
      return new QueueFakeError(`${head}\n\n${listedRecords(`None of these ${which ?? 'is it'}:`, found)}`);
    }
    const hint = elsewhere(this.stage.records.filter((one) => one.name === name));
    return new QueueFakeError(`${head}\n\n${listedRecords('Pushed instead:', this.records)}${hint}`);
  }

  protected times(name: string, found: readonly PushedRecord[], times: number): void {
    if (found.length === times) return;
    throw new QueueFakeError(
      `The expected [${name}] job was pushed ${found.length} times instead of ${times} times.\n\n${listedRecords('Pushed:', found.length > 0 ? found : this.records)}`,
      { expected: times, actual: found.length },
    );
  }

  #of(type: JobType): readonly PushedRecord[] {
    return this.records.filter(({ job }) => isOfType(job, type));
  }

  #pushed<J extends object>(type: JobType<J>, holds: (...args: unknown[]) => boolean): J[] {
    return this.#of(type)
      .filter((one) => holds(one.job, one.queue, one))
      .map(({ job }) => job as J);
  }

  #calls(service: string, method: PropertyKey, at: string): readonly PushedRecord[] {
    asName(method, at, `a method of ${service}`);
    return this.#of(MethodCall).filter(
      ({ job }) => (job as MethodCall).service === service && (job as MethodCall).method === method,
    );
  }
}

/** @throws InvalidOptionError for what is no list, QueueFakeError for an empty one */
export function asChain(chain: unknown, at: string): readonly unknown[] {
  const list = asList(chain, at);
  if (list.length === 0) throw new QueueFakeError('The expected chain can not be empty.');
  return list;
}

/** @param found what comes close to it */
export function chainMissing(
  expected: readonly unknown[],
  found: readonly PushedRecord[],
  shown = shownChain(expected),
  hint = '',
): QueueFakeError {
  const chains = found.map(({ job, chain }) => [job, ...chain]);
  const foreign = chains.flat().some(isForeign)
    ? '\n\nSteps that another process has sent are known by their class alone: expect classes there.'
    : '';
  return new QueueFakeError(
    `The expected chain was not pushed.\n\nExpected:\n  - ${shown}\n${listed('Pushed:', chains.map(shownChain), 'Nothing was pushed.')}${hint}${foreign}`,
    sidesOf(expected, chains),
  );
}

/** Where to look for what did not go to a queue. */
export function elsewhere(records: readonly PushedRecord[]): string {
  const ways = new Set(records.map(({ how }) => how));
  if (ways.has('sync')) return '\n\nIt was dispatched synchronously: see assertDispatchedSync().';
  if (!ways.has('after-response')) return '';
  return '\n\nIt was dispatched after the response: see assertDispatchedAfterResponse().';
}

const OR_COUNT = ', or a number of jobs';

function unexpected(name: string, found: readonly PushedRecord[]): QueueFakeError {
  return new QueueFakeError(`The unexpected [${name}] job was pushed.\n\n${listedRecords('Pushed:', found)}`);
}
