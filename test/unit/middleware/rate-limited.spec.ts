import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import type { JobContext } from '../../../lib/contracts/job-context.js';
import { NoAttemptError } from '../../../lib/middleware/attempt-of.js';
import { Limit } from '../../../lib/middleware/limit.js';
import { RateLimited, RateLimitedWithRedis } from '../../../lib/middleware/rate-limited.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';
import { Bench } from './attempt-harness.js';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
const limited = (): RateLimited => new RateLimited('mail');

describe('RateLimited', () => {
  it('lets as many through as the limiter says, and releases the others to the end of the window and 3 seconds', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(2));
    expect((await bench.run(limited())).ran).toBe(true);
    await bench.clock.advance(10);
    expect((await bench.run(limited())).ran).toBe(true);
    expect(await bench.run(limited())).toMatchObject({ ran: false, intent: { kind: 'release', delayMs: 53_000 } });
    await bench.clock.advance(50);
    expect((await bench.run(limited())).ran).toBe(true);
  });

  it('waits as long as releaseAfter says; 0 means the end of the window', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(0));
    expect((await bench.run(limited().releaseAfter('5m'))).intent).toMatchObject({ delayMs: 300_000 });
    expect((await bench.run(limited().releaseAfter(0))).intent).toMatchObject({ delayMs: 63_000 });
  });

  it('with dontRelease a refused job ends as done', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(0));
    expect(await bench.run(limited().dontRelease())).toMatchObject({ ran: false, intent: undefined });
  });

  it('lets everything through without a limiter of the name, and says so once', async () => {
    expect((await bench.run(limited())).ran).toBe(true);
    expect((await bench.run(limited())).ran).toBe(true);
    expect(bench.warnings).toEqual([expect.stringContaining(`no rate limiter is named "mail"`)]);
  });

  it('lets everything through with Limit.none(), also in a list', async () => {
    bench.limiter.for('mail', (job: { vip: boolean }) => (job.vip ? Limit.none() : [Limit.none(), Limit.perHour(0)]));
    expect((await bench.run(limited(), undefined, undefined, { vip: true })).ran).toBe(true);
    expect((await bench.run(limited(), undefined, undefined, { vip: false })).ran).toBe(false);
  });

  it('counts for each key on its own, and apart from other limiters', async () => {
    bench.limiter.for('mail', (job: { user: number }) => Limit.perMinute(1).by(job.user));
    bench.limiter.for('sms', (job: { user: number }) => Limit.perMinute(1).by(job.user));
    const ran = async (name: string, user: number) =>
      (await bench.run(new RateLimited(name), undefined, undefined, { user })).ran;
    expect([await ran('mail', 1), await ran('mail', 2), await ran('mail', 1), await ran('sms', 1)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it('asks several limits at once: a refusal costs none of them anything', async () => {
    bench.limiter.for('mail', async () => [Limit.perHour(3).by('hour'), Limit.perMinute(1).by('minute')]);
    expect((await bench.run(limited())).ran).toBe(true);
    for (let n = 0; n < 5; n += 1) expect((await bench.run(limited())).ran).toBe(false);
    await bench.clock.advance(60);
    expect((await bench.run(limited())).ran).toBe(true);
    await bench.clock.advance(60);
    expect((await bench.run(limited())).ran).toBe(true);
    await bench.clock.advance(60);
    expect(await bench.run(limited())).toMatchObject({ ran: false, intent: { delayMs: 3_600_000 - 180_000 + 3_000 } });
  });

  it('tells equal keys in one list apart', async () => {
    bench.limiter.for('mail', () => [Limit.perMinute(2), Limit.perHour(3), Limit.perHour(3)]);
    const ran: boolean[] = [];
    for (let n = 0; n < 5; n += 1) {
      if (n === 3) await bench.clock.advance(60);
      ran.push((await bench.run(limited())).ran);
    }
    expect(ran).toEqual([true, true, false, true, false]);
  });

  it('an exception of the handler is not mistaken for one of the store', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(9));
    const { thrown, intent } = await bench.run(limited(), () => {
      throw new StoreUnreachableError('x', 'y', new Error('of the handler'));
    });
    expect(thrown).toBeInstanceOf(StoreUnreachableError);
    expect(intent).toBeUndefined();
  });

  it('while the store is away the job is put off uncounted, and not run', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(9));
    bench.away = new StoreUnreachableError('redis', 'redis at host:1', new Error('ECONNREFUSED'));
    const refused = await bench.run(limited());
    expect(refused).toMatchObject({ ran: false, thrown: undefined });
    expect(refused.intent).toEqual({ kind: 'release', delayMs: 5_000, countAttempt: false });
    expect(bench.warnings).toEqual([expect.stringMatching(/^Send: its rate limits cannot be asked for.*ECONNREFUSED/)]);
  });

  it('with dontRelease too: a job is not dropped since its store is away', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(9));
    bench.away = new Error('a store of somebody’s own');
    expect((await bench.run(limited().dontRelease())).intent).toMatchObject({ countAttempt: false });
  });

  it('what no waiting mends is thrown, and so is anything where there is no queue to go back to', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(9));
    bench.away = new InvalidOptionError('no tables');
    expect((await bench.run(limited())).thrown).toBe(bench.away);
    bench.away = new Error('away');
    const here = await bench.run(limited(), undefined, bench.attempt({ token: '' }));
    expect(here).toMatchObject({ ran: false, thrown: bench.away, intent: undefined });
  });

  it('refuses what cannot be, by class and option', async () => {
    expect(() => new RateLimited('')).toThrow(/^RateLimited was given ""/);
    expect(() => limited().releaseAfter('soon')).toThrow(/^RateLimited\.releaseAfter\(\) is "soon"/);
    expect(() => new RateLimitedWithRedis('a', '')).toThrow(/^RateLimitedWithRedis\.connection\(\)/);
    bench.limiter.for('mail', () => 5 as never);
    expect((await bench.run(limited())).thrown).toMatchObject({
      code: 'ERR_QUEUE_INVALID_OPTION',
      message: expect.stringContaining('The rate limiter "mail" gave 5'),
    });
  });

  it('says so outside an attempt', async () => {
    const fake = { id: 'a', release() {} } as unknown as JobContext;
    await expect(limited().handle({}, async () => {}, fake)).rejects.toThrow(NoAttemptError);
    await expect(limited().handle({}, async () => {}, undefined as never)).rejects.toThrow(/^RateLimited was given/);
  });
});

