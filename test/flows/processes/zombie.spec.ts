import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site, SITE_STORES, type Producer } from './site.js';

const LEASE_MS = 1_000;
const ENDINGS = ['return', 'throw', 'release', 'fail', 'delete', 'obey', 'blind'] as const;

let site: Site;
let producer: Producer;
describe.each(SITE_STORES)('on %s', (store) => {
  beforeEach(async () => {
    site = await Site.open({ RETRY_AFTER: '1' }, store);
    producer = await site.producer();
  }, 60_000);
  afterEach(() => site.close());

  describe('a worker that was stopped for longer than its lease', () => {
    it('changes nothing when it goes on, however its jobs end there', async () => {
      const frozen = await site.worker('frozen', '--concurrency=7');
      const ids = await producer.dispatch(...ENDINGS.map((ending) => ['Zombie', ending] as const));
      await site.until('all starts', () => site.lines('start').length === ENDINGS.length);
      frozen.kill('SIGSTOP');
      const stoppedAt = Date.now();
      await site.worker('other', '--concurrency=7');
      await site.until('all results', () => site.lines('processed').length === ENDINGS.length);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, stoppedAt + 2 * LEASE_MS + 200 - Date.now())));
      const wokeAt = site.lines().length;
      frozen.kill('SIGCONT');
      await site.until('all refusals', () => site.lines('lease-lost').length >= ENDINGS.length);
      // Anything more that it does, it does by now.
      await new Promise((resolve) => setTimeout(resolve, 500));

      ENDINGS.forEach((ending, at) => {
        const lines = site.lines(undefined, ids[at]);
        const by = (name: string): string[] => lines.filter((line) => line.by === name).map((line) => line.what);
        expect([ending, by('other')]).toEqual([ending, ['start', 'end', 'processed']]);
        const thrown = ending === 'throw' || ending === 'obey' ? [] : ['end'];
        const told = ending === 'blind' ? [] : ['aborted'];
        expect([ending, by('frozen')]).toEqual([ending, ['start', ...told, 'woke', ...thrown, 'lease-lost']]);
        for (const aborted of lines.filter((line) => line.what === 'aborted')) {
          expect(aborted.info).toBe('LeaseLostError: lease-lost');
        }
      });
      // Nothing was written before the other one had finished: the wake-up itself is what was refused.
      expect(
        site
          .lines()
          .slice(wokeAt)
          .filter((line) => line.by === 'other'),
      ).toEqual([]);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });

      // It is fit for work as before.
      const [next] = await producer.dispatch(['Tick']);
      await site.seen('processed', next!);
      expect(await frozen.end('SIGTERM')).toMatchObject({ code: 0 });
    }, 60_000);

    it('cannot end a job that the other worker still runs', async () => {
      const frozen = await site.worker('frozen');
      const [id] = await producer.dispatch(['Stroll', 3_000]);
      await site.seen('start', id!);
      frozen.kill('SIGSTOP');
      await site.worker('other');
      await site.seen('start', id!, 'other');
      frozen.kill('SIGCONT');
      const refused = await site.seen('lease-lost', id!);
      const accepted = await site.seen('processed', id!);
      expect(accepted).toMatchObject({ by: 'other', attempt: 2 });
      expect(refused.at).toBeLessThan(accepted.at);
      expect(site.lines('processed')).toHaveLength(1);
      expect(site.lines('start')).toHaveLength(2);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    }, 60_000);
  });
});
