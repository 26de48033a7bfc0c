import { beforeEach, describe, expect, it } from '@jest/globals';
import { LimiterTimeoutError } from '../../../lib/middleware/blocking-limiter.js';
import { Limit } from '../../../lib/middleware/limit.js';
import { Bench } from './attempt-harness.js';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
const never = (): never => {
  throw new Error('not to be called');
};

describe('RateLimiter.throttle', () => {
  const throttle = () => bench.limiter.throttle('api').allow(2).every(60);

  it('does so much work in a window, and gives what it returned', async () => {
    expect(await throttle().then(() => 'done', never)).toBe('done');
    expect(await throttle().then(async () => 5)).toBe(5);
    const late = await throttle()
      .block(0)
      .then(never, (error) => error);
    expect(late).toBeInstanceOf(LimiterTimeoutError);
    await expect(throttle().block(0).then(never)).rejects.toMatchObject({
      code: 'ERR_QUEUE_LIMITER_TIMEOUT',
      message: expect.stringContaining("throttle('api') had no room within 0 s"),
    });
    await bench.clock.advance(60);
    expect(
      await throttle()
        .block(0)
        .then(() => 'again'),
    ).toBe('again');
  });

  it('waits for room as long as it may', async () => {
    await throttle().then(() => 1);
    await bench.clock.advance(58);
    await throttle().then(() => 2);
    const third = throttle().then(() => bench.clock.elapsed());
    const fourth = throttle()
      .block(1)
      .then(never, () => bench.clock.elapsed());
    await bench.clock.advance(5);
    expect(await fourth).toBe(59_000);
    expect(await third).toBe(60_250);
  });

  it('looks as often as sleep says', async () => {
    await throttle().then(() => 1);
    await throttle().then(() => 2);
    await bench.clock.advance(59);
    const third = throttle()
      .sleep(10)
      .then(() => bench.clock.elapsed());
    await bench.clock.advance(3);
    expect(await third).toBe(60_000);
  });

  it('what the work throws is no reason to call otherwise', async () => {
    const boom = new Error('boom');
    await expect(
      throttle().then(() => {
        throw boom;
      }, never),
    ).rejects.toBe(boom);
  });

  it('rejects while its store is away: no work is done on the chance', async () => {
    bench.away = new Error('away');
    await expect(throttle().then(never, never)).rejects.toBe(bench.away);
  });

  it('refuses what cannot be, and to be awaited without work', async () => {
    const { limiter } = bench;
    await expect(limiter.throttle('api').then(never)).rejects.toThrow(/throttle\('api'\) needs allow\(n\) and every/);
    expect(() => limiter.throttle('')).toThrow(/^RateLimiter\.throttle\(\) was given ""/);
    expect(() => limiter.throttle('api').allow(0)).toThrow(/^throttle\('api'\)\.allow\(\) is 0/);
    expect(() => limiter.throttle('api').every(0)).toThrow(/every\(\) was given 0/);
    expect(() => limiter.throttle('api').block(-1)).toThrow(/^throttle\('api'\)\.block\(\) is -1/);
    expect(() => limiter.throttle('api').sleep(0)).toThrow(/sleep\(\) was given 0/);
    await expect((async () => throttle())()).rejects.toThrow(/was awaited without work to do/);
    expect(() => limiter.for('a', 5 as never)).toThrow(/^RateLimiter\.for\('a'\) was given 5/);
    expect(() => limiter.for('', () => Limit.none())).toThrow(/^RateLimiter\.for\(\) was given ""/);
  });
});

describe('RateLimiter.funnel', () => {
  const funnel = (slots = 2) => bench.limiter.funnel('api').limit(slots);
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const holding = (slots?: number) => {
    let end!: (error?: Error) => void;
    const ended = new Promise<void>((resolve, reject) => (end = (error) => (error ? reject(error) : resolve())));
    const work = funnel(slots).then(() => ended);
    return { end, work };
  };

  it('lets so many work at a time, and gives places back also when the work throws', async () => {
    const one = holding();
    const two = holding();
    await settle();
    expect(
      await funnel()
        .block(0)
        .then(never, (error) => error),
    ).toBeInstanceOf(LimiterTimeoutError);
    one.end();
    await one.work;
    expect(
      await funnel()
        .block(0)
        .then(() => 'in'),
    ).toBe('in');
    two.end(new Error('boom'));
    await expect(two.work).rejects.toThrow('boom');
    const three = holding();
    const four = holding();
    await settle();
    expect(
      await funnel()
        .block(0)
        .then(never, () => 'full'),
    ).toBe('full');
    for (const held of [three, four]) {
      held.end();
      await held.work;
    }
  });

  it('waits for a place', async () => {
    const first = holding(1);
    await settle();
    const second = funnel(1).then(() => bench.clock.elapsed());
    const third = funnel(1)
      .block(1)
      .then(never, (error) => error.message);
    await bench.clock.advance(2);
    expect(await third).toContain('had no room within 1 s');
    first.end();
    await bench.clock.advance(1);
    expect(await second).toBe(2_250);
  });

  it('a place is free after releaseAfter, and whoever had it does not free it for its next holder', async () => {
    const first = holding(1);
    await settle();
    await bench.clock.advance(60);
    const second = holding(1);
    await settle();
    first.end();
    await first.work;
    expect(
      await funnel(1)
        .block(0)
        .then(never, () => 'full'),
    ).toBe('full');
    second.end();
    await second.work;
    const short = bench.limiter.funnel('api').limit(1).releaseAfter(5);
    const third = short.then(() => new Promise<void>((resolve) => bench.clock.after(9_000, resolve)));
    await bench.clock.advance(5);
    expect(
      await funnel(1)
        .block(0)
        .then(() => 'in'),
    ).toBe('in');
    await bench.clock.advance(9);
    await third;
  });

  it('work that is done stays so when its place cannot be given back', async () => {
    bench.locks.release = () => Promise.reject(new Error('away'));
    expect(await funnel().then(() => 'done')).toBe('done');
    expect(bench.warnings).toEqual([expect.stringContaining('stays taken for up to 60 s: Error: away')]);
  });

  it('refuses what cannot be', async () => {
    await expect(bench.limiter.funnel('a').then(never)).rejects.toThrow(/funnel\('a'\) needs limit\(n\)/);
    expect(() => funnel(0)).toThrow(/^funnel\('api'\)\.limit\(\) is 0/);
    expect(() => funnel().releaseAfter(0)).toThrow(/releaseAfter\(\) was given 0/);
  });
});
