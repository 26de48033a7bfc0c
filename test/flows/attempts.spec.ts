import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Backoff,
  Job,
  JobFailed,
  JobReleasedAfterException,
  JobStalledError,
  MaxAttemptsExceededError,
  MaxExceptions,
  Queueable,
  Tries,
} from 'nestjs-queue';
import { neverAborted } from '../../lib/support/abort.js';
import { closeApps, openApp, sleep, STORES, type Opened } from './open-app.js';

let runs: number[] = [];
let script: (job: Plain) => unknown = () => {};

@Job()
class Plain extends Queueable {
  handle() {
    runs.push(this.attempts());
    return script(this);
  }
}
@Job()
@Tries(4)
@Backoff('10ms', '20ms')
class Listed extends Plain {}
@Job()
@Tries(0)
@Backoff('1ms')
class Endless extends Plain {}
@Job()
@Tries(0)
@MaxExceptions(2)
class Fragile extends Plain {}
@Job()
@Tries(1)
class UntilSoon extends Plain {
  retryUntil() {
    return new Date(Date.now() + 150);
  }
}
const JOBS = [Plain, Listed, Endless, Fragile, UntilSoon];

beforeEach(() => {
  runs = [];
  script = () => {};
});
afterEach(closeApps);

describe.each(STORES)('attempts on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: JOBS, retryAfter: '1s' });
  });
  const failures = (): JobFailed[] => at.seen.filter((one): one is JobFailed => one instanceof JobFailed);
  const always = (): never => {
    throw new Error('always');
  };
  const whole = (more = {}) => at.workers.work({ stopWhenEmptyFor: '120ms', sleep: '30ms', ...more });

  it('follows the list of delays, the last of which holds on', async () => {
    script = always;
    await at.bus.dispatch(new Listed());
    await whole();
    expect(runs).toEqual([1, 2, 3, 4]);
    const delays = at.seen.filter((one) => one instanceof JobReleasedAfterException).map((one) => one.backoff);
    expect(delays).toEqual([0.01, 0.02, 0.02]);
    expect(failures()).toHaveLength(1);
  });

  it("takes the worker's tries and delays for jobs that do not say", async () => {
    script = always;
    await at.bus.dispatch(new Plain());
    await whole({ tries: 3, backoff: ['5ms', '6ms'] });
    expect(runs).toEqual([1, 2, 3]);
    const delays = at.seen.filter((one) => one instanceof JobReleasedAfterException).map((one) => one.backoff);
    expect(delays).toEqual([0.005, 0.006]);
  });

  it('a job that says tries 0 is tried for ever, whatever the worker says', async () => {
    script = (job) => job.attempts() < 6 && always();
    await at.bus.dispatch(new Endless());
    await whole({ tries: 2 });
    expect(runs).toEqual([1, 2, 3, 4, 5, 6]);
    expect(failures()).toEqual([]);
  });

  it('a delayed dispatch is not a backoff', async () => {
    script = (job) => job.attempts() === 1 && always();
    await at.bus.dispatch(new Plain()).delay('40ms');
    const before = Date.now();
    await whole({ tries: 2, stopWhenEmptyFor: '100ms' });
    expect(runs).toEqual([1, 2]);
    expect(at.seen.find((one) => one instanceof JobReleasedAfterException)).toMatchObject({ backoff: 0 });
    expect(Date.now() - before).toBeLessThan(1_500);
  });

  it('exceptions are counted over all attempts, releases by hand are not', async () => {
    script = (job) => (job.attempts() % 2 === 1 ? job.release() : always());
    await at.bus.dispatch(new Fragile());
    await whole();
    expect(runs).toEqual([1, 2, 3, 4]);
    expect(failures()).toHaveLength(1);
    expect(failures()[0]!.error.message).toBe('always');
  });

  it('the count of exceptions starts anew with a retry of the failed job', async () => {
    script = always;
    const receipt = await at.bus.dispatch(new Fragile());
    await whole();
    expect(runs).toEqual([1, 2]);
    expect(await at.failed.retry(receipt!.id)).toBe(true);
    await whole();
    expect(runs).toEqual([1, 2, 1, 2]);
  });

  it('retryUntil takes the place of tries', async () => {
    script = (job) => {
      if (job.attempts() < 3) always();
    };
    await at.bus.dispatch(new UntilSoon());
    await whole();
    expect(runs).toEqual([1, 2, 3]);
    expect(failures()).toEqual([]);
  });

  it('past retryUntil an exception is the last', async () => {
    script = async () => {
      await sleep(200);
      always();
    };
    await at.bus.dispatch(new UntilSoon());
    await whole();
    expect(runs).toEqual([1]);
    expect(failures()[0]!.error.message).toBe('always');
  });

  it('a retryUntil that has passed on pick-up fails the job unrun', async () => {
    await at.bus.dispatch(Object.assign(new Plain(), { retryUntil: new Date(Date.now() - 1_000) }));
    await whole();
    expect(runs).toEqual([]);
    expect(failures()[0]!.error).toBeInstanceOf(MaxAttemptsExceededError);
  });

  it('a release on the only try is found out on the next pick-up', async () => {
    script = (job) => job.release();
    await at.bus.dispatch(new Plain());
    await whole();
    expect(runs).toEqual([1]);
    expect(failures()[0]!.error).toBeInstanceOf(MaxAttemptsExceededError);
  });

  it('a throw on the last try beats a release before it; with tries left the release holds', async () => {
    script = (job) => {
      job.release('10ms');
      always();
    };
    await at.bus.dispatch(new Plain());
    await whole({ tries: 2 });
    expect(runs).toEqual([1, 2]);
    expect(failures()[0]!.error.message).toBe('always');
    expect(at.seen.some((one) => one instanceof JobReleasedAfterException)).toBe(false);
  });

  /** Reserves everything as a worker would that dies before it is done. */
  const die = async (): Promise<void> => {
    const driver = await at.manager.connection().queue();
    const jobs = await driver.reserve({
      queues: ['default'],
      limit: 9,
      leaseMs: 1,
      waitMs: 1_000,
      signal: neverAborted,
    });
    expect(jobs).toHaveLength(1);
    await sleep(10);
  };

  it('a job with one try whose worker died runs again', async () => {
    await at.bus.dispatch(new Plain());
    await die();
    await at.workers.runNextJob({ sleep: 1 });
    expect(runs).toEqual([2]);
    expect(failures()).toEqual([]);
  });

  it('maxStalls 0 fails it instead, unrun', async () => {
    await at.bus.dispatch(new Plain());
    await die();
    await at.workers.runNextJob({ sleep: 1, maxStalls: 0 });
    expect(runs).toEqual([]);
    expect(failures()[0]!.error).toBeInstanceOf(JobStalledError);
    expect(await at.failed.count()).toBe(1);
  });

  it('three deaths are forgiven, the fourth is not, also with tries 0', async () => {
    await at.bus.dispatch(new Endless());
    for (let deaths = 0; deaths < 3; deaths += 1) await die();
    script = (job) => job.release();
    await at.workers.runNextJob({ sleep: 1 });
    expect(runs).toEqual([4]);
    await die();
    await at.workers.runNextJob({ sleep: 1 });
    expect(runs).toEqual([4]);
    expect(failures()[0]!.error).toBeInstanceOf(JobStalledError);
    expect(failures()[0]!.error.message).toContain('4 times');
  });
});
