import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KillPoint } from '../../fixtures/processes/chain-jobs.js';
import type { Wish } from '../../fixtures/processes/chain-producer.js';
import { Site, SITE_STORES } from './site.js';

/** Between which two steps its worker is killed, and the pick-ups in which the handler of the job runs. */
const POINTS: readonly (readonly [string, KillPoint, readonly number[]])[] = [
  ['has taken the job and not begun it: it runs once, at the next pick-up', 'after-claim', [2]],
  ['has run the job and not handed it in: it runs again', 'before-settle', [1, 2]],
  ['has handed the job in and not heard the answer: it does not run again', 'after-settle', [1]],
];

let site: Site;
let on = false;

describe.each(SITE_STORES)('on %s, a worker that is killed when it', (store) => {
  beforeEach(async () => {
    site = await Site.open({}, store);
  }, 60_000);
  afterEach(async () => {
    on = false;
    await site.close();
  });

  it.each(POINTS)(
    '%s, and what follows it runs once',
    async (_, dies, attempts) => {
      const steps: readonly Wish[] = [
        ['first', 'site', { dies }],
        ['second', 'site', {}],
        ['third', 'site', {}],
      ];
      const producer = site.start('chain-producer', 'producer');
      await producer.message();
      producer.send([{ steps, caught: ['caught', 'site', {}] }] as never);
      await producer.message();
      on = true;
      void keep();
      const started = (label: string) => site.lines('start').filter(({ info }) => info === label);
      await site.until('the last step', () => started('third').length > 0);
      await site.until('an empty queue', async () => (await site.left()).jobs === 0);
      // What was enqueued twice would be running by now.
      await new Promise((resolve) => setTimeout(resolve, 500));

      expect(site.lines('dies')).toHaveLength(1);
      expect(started('first').map(({ attempt }) => attempt)).toEqual(attempts);
      for (const label of ['second', 'third']) expect([label, started(label).length]).toEqual([label, 1]);
      expect(started('caught')).toEqual([]);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    },
    60_000,
  );
});

/** Keeps a worker up, as a process manager does. */
async function keep(): Promise<void> {
  while (on) await site.start('chain-worker', 'worker', ['site', '-q', '--sleep=100ms']).ended;
}
