import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Backoff,
  FailOnTimeout,
  Job,
  JobFailed,
  JobTimedOut,
  MaxExceptions,
  Queueable,
  TimeoutExceededError,
  Tries,
} from 'nestjs-queue';
import { neverAborted } from '../../../lib/support/abort.js';
import { writeMemo, type AttemptMemo } from '../../../lib/worker/attempt-memo.js';
import { behindTimeout, delayBehindTimeout, failedByTimeout } from '../../../lib/worker/past-timeout.js';
import { closeApps, openApp, STORES, type Opened } from '../../flows/open-app.js';

let runs: number[] = [];
let hooked: unknown[] = [];
let script: (job: Plain) => unknown = () => {};

@Job()
class Plain extends Queueable {
  handle() {
    runs.push(this.attempts());
    return script(this);
  }
  failed(error: Error | null) {
    hooked.push(error);
  }
}
@Job()
@Tries(3)
@Backoff('1ms')
class Thrice extends Plain {}
@Job()
@Tries(5)
@FailOnTimeout()
class Strict extends Plain {}
@Job()
@Tries(0)
@MaxExceptions(2)
class Fragile extends Plain {}
@Job()
@Tries(1)
class UntilSoon extends Plain {
  retryUntil() {
    return new Date(Date.now() + 30);
  }
}

beforeEach(() => {
  runs = [];
  hooked = [];
  script = () => {};
});
afterEach(closeApps);

