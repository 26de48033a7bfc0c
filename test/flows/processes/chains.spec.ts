import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Fate, KillPoint } from '../../fixtures/processes/chain-jobs.js';
import type { Wish } from '../../fixtures/processes/chain-producer.js';
import { Site, LEFT_OUT_OF_SWEEPS, SWEPT_STORES } from './site.js';

/** A chain that changes its store twice. */
const WAY = ['site', 'site', 'other', 'other', 'site'] as const;
const POINTS: readonly KillPoint[] = ['start', 'before-settle', 'after-settle'];
/** Its worker is killed, and so another one runs it again; after the settlement there is nothing to run again. */
const AGAIN: Partial<Record<KillPoint, number>> = { start: 1, 'before-settle': 1, 'after-settle': 0 };

let site: Site;
let on = false;
if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

describe.each(SWEPT_STORES)('on %s', (store) => {
  beforeEach(async () => {
    site = await Site.open({}, store);
  }, 60_000);
  afterEach(async () => {
    on = false;
    await site.close();
  });

  it('a chain goes on whatever its workers die of, and each of its jobs is enqueued once', async () => {
    const chains: { steps: Wish[]; caught: Wish }[] = [];
    const expected = new Map<string, number>();
    const plan = (name: string, length: number, fates: ReadonlyMap<number, Fate>, dyingCallback?: KillPoint): void => {
      const steps = WAY.map((connection, k): Wish => [`${name} ${k}`, connection, fates.get(k) ?? {}]);
      const caught: Wish = [`${name} caught`, 'other', dyingCallback ? { dies: dyingCallback } : {}];
      chains.push({ steps, caught });
      for (const [label, , { dies }] of steps.slice(0, length)) expected.set(label, 1 + (dies ? AGAIN[dies]! : 0));
      if (length < WAY.length) expected.set(caught[0], 1 + (dyingCallback ? AGAIN[dyingCallback]! : 0));
    };
    for (const dies of POINTS) {
      for (let k = 0; k < WAY.length; k += 1) plan(`${dies} ${k}`, WAY.length, new Map([[k, { dies }]]));
      // A step that has failed for good, here and there; its callback is always on the other connection.
      plan(`${dies} broken`, 2, new Map([[1, { dies, breaks: true }]]));
      plan(`${dies} broken there`, 3, new Map([[2, { dies, breaks: true }]]), dies);
    }
    const producer = site.start('chain-producer', 'producer');
    await producer.message();
    producer.send(chains as never);
    await producer.message();
    on = true;
    for (const connection of ['site', 'other']) void keep(connection);
    await site.until(
      'every job started',
      (lines) => {
        const labels = new Set(lines.filter(({ what }) => what === 'start').map(({ info }) => info));
        return [...expected.keys()].every((label) => labels.has(label));
      },
      240_000,
    );
    await site.until('an empty queue', async () => (await site.left()).jobs === 0, 60_000);
    // What was enqueued twice would be running by now.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    on = false;

    const starts = site.lines('start');
    const attempts = new Map<string, number[]>();
    for (const { info, attempt } of starts)
      attempts.set(info as string, [...(attempts.get(info as string) ?? []), attempt!]);
    expect([...attempts.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
    // A job that was enqueued again would begin with its first attempt again. One that its worker was about to settle when a neighbour
    // killed them both runs again, and goes on counting.
    const anew = [...attempts].filter(([, all]) => all.some((one, at) => at > 0 && one <= all[at - 1]!));
    expect(anew).toEqual([]);
    for (const [label, count] of expected) expect([label, attempts.get(label)!.length >= count]).toEqual([label, true]);
    const done = site.lines('processed').map(({ id }) => id);
    expect(done).toHaveLength(new Set(done).size);
    expect(site.lines('dies')).toHaveLength(POINTS.length * (WAY.length + 3));
    expect(await site.left()).toEqual({ jobs: 0, failed: POINTS.length * 2 });
    for (const { steps } of chains) {
      const first = steps.map(([label]) => starts.findIndex(({ info }) => info === label)).filter((at) => at >= 0);
      expect(first).toEqual(first.toSorted((a, b) => a - b));
    }
  }, 360_000);
});

/** Keeps a worker up on a connection, as a process manager does. */
async function keep(connection: string): Promise<void> {
  while (on) {
    const worker = site.start('chain-worker', `worker of ${connection}`, [
      connection,
      '-q',
      '--sleep=100ms',
      '--max-stalls=100',
    ]);
    await worker.ended;
  }
}
