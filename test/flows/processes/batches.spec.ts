import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Stands, WishedBatch } from '../../fixtures/processes/batch-producer.js';
import type { KillPoint } from '../../fixtures/processes/chain-jobs.js';
import type { Wish } from '../../fixtures/processes/chain-producer.js';
import { Site, LEFT_OUT_OF_SWEEPS, SWEPT_STORES } from './site.js';

const POINTS: readonly KillPoint[] = ['start', 'before-settle', 'after-settle'];
/** After the settlement there is nothing to run again. */
const AGAIN: Partial<Record<KillPoint, number>> = { start: 1, 'before-settle': 1 };
/** Where a worker dies: a step of the chain, a member on the store of the ledger, one elsewhere, and callbacks here and there. */
const VICTIMS = ['c0', 'c2', 'c4', 'm1', 'm3', 'then', 'finally'] as const;
/** What is sent to another store than that of the job in front, or when the last member has been counted. */
const SENT = ['c2', 'c3', 'then', 'finally'] as const;
const DEATHS: readonly (readonly [dies: KillPoint, victim: string])[] = [
  ...POINTS.flatMap((dies) => VICTIMS.map((victim) => [dies, victim] as const)),
  ...(['before-push', 'after-push'] as const).flatMap((dies) => SENT.map((victim) => [dies, victim] as const)),
];
/** A third of them on each store, so that each is died somewhere; with `SWEEP=full` all on all. */
const deathsOn = (store: (typeof SWEPT_STORES)[number]) =>
  process.env['SWEEP'] === 'full'
    ? DEATHS
    : DEATHS.filter((_, at) => at % SWEPT_STORES.length === SWEPT_STORES.indexOf(store));

/** What is due for longer than a minute has been left behind. */
const LEFT_MS = 61_000;

let site: Site;
let on = false;
let started = 0;
if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

describe.each(SWEPT_STORES)('on %s', (store) => {
  beforeEach(async () => {
    site = await Site.open({}, store);
    started = 0;
  }, 60_000);
  afterEach(async () => {
    on = false;
    await site.close();
  });

  it('a batch of 4 with a chain of 5 is counted exactly, and calls back once, whatever its workers die of', async () => {
    const batches: WishedBatch[] = [];
    const expected = new Map<string, number>();
    const deaths = deathsOn(store);
    for (const [dies, victim] of deaths) {
      const wish = (label: string, connection: 'site' | 'other' = 'site'): Wish => {
        const fate = label === victim ? { dies } : {};
        const unique = `${dies} ${victim}: ${label}`;
        expected.set(unique, 1 + (label === victim ? (AGAIN[dies] ?? 0) : 0));
        return [unique, connection, fate];
      };
      batches.push({
        members: [
          [wish('c0'), wish('c1'), wish('c2', 'other'), wish('c3'), wish('c4')],
          [wish('m1')],
          [wish('m2')],
          [wish('m3', 'other')],
        ],
        succeeded: wish('then'),
        ended: wish('finally', 'other'),
      });
    }
    const producer = site.start('batch-producer', 'producer');
    await producer.message();
    producer.send(batches as never);
    const ids = await producer.message<readonly string[]>();
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
    // What was enqueued twice would be running by now, and so would what a sweep sends.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    on = false;

    const attempts = new Map<string, number[]>();
    for (const { info, attempt } of site.lines('start'))
      attempts.set(info as string, [...(attempts.get(info as string) ?? []), attempt!]);
    expect([...attempts.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
    const anew = [...attempts].filter(([, all]) => all.some((one, at) => at > 0 && one <= all[at - 1]!));
    expect(anew).toEqual([]);
    for (const [label, count] of expected) expect([label, attempts.get(label)!.length >= count]).toEqual([label, true]);
    expect(site.lines('dies')).toHaveLength(deaths.length);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    producer.send(ids as never);
    const stands = await producer.message<readonly Stands[]>();
    expect(stands).toEqual(ids.map(() => [8, 0, 0, true]));
    producer.send(null as never);
  }, 360_000);
});

/** Keeps a worker up on a connection; each new one is a minute ahead, and finds what those before it left behind. */
async function keep(connection: string): Promise<void> {
  while (on) {
    started += 1;
    const worker = site.start(
      'batch-worker',
      `worker of ${connection}`,
      [connection, '-q', '--sleep=100ms', '--max-stalls=100'],
      { env: { CLOCK_AHEAD: String(started * LEFT_MS) } },
    );
    await worker.ended;
  }
}
