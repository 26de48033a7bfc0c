import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site, SITE_STORES, type Child, type Producer } from './site.js';

const LEASE_MS = 1_000;
const SWEEP_MS = 500;
/** Not promised: what a machine with more processes than cores may add. */
const MACHINE_MS = 1_000;

let site: Site;
let producer: Producer;
describe.each(SITE_STORES)('on %s', (store) => {
  beforeEach(async () => {
    site = await Site.open({ RETRY_AFTER: '1' }, store);
    producer = await site.producer();
  }, 60_000);
  afterEach(() => site.close());

  describe('a worker that dies', () => {
    it('by SIGKILL: its job runs again elsewhere within lease and sweep, one attempt on', async () => {
      const dying = await site.worker('dying');
      const [id] = await producer.dispatch(['Nap', 60_000]);
      await site.seen('start', id!);
      await site.worker('living');
      // Its lease is renewed meanwhile, and the other worker leaves it alone.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(site.lines('start', id)).toHaveLength(1);

      const killedAt = Date.now();
      expect(await dying.end('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
      const again = await site.seen('start', id!, 'living');
      expect(again.attempt).toBe(2);
      expect(again.at - killedAt).toBeLessThan(LEASE_MS + SWEEP_MS + MACHINE_MS);

      await site.seen('processed', id!);
      expect(site.lines('start', id)).toHaveLength(2);
      expect(site.lines('end', id)).toHaveLength(1);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    }, 60_000);

    it('by process.exit() in a handler: the same', async () => {
      const leaving = await site.worker('leaving');
      const [id] = await producer.dispatch(['Leaver']);
      expect(await leaving.ended).toMatchObject({ code: 0 });
      expect(leaving.err).toContain(`Leaver [${id}] was cut off by the end of its process`);
      const leftAt = Date.now();
      await site.worker('living');
      const again = await site.seen('start', id!, 'living');
      expect(again.attempt).toBe(2);
      expect(again.at - leftAt).toBeGreaterThan(0);
      await site.seen('processed', id!);
      expect(site.lines('start', id)).toHaveLength(2);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    }, 60_000);

    it('with every pick-up of one job: that job is recorded as stalled at its fifth, and the others are served', async () => {
      const [killer] = await producer.dispatch(['Killer']);
      const over = supervised(2, {});
      const ticks: string[] = [];
      await site.until('the fourth start', () => site.lines('start', killer).length >= 2);
      ticks.push(...(await producer.dispatch(...Array.from({ length: 20 }, () => ['Tick'] as const))));
      await site.seen('failed', killer!);
      ticks.push(...(await producer.dispatch(...Array.from({ length: 20 }, () => ['Tick'] as const))));
      await site.until('all other jobs done', () =>
        ticks.every((id) => site.lines('processed').some((line) => line.id === id)),
      );
      over();

      expect(site.lines('start', killer).map((line) => line.attempt)).toEqual([1, 2, 3, 4]);
      expect(site.lines('failed').map(({ id, info }) => [id, info])).toEqual([[killer, 'JobStalledError']]);
      for (const id of ticks) expect(site.lines('start', id)).toHaveLength(1);
      expect(await site.left()).toEqual({ jobs: 0, failed: 1 });
      expect(await site.exceptions()).toEqual([expect.stringContaining('JobStalledError')]);
    }, 90_000);

    it('again and again under load: every job is done once, and only those in hand ran twice', async () => {
      const JOBS = 1_500;
      const CONCURRENCY = 5;
      // Long enough that a busy machine alone takes no lease away.
      const over = supervised(3, { RETRY_AFTER: '3' }, `--concurrency=${CONCURRENCY}`);
      const flood = producer.order({ kind: 'flood', job: ['Stroll', 20], single: 0, bulks: JOBS / 50, size: 50 });
      let kills = 0;
      for (let round = 0; round < 6; round++) {
        await site.until('some work', () => site.lines('processed').length > (round + 1) * 120);
        const busy = site.lines('start').at(-1)!.pid;
        try {
          process.kill(busy, 'SIGKILL');
          kills += 1;
        } catch {
          // It has died of an earlier one.
        }
      }
      const { ids } = await flood;
      await site.until('an empty queue', async () => (await site.left()).jobs === 0);
      over();
      expect(kills).toBeGreaterThan(3);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
      expect(new Set(site.lines('end').map((line) => line.id))).toEqual(new Set(ids));
      const again = site.lines('start').length - JOBS;
      expect(again).toBeGreaterThan(0);
      expect(again).toBeLessThanOrEqual(kills * CONCURRENCY);
    }, 90_000);
  });
});

/** Keeps so many workers up, as a process manager does, until told otherwise. */
function supervised(count: number, env: object, ...args: string[]): () => void {
  let on = true;
  const keep = async (name: string): Promise<void> => {
    let worker: Child;
    while (on) {
      worker = site.start('worker', name, ['-q', '--sleep=200ms', ...args], { env });
      await worker.ended;
    }
  };
  for (let n = 0; n < count; n++) void keep(`supervised ${n}`);
  return () => (on = false);
}
