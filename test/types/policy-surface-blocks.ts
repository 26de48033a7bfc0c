// Every name and signature that the API promises for policies, written out: what is exported has to fit each of them.
import type { InjectionToken, Type } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import * as queue from 'nestjs-queue';
import type {
  DispatchReceipt,
  Dispatchable,
  Duration,
  InlineClosure,
  JobContext,
  Moment,
  QueueableJob,
} from 'nestjs-queue';

type Condition = boolean | (() => boolean);
type OfJob = boolean | ((job: any) => boolean);
type Match = Type<Error> | ((error: unknown) => boolean);
type Receipt = Promise<DispatchReceipt | null>;
type Next = () => Promise<void>;

interface PendingDispatch extends PromiseLike<DispatchReceipt | null> {
  onConnection(connection: string): this;
  onQueue(queue: string): this;
  delay(delay: Moment): this;
  withoutDelay(): this;
  afterCommit(): this;
  beforeCommit(): this;
  chain(jobs: readonly Dispatchable[]): this;
  catch(job: Dispatchable): this;
  within(manager: EntityManager): this;
}
interface PendingChain {
  onConnection(connection: string): this;
  onQueue(queue: string): this;
  delay(delay: Moment): this;
  catch(job: Dispatchable): this;
  append(job: Dispatchable): this;
  prepend(job: Dispatchable): this;
  dispatch(): Receipt;
  dispatchIf(condition: Condition): Receipt;
  dispatchUnless(condition: Condition): Receipt;
}
interface ClosureJob extends QueueableJob {
  name(label: string): this;
  catch(job: Dispatchable): this;
}
interface Context {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly connection: string;
  readonly queue: string;
  readonly attempts: number;
  readonly payload: object;
  readonly signal: AbortSignal;
  readonly error?: unknown;
  readonly batchId?: string;
  readonly tags: readonly string[];
  release(delay?: Moment): void;
  fail(error?: Error | string): void;
  delete(): void;
}
interface Bus {
  dispatch(job: QueueableJob | queue.ClosureJob | InlineClosure): PendingDispatch;
  dispatchIf(condition: Condition, job: QueueableJob | (() => QueueableJob)): PendingDispatch;
  dispatchUnless(condition: Condition, job: QueueableJob | (() => QueueableJob)): PendingDispatch;
  dispatchSync<R = unknown>(job: QueueableJob | InlineClosure): Promise<R>;
  dispatchAfterResponse(job: QueueableJob | InlineClosure): void;
  bulk(jobs: readonly QueueableJob[]): Promise<readonly (DispatchReceipt | null)[]>;
  chain(jobs: readonly Dispatchable[]): PendingChain;
}
interface Running {
  onQueue(queue: string): this;
  onConnection(connection: string): this;
  delay(delay: Moment): this;
  withoutDelay(): this;
  afterCommit(): this;
  beforeCommit(): this;
  chain(jobs: readonly Dispatchable[]): this;
  through(middleware: readonly queue.JobMiddleware[]): this;
  readonly signal: AbortSignal;
  readonly context: JobContext | null;
  readonly job: JobContext | null;
  attempts(): number;
  release(delay?: Moment): void;
  fail(error?: Error | string): void;
  delete(): void;
  prependToChain(jobs: Dispatchable | readonly Dispatchable[]): this;
  appendToChain(jobs: Dispatchable | readonly Dispatchable[]): this;
}
interface Wrap {
  handle(job: any, next: Next, context: JobContext): Promise<void>;
}
interface RateLimited extends Wrap {
  releaseAfter(delay: Duration): this;
  dontRelease(): this;
}
interface WithoutOverlapping extends Wrap {
  releaseAfter(delay: Duration): this;
  dontRelease(): this;
  expireAfter(ttl: Moment): this;
  shared(): this;
  withPrefix(prefix: string): this;
}
interface ThrottlesExceptions extends Wrap {
  by(key: string): this;
  byJob(): this;
  withPrefix(prefix: string): this;
  backoff(delay: Duration | ((error: unknown) => Duration)): this;
  when(fn: (error: unknown) => boolean): this;
  report(fn?: (error: unknown) => boolean): this;
  deleteWhen(match: Match): this;
  failWhen(match: Match): this;
}
interface Named {
  connection(name: string): this;
}
interface Limits {
  perSecond(max: number, seconds?: number): queue.Limit;
  perMinute(max: number, minutes?: number): queue.Limit;
  perMinutes(minutes: number, max: number): queue.Limit;
  perHour(max: number, hours?: number): queue.Limit;
  perDay(max: number, days?: number): queue.Limit;
  none(): queue.Limit;
}
interface Blocking {
  block(timeout: Duration): this;
  then<T>(work: () => T | Promise<T>, otherwise?: (error: Error) => T | Promise<T>): Promise<T>;
}
interface Limiter {
  for<J>(name: string, limit: (job: J) => queue.Limit | queue.Limit[]): void;
  throttle(key: string): Blocking & { allow(max: number): Blocking; every(window: Duration): Blocking };
  funnel(key: string): Blocking & { limit(max: number): Blocking; releaseAfter(ttl: Duration): Blocking };
}
interface Manager {
  route(job: Type, to: { connection?: string; queue?: string }): void;
  forward(queue: string, to: string, connection?: string): void;
  createPayloadUsing(fn: ((connection: string, queue: string, payload: object) => object) | null): void;
}
type Made<T extends abstract new (...args: any) => unknown, A extends unknown[]> =
  A extends ConstructorParameters<T> ? InstanceType<T> : never;

