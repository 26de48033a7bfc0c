import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import { OverlapLockLostError, WithoutOverlapping } from '../../../lib/middleware/without-overlapping.js';
import { Bench, LEASE_MS, throwing, type Ran } from './attempt-harness.js';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

/** Runs until told to end. */
function holding(middleware: WithoutOverlapping, context = bench.attempt({ id: 'holder' })) {
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const run = bench.run(middleware, () => ended, context);
  return { context, end: (): Promise<Ran> => (end(), run) };
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const away = new StoreUnreachableError('redis', 'redis at host:1', new Error('ECONNREFUSED'));

describe('WithoutOverlapping', () => {
  it('lets one run at a time; the next is released at once, or as told', async () => {
    const first = holding(new WithoutOverlapping('a'));
    await settle();
    expect(await bench.run(new WithoutOverlapping('a'))).toMatchObject({
      ran: false,
      intent: { kind: 'release', delayMs: 0 },
    });
    expect((await bench.run(new WithoutOverlapping('a').releaseAfter('1m'))).intent).toMatchObject({ delayMs: 60_000 });
    expect((await bench.run(new WithoutOverlapping('a').dontRelease())).intent).toBeUndefined();
    expect((await first.end()).ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(true);
  });

  it.each([
    ['a worker', 'token'],
    ['nobody, in this process', ''],
  ])('twice on one job, which %s holds, asks for one lock and does not wait for itself', async (_who, token) => {
    const context = bench.attempt({ token });
    const inner = new WithoutOverlapping();
    let ran = false;
    const both = await bench.run(
      new WithoutOverlapping(),
      () => inner.handle({}, async () => void (ran = true), context),
      context,
    );
    expect(both).toMatchObject({ intent: undefined, thrown: undefined });
    expect(ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping(), undefined, bench.attempt({ id: 'next' }))).ran).toBe(true);
  });

  it('gives the lock back when the handler throws', async () => {
    const error = new Error('boom');
    expect((await bench.run(new WithoutOverlapping(), throwing(error))).thrown).toBe(error);
    expect((await bench.run(new WithoutOverlapping())).ran).toBe(true);
  });

  it('keeps keys and classes apart; shared() does not look at the class', async () => {
    const of = (displayName: string) => bench.attempt({ id: displayName }, { displayName });
    const first = holding(new WithoutOverlapping('b:c'), of('A'));
    const shared = holding(new WithoutOverlapping('k').shared(), of('A'));
    await settle();
    expect((await bench.run(new WithoutOverlapping('d'), undefined, of('A'))).ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping('b:c'), undefined, of('B'))).ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping('c'), undefined, of('A:b'))).ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping('k'), undefined, of('B'))).ran).toBe(true);
    expect((await bench.run(new WithoutOverlapping('k').shared(), undefined, of('B'))).ran).toBe(false);
    expect((await bench.run(new WithoutOverlapping('k').shared().withPrefix('p:'), undefined, of('B'))).ran).toBe(true);
    await first.end();
    await shared.end();
  });

  it('renews the lock every third of the lease while the job runs, and lets it run out with its worker', async () => {
    const holder = holding(new WithoutOverlapping('a'));
    await settle();
    await bench.clock.advance(LEASE_MS / 1_000 + 5);
    expect(bench.locks.holder('queue-overlap:Send:a')).toBe('holder:token-1');
    await holder.end();
    expect(bench.locks.holder('queue-overlap:Send:a')).toBeUndefined();
    // Of one that died nothing is left but its lock.
    bench.locks.take('queue-overlap:Send:a', 'dead:token-9', LEASE_MS);
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(false);
    await bench.clock.advance(LEASE_MS / 1_000);
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(true);
  });

  it('with expireAfter the lock ends then, and is not renewed', async () => {
    const holder = holding(new WithoutOverlapping('a').expireAfter('10m'));
    await settle();
    await bench.clock.advance(599);
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(false);
    await bench.clock.advance(1);
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(true);
    expect(holder.context.abortReason).toBeUndefined();
    await holder.end();
    // A Date that has passed by the time the job runs would be no lock at all.
    for (const ttl of [0, new Date(0)]) {
      const other = holding(new WithoutOverlapping('b').expireAfter(ttl));
      await settle();
      await bench.clock.advance(100);
      expect((await bench.run(new WithoutOverlapping('b'))).ran).toBe(false);
      await other.end();
    }
  });

  it('a zombie does not free the lock of the attempt after it', async () => {
    const zombie = holding(new WithoutOverlapping('a').expireAfter(1), bench.attempt({ id: 'same' }));
    await settle();
    await bench.clock.advance(1);
    const next = holding(new WithoutOverlapping('a'), bench.attempt({ id: 'same', attempts: 2 }));
    await settle();
    await zombie.end();
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(false);
    await next.end();
  });

  it('a job that meets the remains of an attempt of its own is put off, and loses nothing by it', async () => {
    bench.locks.take('queue-overlap:Send:a', 'same:dead-token', LEASE_MS);
    for (const one of [new WithoutOverlapping('a'), new WithoutOverlapping('a').dontRelease()]) {
      const met = await bench.run(one, undefined, bench.attempt({ id: 'same', attempts: 2 }));
      expect(met).toMatchObject({ ran: false, intent: { kind: 'release', delayMs: 1_000, countAttempt: false } });
    }
  });

  it('the signal aborts when somebody else has the lock', async () => {
    const holder = holding(new WithoutOverlapping('a'));
    await settle();
    await bench.locks.replace('queue-overlap:Send:a', 'other', LEASE_MS);
    await bench.clock.advance(LEASE_MS / 3_000);
    expect(holder.context.abortReason).toBeInstanceOf(OverlapLockLostError);
    expect(holder.context.signal.aborted).toBe(true);
    await holder.end();
    expect(bench.locks.holder('queue-overlap:Send:a')).toBe('other');
  });

  it('the signal aborts when no extension has come through for nine tenths of the lease', async () => {
    const holder = holding(new WithoutOverlapping('a'));
    await settle();
    const extend = bench.locks.extend.bind(bench.locks);
    bench.locks.extend = () => Promise.reject(away);
    await bench.clock.advance(LEASE_MS * 0.0009 - 0.1);
    expect(holder.context.abortReason).toBeUndefined();
    await bench.clock.advance(0.2);
    expect(holder.context.abortReason).toBeInstanceOf(OverlapLockLostError);
    await holder.end();
    expect(bench.warnings.some((line) => line.includes('could not be extended'))).toBe(true);

    // One that comes through in time starts the count anew.
    bench.locks.extend = extend;
    const second = holding(new WithoutOverlapping('b'));
    await settle();
    bench.locks.extend = () => Promise.reject(away);
    await bench.clock.advance(15);
    bench.locks.extend = extend;
    await bench.clock.advance(60);
    expect(second.context.abortReason).toBeUndefined();
    await second.end();
  });

  it('an answer that never comes counts as none', async () => {
    bench.locks.extend = () => new Promise(() => {});
    const holder = holding(new WithoutOverlapping('a'));
    await settle();
    await bench.clock.advance(28);
    expect(holder.context.abortReason).toBeInstanceOf(OverlapLockLostError);
    await holder.end();
  });

  it('while the store is away the job is put off uncounted, and not run', async () => {
    bench.away = away;
    const refused = await bench.run(new WithoutOverlapping('a'));
    expect(refused).toMatchObject({ ran: false, thrown: undefined });
    expect(refused.intent).toEqual({ kind: 'release', delayMs: 5_000, countAttempt: false });
    const here = await bench.run(new WithoutOverlapping('a'), undefined, bench.attempt({ token: '' }));
    expect(here).toMatchObject({ ran: false, thrown: away });
  });

  it('a lock whose answer was lost is not left behind', async () => {
    const acquire = bench.locks.acquire.bind(bench.locks);
    bench.locks.acquire = async (...lock) => {
      await acquire(...lock);
      throw away;
    };
    expect((await bench.run(new WithoutOverlapping('a'))).ran).toBe(false);
    await settle();
    expect(bench.locks.holder('queue-overlap:Send:a')).toBeUndefined();
  });

  it('a job that is done stays so when its lock cannot be given back', async () => {
    bench.locks.release = () => Promise.reject(away);
    expect(await bench.run(new WithoutOverlapping('a'))).toMatchObject({ ran: true, thrown: undefined });
    expect(bench.warnings).toEqual([expect.stringContaining('could not be released and lasts for up to 30 s')]);
  });

  it('one instance serves many attempts at once', async () => {
    const one = new WithoutOverlapping('a');
    const runs = await Promise.all([1, 2, 3].map((n) => bench.run(one, settle, bench.attempt({ id: `job-${n}` }))));
    expect(runs.filter(({ ran }) => ran)).toHaveLength(1);
    expect((await bench.run(one)).ran).toBe(true);
  });

  it('in-process runs do not let each other in either', async () => {
    const first = holding(new WithoutOverlapping('a'), bench.attempt({ id: 'one', token: '' }));
    await settle();
    const second = await bench.run(new WithoutOverlapping('a'), undefined, bench.attempt({ id: 'two', token: '' }));
    expect(second.ran).toBe(false);
    await first.end();
  });

  it('refuses what cannot be: an id that is missing would lock the whole class', () => {
    expect(() => new WithoutOverlapping(undefined)).toThrow(/^WithoutOverlapping was given undefined/);
    expect(() => new WithoutOverlapping(Number.NaN)).toThrow(/^WithoutOverlapping was given NaN/);
    expect(() => new WithoutOverlapping({} as never)).toThrow(/^WithoutOverlapping was given/);
    expect(() => new WithoutOverlapping().releaseAfter(-1)).toThrow(/^WithoutOverlapping\.releaseAfter\(\) is -1/);
    expect(() => new WithoutOverlapping().expireAfter(new Date(Number.NaN))).toThrow(
      /expireAfter\(\) is an invalid Date/,
    );
    expect(() => new WithoutOverlapping().withPrefix(1 as never)).toThrow(/withPrefix\(\) was given 1/);
  });
});