describe('RateLimitedWithRedis', () => {
  it('counts on the connection it names, else on the first of redis', async () => {
    bench.limiter.for('mail', () => Limit.perMinute(1));
    await bench.run(new RateLimitedWithRedis('mail'));
    await bench.run(new RateLimitedWithRedis('mail', 'one'));
    expect((await bench.run(new RateLimitedWithRedis('mail').connection('two'))).intent).toMatchObject({
      delayMs: 63_000,
    });
    expect(bench.asked).toEqual(['cache', 'one', 'two']);
    bench.redis = undefined;
    expect((await bench.run(new RateLimitedWithRedis('mail'))).thrown).toBeInstanceOf(InvalidOptionError);
  });
});

describe('Limit', () => {
  it.each([
    [Limit.perSecond(3), 3, 1_000],
    [Limit.perSecond(3, 5), 3, 5_000],
    [Limit.perMinute(3), 3, 60_000],
    [Limit.perMinute(3, 0.5), 3, 30_000],
    [Limit.perMinutes(10, 3), 3, 600_000],
    [Limit.perHour(3, 2), 3, 7_200_000],
    [Limit.perDay(3), 3, 86_400_000],
  ])('%#', (limit, max, windowMs) => {
    expect(limit).toMatchObject({ max, windowMs, key: '' });
    expect(limit.by(7).key).toBe('7');
  });

  it('refuses what cannot be', () => {
    expect(() => Limit.perMinute(-1)).toThrow(/^Limit\.perMinute\(\): max is -1/);
    expect(() => Limit.perMinute(1.5)).toThrow(InvalidOptionError);
    expect(() => Limit.perHour(1, 0)).toThrow(/^Limit\.perHour\(\): the window is 0/);
    expect(() => Limit.perDay(1, Number.NaN)).toThrow(InvalidOptionError);
    expect(() => Limit.perSecond(1, '5' as never)).toThrow(InvalidOptionError);
    expect(() => Limit.perSecond(1).by(undefined as never)).toThrow(/^Limit\.by\(\) was given undefined/);
  });
});
