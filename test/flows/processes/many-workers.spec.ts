import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canHave, Site, SITE_STORES } from './site.js';

const WORKERS = 8;
const JOBS = WORKERS * 2_000;
const PRODUCERS = 4;
const SINGLE = 500;
const BULK = 100;

describe.each([...SITE_STORES, 'redis-cluster' as const].filter(canHave))(
  `on %s: ${WORKERS} workers, ${JOBS} jobs, ${PRODUCERS} producers at the same time`,
  (store) => {
    let site: Site;
    beforeAll(async () => {
      site = await Site.open({ DISPATCH_TIMEOUT: '20' }, store);
    }, 60_000);
    afterAll(() => site.close());

    it('each job runs once, none is lost, and nobody hears of locks or deadlocks', async () => {
      const producers = await Promise.all(Array.from({ length: PRODUCERS }, (_, n) => site.producer(`producer ${n}`)));
      const starting = Array.from({ length: WORKERS }, (_, n) => site.worker(`worker ${n}`, '--concurrency=10'));
      const floods = producers.map((producer) =>
        producer.order({
          kind: 'flood',
          job: ['Tick'],
          single: SINGLE,
          bulks: (JOBS / PRODUCERS - SINGLE) / BULK,
          size: BULK,
        }),
      );
      const workers = await Promise.all(starting);
      const answers = await Promise.all(floods);
      expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
      const ids = answers.flatMap((answer) => answer.ids);
      expect(new Set(ids).size).toBe(JOBS);

      await site.until('an empty queue', async () => (await site.left()).jobs === 0, 90_000);
      const ended = await Promise.all(workers.map((worker) => worker.end('SIGTERM')));
      expect(ended.map(({ code }) => code)).toEqual(workers.map(() => 0));
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });

      const lines = site.lines();
      for (const what of ['start', 'end', 'processed']) {
        const of = lines.filter((line) => line.what === what);
        expect([what, of.length]).toEqual([what, JOBS]);
        expect(new Set(of.map((line) => line.id))).toEqual(new Set(ids));
      }
      expect(lines.filter((line) => /lost|failed|released|exception/.test(line.what))).toEqual([]);
      // Nobody is starved, although a file has one writer at a time.
      for (const [n] of workers.entries()) {
        const done = lines.filter((line) => line.what === 'processed' && line.by === `worker ${n}`).length;
        expect(done).toBeGreaterThan(JOBS / WORKERS / 20);
      }
      expect([...ended, ...producers.map(({ child }) => child)].map(({ err }) => err).join('')).toBe('');
    }, 150_000);
  },
);
