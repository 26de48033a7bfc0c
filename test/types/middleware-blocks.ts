import { Injectable } from '@nestjs/common';
import {
  FailOnException,
  Job,
  Limit,
  LimiterTimeoutError,
  Middleware,
  Queueable,
  RateLimited,
  RateLimitedWithRedis,
  RateLimiter,
  Release,
  Skip,
  SkipIfBatchCancelled,
  ThrottlesExceptions,
  ThrottlesExceptionsWithRedis,
  WithoutOverlapping,
  type JobContext,
  type JobMiddleware,
  type QueueError,
} from 'nestjs-queue';

class User {
  id = 1;
  vip = false;
}

@Job()
@Middleware(new RateLimited('backups').releaseAfter('1m').dontRelease(), SkipIfBatchCancelled)
export class Backup extends Queueable {
  constructor(readonly user: User) {
    super();
  }
  middleware(): JobMiddleware[] {
    return [
      new RateLimitedWithRedis('backups', 'redis').connection('other').releaseAfter(5),
      new WithoutOverlapping(),
      new WithoutOverlapping(this.user.id)
        .releaseAfter(60)
        .expireAfter('3m')
        .expireAfter(new Date())
        .dontRelease()
        .shared()
        .withPrefix('p:'),
      new ThrottlesExceptions(),
      new ThrottlesExceptions(10, '10m')
        .by('api')
        .byJob()
        .withPrefix('x:')
        .backoff('5m')
        .backoff((error) => (error instanceof TypeError ? 60 : '5m'))
        .when((error) => error instanceof TypeError)
        .report()
        .report((error) => error instanceof TypeError)
        .deleteWhen(TypeError)
        .deleteWhen((error) => error === 1)
        .failWhen(RangeError)
        .failWhen(() => true),
      new ThrottlesExceptionsWithRedis(10, 600).connection('redis').by('api'),
      Skip.when(this.user.vip),
      Skip.when((job: Backup) => job.user.vip),
      Skip.unless(true),
      Release.when(true, 30),
      Release.unless((job: Backup) => job.user.vip, '1h'),
      new FailOnException([TypeError, RangeError]),
      new FailOnException((error, job: Backup) => error instanceof TypeError && job.user.vip),
      new SkipIfBatchCancelled(),
    ];
  }
  handle() {
    const sent: this = this.through([new WithoutOverlapping('a'), new SkipIfBatchCancelled()]);
    return sent.release(1);
  }
}

class Own implements JobMiddleware<Backup> {
  async handle(job: Backup, next: () => Promise<void>, context: JobContext) {
    if (job.user.vip && context.attempts < 3) await next();
  }
}
export const own = [Own, new Own()];

@Injectable()
export class Limits {
  constructor(private readonly limiter: RateLimiter) {
    limiter.for('backups', (job: Backup) => (job.user.vip ? Limit.none() : Limit.perHour(1).by(job.user.id)));
    limiter.for<Backup>('several', (job) => [Limit.perMinute(10), Limit.perDay(100).by(`user:${job.user.id}`)]);
    limiter.for('every', () => [
      Limit.perSecond(1),
      Limit.perSecond(1, 5),
      Limit.perMinute(1, 2),
      Limit.perMinutes(10, 1),
      Limit.perHour(1, 2),
      Limit.perDay(1, 2),
    ]);
    // @ts-expect-error a limiter answers with limits
    limiter.for('wrong', () => 5);
  }

  async throttled(job: Backup): Promise<number | void> {
    const made: number = await this.limiter
      .throttle('key')
      .allow(10)
      .every(60)
      .block(0)
      .sleep(100)
      .then(() => 5);
    const either: string | number = await this.limiter
      .throttle('key')
      .allow(10)
      .every('1m')
      .then(
        async () => 'done',
        (error: LimiterTimeoutError) => error.message.length,
      );
    console.log(made, either);
    return this.limiter
      .funnel('key')
      .limit(1)
      .releaseAfter('1m')
      .block(3)
      .sleep(250)
      .then(
        () => 1,
        () => job.release(10),
      );
  }
}

export const late: QueueError = new LimiterTimeoutError('throttle', 3_000);
// @ts-expect-error a limiter has a name
export const unnamed = new RateLimited();
// @ts-expect-error a key is a text or a number
export const keyed = new WithoutOverlapping({});
// @ts-expect-error a condition is true, false or a function
export const unsaid = Skip.when('yes');
// @ts-expect-error limits are made by their builders
export const limit = new Limit(1, 1_000);
