import { describe, expect, it } from '@jest/globals';
import type { FittedDriver } from '../../../lib/connections/fit-driver.js';
import type { ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { neverAborted } from '../../../lib/support/abort.js';
import { systemClock } from '../../../lib/support/clock.js';
import { deferred } from '../../../lib/support/deferred.js';
import { Intake } from '../../../lib/worker/intake.js';
import { Settler } from '../../../lib/worker/settler.js';

function intakeOf(answer: Promise<readonly ReservedJob[]>, arrived: (jobs: readonly ReservedJob[]) => void = () => {}) {
  const driver = {
    exchange: () => answer.then((jobs) => ({ settled: [], jobs })),
    reserve: () => Promise.resolve([]),
  } as unknown as FittedDriver;
  const settler = new Settler(driver, systemClock, () => {}, neverAborted);
  const changed = deferred();
  const intake = new Intake(driver, settler, 1_000, { slots: 1, popping() {}, arrived, changed: changed.resolve });
  return { intake, changed: changed.promise };
}

describe('an exchange that nobody waits for', () => {
  it('tells the next look of what its jobs came to', async () => {
    const { intake, changed } = intakeOf(Promise.resolve([]), () => {
      throw new Error('no slot');
    });
    intake.begin(['default'], 1);
    await changed;
    expect(intake.asked).toBe(0);
    await expect(intake.take(['default'], 1, 0)).rejects.toThrow('no slot');
    expect(await intake.take(['default'], 1, 0)).toEqual({ jobs: [], waited: true });
  });

  it('is waited for before the end, but not by whoever is forced', async () => {
    const answer = deferred<readonly ReservedJob[]>();
    const { intake } = intakeOf(answer.promise);
    intake.begin(['default'], 1);
    const forced = new AbortController();
    let isQuiet = false;
    const patient = intake.quiet(neverAborted).then(() => (isQuiet = true));
    const hurried = intake.quiet(forced.signal);
    forced.abort();
    await hurried;
    await intake.quiet(forced.signal);
    expect(isQuiet).toBe(false);
    answer.resolve([]);
    await patient;
    await intake.quiet(neverAborted);
  });
});
