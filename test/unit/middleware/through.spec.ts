import { describe, expect, it } from '@jest/globals';
import type { JobMiddleware } from '../../../lib/contracts/job-middleware.js';
import { PayloadCodec } from '../../../lib/job/payload-codec.js';
import { letTravel, readThrough, writeThrough } from '../../../lib/job/through.js';
import { Value } from '../../../lib/job/value.decorator.js';
import { FailOnException } from '../../../lib/middleware/fail-on-exception.js';
import { RateLimited, RateLimitedWithRedis } from '../../../lib/middleware/rate-limited.js';
import { Release } from '../../../lib/middleware/release.js';
import { Skip } from '../../../lib/middleware/skip.js';
import { SkipIfBatchCancelled } from '../../../lib/middleware/skip-if-batch-cancelled.js';
import { ThrottlesExceptions, ThrottlesExceptionsWithRedis } from '../../../lib/middleware/throttles-exceptions.js';
import { travellingMiddleware } from '../../../lib/middleware/travelling-middleware.js';
import { WithoutOverlapping } from '../../../lib/middleware/without-overlapping.js';

letTravel(travellingMiddleware);
const codec = new PayloadCodec();

/** There and back as JSON. */
function travelled(one: JobMiddleware): JobMiddleware {
  const written = JSON.parse(JSON.stringify(writeThrough([one], 'Send', codec))) as object[];
  return (readThrough(written, codec) as readonly JobMiddleware[])[0]!;
}

@Value('test:Greeting')
class Greeting implements JobMiddleware {
  constructor(readonly word: string) {}
  toJSON() {
    return { word: this.word };
  }
  static fromJSON({ word }: { word: string }) {
    return new Greeting(word);
  }
  async handle() {}
}

describe('middleware that travels', () => {
  it.each<[string, JobMiddleware & { toJSON(): object }]>([
    ['RateLimited', new RateLimited('mail')],
    ['RateLimited with options', new RateLimited('mail').releaseAfter('1.5s').dontRelease()],
    ['RateLimitedWithRedis', new RateLimitedWithRedis('mail', 'cache').releaseAfter(9)],
    ['RateLimitedWithRedis of any', new RateLimitedWithRedis('mail')],
    ['WithoutOverlapping', new WithoutOverlapping()],
    ['WithoutOverlapping of a key', new WithoutOverlapping(7).dontRelease().shared().withPrefix('p:')],
    ['WithoutOverlapping with times', new WithoutOverlapping('a').releaseAfter(60).expireAfter('2m')],
    ['WithoutOverlapping until', new WithoutOverlapping('a').expireAfter(new Date(2_000_000_000_000))],
    ['ThrottlesExceptions', new ThrottlesExceptions()],
    ['ThrottlesExceptions by key', new ThrottlesExceptions(3, '5m').by('api').backoff(7).report().withPrefix('x:')],
    ['ThrottlesExceptions by job', new ThrottlesExceptions(3).byJob()],
    ['ThrottlesExceptionsWithRedis', new ThrottlesExceptionsWithRedis(3).connection('cache').byJob()],
    ['Skip', Skip.when(true)],
    ['Skip.unless', Skip.unless(true)],
    ['SkipIfBatchCancelled', new SkipIfBatchCancelled()],
    ['Release', Release.unless(false, '90s')],
    ['a @Value()', new Greeting('hello')],
  ])('%s comes back as it was', (_name, one) => {
    const back = travelled(one) as typeof one;
    expect(back).not.toBe(one);
    expect(back.constructor).toBe(one.constructor);
    expect(back.toJSON()).toEqual(one.toJSON());
  });

  it('refuses what cannot travel, and says what to do', () => {
    class Audit implements JobMiddleware {
      async handle() {}
    }
    class Stricter extends RateLimited {}
    const write = (one: JobMiddleware) => () => writeThrough([one], 'Send', codec);
    expect(write(new Audit())).toThrow(/^Send\.through\(\) was given Audit.*@Value\(\)/);
    expect(write(new Stricter('a'))).toThrow(/^Send\.through\(\) was given Stricter/);
    expect(write({ handle: async () => {} })).toThrow(/^Send\.through\(\) was given Object/);
    const fn = /cannot travel with a job\. Put it into the job's middleware\(\)/;
    expect(write(Skip.when(() => true))).toThrow(fn);
    expect(write(Release.unless(() => true))).toThrow(/^through\(\) cannot take Release\.unless\(\)/);
    expect(write(new FailOnException([TypeError]))).toThrow(fn);
    expect(write(new ThrottlesExceptions().backoff(() => 1))).toThrow(/ThrottlesExceptions\.backoff\(\)/);
    expect(write(new ThrottlesExceptions().when(() => true))).toThrow(/\.when\(\)/);
    expect(write(new ThrottlesExceptions().report(() => true))).toThrow(/\.report\(\)/);
    expect(write(new ThrottlesExceptions().deleteWhen(TypeError))).toThrow(/\.deleteWhen\(\)/);
    expect(write(new ThrottlesExceptionsWithRedis().failWhen(TypeError))).toThrow(/WithRedis\.failWhen\(\)/);
  });

  it.each<[string, unknown]>([
    ['a name that is not known', { name: 'constructor', options: {} }],
    ['one that cannot travel', { name: 'FailOnException', options: {} }],
    ['no options', { name: 'Skip' }],
    ['options that cannot be', { name: 'Skip', options: { skips: 'yes' } }],
    ['a duration that cannot be', { name: 'Release', options: { releases: true, delayMs: 'x' } }],
    ['a key that cannot be', { name: 'WithoutOverlapping', options: {} }],
    ['a limit that cannot be', { name: 'ThrottlesExceptions', options: { max: 0, decayMs: 1 } }],
    ['a value that is no middleware', { value: { middleware: 5 } }],
    ['a value that is not known', { value: { $t: 'Fields', v: { middleware: { $t: 'Value', name: 'x', v: 1 } } } }],
    ['nothing', null],
    ['text', 'Skip'],
    ['a list', []],
  ])('what a store holds is not trusted: %s', (_name, written) => {
    expect(() => readThrough([written as object], codec)).toThrow(
      expect.objectContaining({ code: 'ERR_QUEUE_INVALID_PAYLOAD' }),
    );
  });
});