describe.each(STORES)('an attempt that a watchdog ended, on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Plain, Thrice, Strict, Fragile, UntilSoon] });
  });

  /** Takes the job as a worker does, and gives it back as its watchdog does. */
  const block = async (): Promise<AttemptMemo> => {
    const driver = await at.manager.connection().queue();
    const request = { queues: ['default'], limit: 1, leaseMs: 9_000, waitMs: 1_000, signal: neverAborted };
    const [job] = await driver.reserve(request);
    const carried = JSON.parse(job!.memo ?? '{}') as AttemptMemo;
    const memo = writeMemo({ ...carried, timedOut: 1_500 });
    expect(await driver.settle([{ kind: 'release', job: job!, delayMs: 0, memo }])).toEqual([{ ok: true }]);
    return carried;
  };
  /** As a worker that dies with the job. */
  const die = async (): Promise<void> => {
    const driver = await at.manager.connection().queue();
    const request = { queues: ['default'], limit: 1, leaseMs: 1, waitMs: 1_000, signal: neverAborted };
    expect(await driver.reserve(request)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const failures = (): JobFailed[] => at.seen.filter((one): one is JobFailed => one instanceof JobFailed);

  it('and that was the last is recorded unrun, with the events of a timeout and its own number', async () => {
    await at.bus.dispatch(new Plain());
    await block();
    at.names();
    await at.drain();
    expect(runs).toEqual([]);
    expect(at.names()).toEqual([
      'JobPopped',
      'JobProcessing',
      'JobTimedOut',
      'JobFailed',
      'JobExceptionOccurred',
      'JobAttempted',
    ]);
    expect(failures()[0]!.error).toBeInstanceOf(TimeoutExceededError);
    expect(failures()[0]!.job.attempts).toBe(1);
    expect(at.seen.find((one) => one instanceof JobTimedOut)).toMatchObject({ timeout: 1.5 });
    expect(hooked).toEqual([expect.any(TimeoutExceededError)]);
    expect(await at.failed.count()).toBe(1);
  });

  it('is one of its tries', async () => {
    await at.bus.dispatch(new Thrice());
    await block();
    script = () => {
      throw new Error('always');
    };
    await at.drain({ stopWhenEmpty: false, stopWhenEmptyFor: '100ms' });
    expect(runs).toEqual([2, 3]);
    expect(failures()[0]!.error.message).toBe('always');
  });

  it('is told of once: a later failure is about what happened then', async () => {
    await at.bus.dispatch(new Thrice());
    await block();
    script = (job) => job.release();
    await at.drain({ maxJobs: 1 });
    script = (job) => job.fail('by hand');
    await at.drain();
    expect(runs).toEqual([2, 3]);
    expect(at.seen.some((one) => one instanceof JobTimedOut)).toBe(false);
    expect(failures()[0]!.error.message).toBe('by hand');
  });

  it('and one whose worker died count apart', async () => {
    await at.bus.dispatch(new Plain());
    await die();
    await block();
    await die();
    await at.drain({ stopWhenEmptyFor: '50ms' });
    expect(runs).toEqual([]);
    expect(failures()[0]!.error).toBeInstanceOf(TimeoutExceededError);

    await at.bus.dispatch(new Thrice());
    await block();
    await die();
    await at.drain({ stopWhenEmptyFor: '50ms' });
    expect(runs).toEqual([3]);
    expect(failures()).toHaveLength(1);
  });

  it('fails a job that is to fail on a timeout, whatever its tries', async () => {
    await at.bus.dispatch(new Strict());
    await block();
    await at.drain();
    expect(runs).toEqual([]);
    expect(failures()[0]!.error).toBeInstanceOf(TimeoutExceededError);
  });

  it('counts for maxExceptions', async () => {
    await at.bus.dispatch(new Fragile());
    await block();
    script = (job) => job.release();
    await at.drain({ maxJobs: 1 });
    expect(runs).toEqual([2]);
    expect(await block()).toEqual({ exceptions: 1 });
    await at.drain();
    expect(runs).toEqual([2]);
    expect(failures()[0]!.error).toBeInstanceOf(TimeoutExceededError);
  });

  it('past its retryUntil was the last', async () => {
    await at.bus.dispatch(new UntilSoon());
    await block();
    await new Promise((resolve) => setTimeout(resolve, 40));
    await at.drain();
    expect(runs).toEqual([]);
    expect(failures()[0]!.error).toBeInstanceOf(TimeoutExceededError);
  });

  it('is still known after a worker that had to hand the next try on', async () => {
    await at.bus.dispatch(new Thrice());
    await block();
    script = () => new Promise(() => {});
    const working = at.workers.work();
    while (runs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await at.workers.force();
    await working;
    script = () => {};
    await at.drain();
    expect(runs).toEqual([2, 2]);
    expect(failures()).toEqual([]);
  });
});

describe('the account of a past timeout', () => {
  const limits = { displayName: 'Job', tries: 2, backoff: [100, 200], failOnTimeout: false, maxStalls: 3 };
  const job = (attempts: number, stalls = 0) => ({ attempts, stalls }) as Parameters<typeof failedByTimeout>[0];

  it.each([
    // attempts with this pick-up, stalls, limits, failed
    [2, 0, { tries: 1 }, true],
    [2, 0, {}, false],
    [3, 0, {}, true],
    [3, 1, {}, false],
    [9, 0, { tries: 0 }, false],
    [2, 0, { failOnTimeout: true }, true],
    [2, 0, { maxExceptions: 1 }, true],
    [9, 0, { retryUntil: 1_001 }, false],
    [2, 0, { retryUntil: 1_000 }, true],
  ])('pick-up %p with %p stalls and %p: failed %p', (attempts, stalls, more, failed) => {
    const found = failedByTimeout(job(attempts, stalls), { timedOut: 5 }, { ...limits, ...more }, 1_000);
    expect(found instanceof TimeoutExceededError).toBe(failed);
  });

  it('is none where nothing timed out, or the job has failed already', () => {
    expect(failedByTimeout(job(9), {}, limits, 0)).toBeUndefined();
    const failing = { name: 'Error', message: 'x' };
    expect(failedByTimeout(job(9), { timedOut: 5, failing }, limits, 0)).toBeUndefined();
  });

  it('is an exception where those are counted', () => {
    expect(behindTimeout({ timedOut: 5, exceptions: 1 }, { ...limits, maxExceptions: 9 })).toEqual({ exceptions: 2 });
    expect(behindTimeout({ timedOut: 5, unknown: 1 }, limits)).toEqual({ unknown: 1 });
    expect(behindTimeout({ exceptions: 1 }, { ...limits, maxExceptions: 9 })).toEqual({ exceptions: 1 });
  });

  it('is put off by the backoff where a try is left, and not at all where it is only recorded', () => {
    expect(delayBehindTimeout(job(1), {}, limits, 0)).toBe(100);
    expect(delayBehindTimeout(job(2), {}, limits, 0)).toBe(0);
    expect(delayBehindTimeout(job(2, 1), {}, limits, 0)).toBe(100);
    expect(delayBehindTimeout(job(1), {}, { ...limits, failOnTimeout: true }, 0)).toBe(0);
    expect(delayBehindTimeout(job(1), {}, { ...limits, retryUntil: 50 }, 60)).toBe(0);
    expect(delayBehindTimeout(job(1), { exceptions: 1 }, { ...limits, maxExceptions: 2 }, 0)).toBe(0);
  });
});
