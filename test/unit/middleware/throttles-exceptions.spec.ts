import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import { ThrottlesExceptions, ThrottlesExceptionsWithRedis } from '../../../lib/middleware/throttles-exceptions.js';
import { Bench, throwing } from './attempt-harness.js';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
class Gone extends Error {}
class Busy extends Error {}
const boom = new Error('boom');
const away = new StoreUnreachableError('redis', 'redis at host:1', new Error('ECONNREFUSED'));
const breaker = (max = 2, decay = 60): ThrottlesExceptions => new ThrottlesExceptions(max, decay);

describe('ThrottlesExceptions', () => {
  it('swallows exceptions and releases the job; with enough of them it is not run until their time is over', async () => {
    expect(await bench.run(breaker(), throwing(boom))).toMatchObject({
      thrown: undefined,
      intent: { kind: 'release', delayMs: 0 },
    });
    await bench.clock.advance(20);
    await bench.run(breaker(), throwing(boom));
    expect(await bench.run(breaker(), throwing(boom))).toMatchObject({
      ran: false,
      intent: { kind: 'release', delayMs: 43_000 },
    });
    await bench.clock.advance(40);
    expect((await bench.run(breaker())).ran).toBe(true);
  });

  it('defaults to 10 exceptions in 600 seconds', async () => {
    for (let n = 0; n < 10; n += 1) expect((await bench.run(new ThrottlesExceptions(), throwing(boom))).ran).toBe(true);
    expect((await bench.run(new ThrottlesExceptions())).intent).toMatchObject({ delayMs: 603_000 });
  });

  it('a run that ends well clears the count', async () => {
    await bench.run(breaker(), throwing(boom));
    await bench.run(breaker());
    await bench.run(breaker(), throwing(boom));
    expect((await bench.run(breaker())).ran).toBe(true);
  });

  it('counts by class; by key or by job where told', async () => {
    const of = (displayName: string, id: string) => bench.attempt({ id }, { displayName });
    const ran = async (middleware: ThrottlesExceptions, displayName: string, id: string) =>
      (await bench.run(middleware, throwing(boom), of(displayName, id))).ran;
    expect([await ran(breaker(1), 'A', '1'), await ran(breaker(1), 'A', '2'), await ran(breaker(1), 'B', '1')]).toEqual(
      [true, false, true],
    );
    const api = (): ThrottlesExceptions => breaker(1).by('api');
    expect([await ran(api(), 'A', '1'), await ran(api(), 'B', '2')]).toEqual([true, false]);
    expect(await ran(api().withPrefix('other:'), 'B', '2')).toBe(true);
    const each = (): ThrottlesExceptions => breaker(1).byJob();
    expect([await ran(each(), 'A', '1'), await ran(each(), 'A', '2'), await ran(each(), 'A', '1')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('waits behind an exception as backoff says', async () => {
    expect((await bench.run(breaker().backoff('5m'), throwing(boom))).intent).toMatchObject({ delayMs: 300_000 });
    const asked = breaker().backoff((error) => (error === boom ? 7 : 0));
    expect((await bench.run(asked, throwing(boom))).intent).toMatchObject({ delayMs: 7_000 });
  });

  it('when: another exception leaves as it is, and does not count', async () => {
    const only = (): ThrottlesExceptions => breaker(1).when((error) => error instanceof Busy);
    expect(await bench.run(only(), throwing(boom))).toMatchObject({ thrown: boom, intent: undefined });
    expect((await bench.run(only(), throwing(new Busy()))).thrown).toBeUndefined();
    expect((await bench.run(only())).ran).toBe(false);
  });

  it('report: all of them into the log, or those that are asked for', async () => {
    const busy = new Busy();
    await bench.run(breaker(9), throwing(boom));
    expect(bench.reported).toEqual([]);
    await bench.run(breaker(9).report(), throwing(boom));
    await bench.run(
      breaker(9).report((error) => error === busy),
      throwing(boom),
    );
    await bench.run(
      breaker(9).report((error) => error === busy),
      throwing(busy),
    );
    expect(bench.reported).toEqual([boom, busy]);
  });

  it('deleteWhen and failWhen add up, and do not count', async () => {
    const one = (): ThrottlesExceptions =>
      breaker(1)
        .deleteWhen(Gone)
        .deleteWhen((error) => (error as Error).message === 'gone too')
        .failWhen(Busy)
        .failWhen((error) => error === 'text');
    expect((await bench.run(one(), throwing(new Gone()))).intent).toEqual({ kind: 'delete' });
    expect((await bench.run(one(), throwing(new Error('gone too')))).intent).toEqual({ kind: 'delete' });
    const busy = new Busy('busy');
    expect(await bench.run(one(), throwing(busy))).toMatchObject({
      thrown: undefined,
      intent: { kind: 'fail', error: busy },
    });
    expect((await bench.run(one(), throwing('text'))).intent).toMatchObject({
      kind: 'fail',
      error: { message: 'The job threw text' },
    });
    expect((await bench.run(one(), throwing(boom))).intent).toMatchObject({ kind: 'release' });
    expect((await bench.run(one())).ran).toBe(false);
  });

  it('what ends a job by its signal is neither swallowed nor counted', async () => {
    const reason = new Error('the worker stops');
    const ended = await bench.run(breaker(1), (context) => {
      context.abort(reason);
      throw reason;
    });
    expect(ended).toMatchObject({ thrown: reason, intent: undefined });
    expect((await bench.run(breaker(1))).ran).toBe(true);
  });

  it('what the handler wanted before it threw holds', async () => {
    const { intent } = await bench.run(breaker(), (context) => {
      context.release(99);
      throw boom;
    });
    expect(intent).toMatchObject({ kind: 'release', delayMs: 99_000 });
    expect(bench.warnings).toEqual([]);
  });

  it('while the store is away the job is put off uncounted, and not run', async () => {
    bench.away = away;
    const refused = await bench.run(breaker());
    expect(refused).toMatchObject({ ran: false, thrown: undefined });
    expect(refused.intent).toEqual({ kind: 'release', delayMs: 5_000, countAttempt: false });
  });

  it('a store that goes away while the job runs: put off uncounted where it threw, done where it did not', async () => {
    bench.limits.take = () => Promise.reject(away);
    bench.limits.clear = () => Promise.reject(away);
    const threw = await bench.run(breaker().backoff(60), throwing(boom));
    expect(threw).toMatchObject({ thrown: undefined, intent: { delayMs: 60_000, countAttempt: false } });
    expect(await bench.run(breaker())).toMatchObject({ ran: true, thrown: undefined, intent: undefined });
    expect(bench.warnings).toEqual([
      expect.stringContaining('an exception could not be counted'),
      expect.stringContaining('could not be cleared'),
    ]);
  });

  it('refuses what cannot be, by class and option', () => {
    expect(() => new ThrottlesExceptions(0)).toThrow(/^ThrottlesExceptions: maxAttempts is 0/);
    expect(() => new ThrottlesExceptions(1, 0)).toThrow(/^ThrottlesExceptions: decay is 0/);
    expect(() => new ThrottlesExceptionsWithRedis(1, 'x')).toThrow(/^ThrottlesExceptionsWithRedis: decay is "x"/);
    expect(() => breaker().by('')).toThrow(/^ThrottlesExceptions\.by\(\) was given ""/);
    expect(() => breaker().backoff(-1)).toThrow(/^ThrottlesExceptions\.backoff\(\) is -1/);
    expect(() => breaker().when(true as never)).toThrow(/^ThrottlesExceptions\.when\(\) was given true/);
    expect(() => breaker().failWhen('Error' as never)).toThrow(/^ThrottlesExceptions\.failWhen\(\) was given "Error"/);
  });
});

describe('ThrottlesExceptionsWithRedis', () => {
  it('counts on a redis connection, and waits for the end of an open circuit without a reserve', async () => {
    const redis = (): ThrottlesExceptionsWithRedis => new ThrottlesExceptionsWithRedis(1, 60);
    await bench.run(redis(), throwing(boom));
    expect((await bench.run(redis().connection('other'))).intent).toMatchObject({ delayMs: 60_000 });
    expect(bench.asked).toEqual(['cache', 'other']);
  });
});
