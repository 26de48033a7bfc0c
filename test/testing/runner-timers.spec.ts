import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Job, Queueable, Tries } from 'nestjs-queue';
import { drain, FakeClock, runJob } from 'nestjs-queue/testing';
import { closeModules, moduleOn, STORES } from './drain-module.js';

@Job()
@Tries(2)
class Pull extends Queueable {
  handle(): void {
    if (this.attempts() === 1) this.release('1h');
  }
}

describe.each(STORES)("with the timers of the test runner's own held still, on %s", (store) => {
  // A driver's packages are loaded at its first use, which Jest itself cannot do without microtasks.
  beforeEach(async () => {
    const { bus } = await moduleOn(store, [Pull]);
    await bus.dispatch(new Pull());
    jest.useFakeTimers();
  });
  afterEach(async () => {
    jest.useRealTimers();
    await closeModules();
  });

  it('a dispatch is stored, and runJob and drain come to their end', async () => {
    const { moduleRef, bus } = await moduleOn(store, [Pull]);
    await bus.dispatch(new Pull()).delay('10m');
    await bus.bulk([new Pull(), new Pull()]);
    void bus.dispatch(new Pull());
    expect(await runJob(moduleRef, new Pull())).toEqual({ outcome: 'retry', delay: 3600 });
    const attempts = await drain(moduleRef, { clock: new FakeClock() });
    expect(attempts.map(({ attempts: pickUp, outcome }) => `${pickUp} ${outcome}`)).toEqual([
      '1 retry',
      '1 retry',
      '1 retry',
      '1 retry',
      '2 done',
      '2 done',
      '2 done',
      '2 done',
    ]);
  });
});