/** Does not compile where the first does not fit the second. */
type Fit<One extends Two, Two> = [One, Two];

export const surface: [
  Fit<queue.PendingDispatch, PendingDispatch>,
  Fit<queue.PendingChain, PendingChain>,
  Fit<queue.ClosureJob, ClosureJob>,
  Fit<JobContext, Context>,
  Fit<queue.QueueBus, Bus>,
  Fit<queue.Queueable, Running>,
  Fit<queue.QueueManager, Manager>,
  Fit<queue.RateLimiter, Limiter>,
  Fit<typeof queue.Limit, Limits>,
  Fit<ReturnType<queue.Limit['by']>, queue.Limit>,
  Fit<Made<typeof queue.RateLimited, [string]>, RateLimited>,
  Fit<Made<typeof queue.RateLimitedWithRedis, [string] | [string, string]>, RateLimited & Named>,
  Fit<Made<typeof queue.WithoutOverlapping, [] | [string] | [number]>, WithoutOverlapping>,
  Fit<Made<typeof queue.ThrottlesExceptions, [] | [number] | [number, Duration]>, ThrottlesExceptions>,
  Fit<Made<typeof queue.ThrottlesExceptionsWithRedis, [] | [number, Duration]>, ThrottlesExceptions & Named>,
  Fit<Made<typeof queue.FailOnException, [readonly Type<Error>[]] | [(error: unknown, job: any) => boolean]>, Wrap>,
  Fit<Made<typeof queue.SkipIfBatchCancelled, []>, Wrap>,
  Fit<typeof queue.Skip, { when(condition: OfJob): queue.Skip; unless(condition: OfJob): queue.Skip }>,
  Fit<queue.Skip, Wrap>,
  Fit<
    typeof queue.Release,
    {
      when(condition: OfJob, delay?: Duration): queue.Release;
      unless(condition: OfJob, delay?: Duration): queue.Release;
    }
  >,
  Fit<queue.Release, Wrap>,
  Fit<
    typeof queue.closure,
    <V extends object>(values: V, fn: (values: V, ...rest: any[]) => unknown, inject?: InjectionToken[]) => ClosureJob
  >,
  Fit<
    typeof queue.call,
    <S, M extends keyof S>(
      service: Type<S>,
      method: M,
      ...args: S[M] extends (...args: infer A) => unknown ? A : never
    ) => ClosureJob
  >,
  Fit<typeof queue.withoutRelations, <E extends object>(entity: E) => E>,
  Fit<typeof queue.WithoutRelations, () => ClassDecorator & PropertyDecorator>,
  Fit<typeof queue.Callable, () => MethodDecorator>,
  Fit<typeof queue.Encrypted | typeof queue.AfterCommit | typeof queue.DeleteWhenMissingEntities, () => ClassDecorator>,
  Fit<typeof queue.Middleware, (...given: (queue.JobMiddleware | Type<queue.JobMiddleware>)[]) => ClassDecorator>,
] = [] as never;

export const errors: readonly (abstract new (...args: any) => queue.QueueError)[] = [
  queue.ManuallyFailedError,
  queue.UnserializableError,
  queue.PayloadTooLargeError,
  queue.NotAJobError,
  queue.UnknownJobError,
  queue.EntityMissingError,
  queue.DecryptionError,
  queue.SignatureError,
  queue.UniqueJobSkippedError,
  queue.LimiterTimeoutError,
  queue.InvalidOptionError,
  queue.InvalidPayloadError,
  queue.InvalidQueueNameError,
  queue.UnknownConnectionError,
  queue.AbilityMissingError,
  queue.LeaseLostError,
  queue.JobStalledError,
  queue.MaxAttemptsExceededError,
  queue.TimeoutExceededError,
  queue.UnhandledRejectionError,
  queue.StoreFullError,
  queue.DispatchTimeoutError,
  queue.BatchFinishedError,
  queue.MissingMethodError,
];
