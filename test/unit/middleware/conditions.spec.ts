import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JobContext } from '../../../lib/contracts/job-context.js';
import { FailOnException } from '../../../lib/middleware/fail-on-exception.js';
import { Release } from '../../../lib/middleware/release.js';
import { Skip } from '../../../lib/middleware/skip.js';
import { SkipIfBatchCancelled } from '../../../lib/middleware/skip-if-batch-cancelled.js';
import { Bench, throwing } from './attempt-harness.js';

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
class Bad extends Error {}
class Worse extends Bad {}

describe('Skip and Release', () => {
  it.each([
    ['Skip.when(true)', Skip.when(true), false],
    ['Skip.when(false)', Skip.when(false), true],
    ['Skip.unless(true)', Skip.unless(true), true],
    ['Skip.unless(false)', Skip.unless(false), false],
    ['Skip.when(fn)', Skip.when((job: { on: boolean }) => job.on), false],
    ['Skip.unless(fn)', Skip.unless((job: { on: boolean }) => job.on), true],
  ])('%s', async (_name, middleware, ran) => {
    expect(await bench.run(middleware, undefined, undefined, { on: true })).toMatchObject({ ran, intent: undefined });
  });

  it.each([
    ['Release.when(true, 5)', Release.when(true, 5), 5_000],
    ['Release.when(true)', Release.when(true), 0],
    ['Release.when(false)', Release.when(false, 5), undefined],
    ["Release.unless(false, '1m')", Release.unless(false, '1m'), 60_000],
    ['Release.unless(true)', Release.unless(true), undefined],
    ['Release.when(fn)', Release.when((job: { on: boolean }) => job.on, 7), 7_000],
  ])('%s', async (_name, middleware, delayMs) => {
    const { ran, intent } = await bench.run(middleware, undefined, undefined, { on: true });
    expect(ran).toBe(delayMs === undefined);
    expect(intent).toEqual(delayMs === undefined ? undefined : { kind: 'release', delayMs });
  });

  it('are asked when the job runs, each time', async () => {
    let on = false;
    const skip = Skip.when(() => on);
    expect((await bench.run(skip)).ran).toBe(true);
    on = true;
    expect((await bench.run(skip)).ran).toBe(false);
    expect((await bench.run(Skip.when((async () => false) as never))).ran).toBe(true);
  });

  it('refuse what cannot be', () => {
    expect(() => Skip.when(undefined as never)).toThrow(/^Skip\.when\(\) was given undefined/);
    expect(() => Release.unless(0 as never)).toThrow(/^Release\.unless\(\) was given 0/);
    expect(() => Release.when(true, 'soon')).toThrow(/^Release\.when\(\): delay is "soon"/);
  });

  it('work with a context of a test of one’s own', async () => {
    const released: unknown[] = [];
    const context = { release: (delay: unknown) => void released.push(delay) } as unknown as JobContext;
    await Release.when(true, 5).handle({}, async () => {}, context);
    expect(released).toEqual([5]);
  });
});

describe('SkipIfBatchCancelled', () => {
  it('runs outside a batch and in a live one, not in one that was cancelled', async () => {
    const inBatch = () => bench.attempt({}, { batchId: 'b' });
    expect((await bench.run(new SkipIfBatchCancelled())).ran).toBe(true);
    bench.batch = { cancelled: () => false };
    expect((await bench.run(new SkipIfBatchCancelled(), undefined, inBatch())).ran).toBe(true);
    bench.batch = { cancelled: () => true };
    expect(await bench.run(new SkipIfBatchCancelled(), undefined, inBatch())).toMatchObject({
      ran: false,
      intent: undefined,
    });
    bench.batch = null;
    expect((await bench.run(new SkipIfBatchCancelled(), undefined, inBatch())).ran).toBe(true);
  });
});

describe('FailOnException', () => {
  it('fails the job at one of its classes, and lets the exception leave', async () => {
    const worse = new Worse('worse');
    expect(await bench.run(new FailOnException([Bad]), throwing(worse))).toMatchObject({
      thrown: worse,
      intent: { kind: 'fail', error: worse },
    });
    const other = new TypeError('other');
    expect(await bench.run(new FailOnException([Bad]), throwing(other))).toMatchObject({
      thrown: other,
      intent: undefined,
    });
  });

  it('asks a function of error and job, which must answer true', async () => {
    const error = new Error('boom');
    const asked: unknown[] = [];
    const job = { name: 'job' };
    const one = new FailOnException((...given) => {
      asked.push(...given);
      return true;
    });
    expect((await bench.run(one, throwing(error), undefined, job)).intent).toMatchObject({ kind: 'fail', error });
    expect(asked).toEqual([error, job]);
    const truthy = new FailOnException((() => 1) as never);
    expect((await bench.run(truthy, throwing(error))).intent).toBeUndefined();
  });

  it('does not fail a job that its worker ends; one that has timed out it does', async () => {
    const ending = (code: string) =>
      bench.run(new FailOnException([Error]), (context) => {
        context.abort(Object.assign(new Error('ended'), { code }));
        throw context.abortReason;
      });
    expect((await ending('ERR_QUEUE_WORKER_STOPPING')).intent).toBeUndefined();
    expect((await ending('ERR_QUEUE_TIMEOUT_EXCEEDED')).intent).toMatchObject({ kind: 'fail' });
  });

  it('refuses what cannot be', () => {
    expect(() => new FailOnException('Error' as never)).toThrow(/^FailOnException was given "Error"/);
    expect(() => new FailOnException([Date as never])).toThrow(/^FailOnException was given the function Date/);
  });
});
