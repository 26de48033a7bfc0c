import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Gauges } from '../../fixtures/processes/gauges.js';
import { Site, SITE_STORES, type Child } from './site.js';

const MB = 1_048_576;

/** The whole length is for a run by itself: `SOAK=full`. */
const FULL = process.env['SOAK'] === 'full';
/** The first quarter warms up: compiled code, caches, the allocator's arenas. */
const QUARTERS = 4;
const FLOOD = 5_000;

let site: Site;
afterEach(() => site.close());

async function gauge(worker: Child): Promise<Gauges> {
  const before = site.lines('gauge').length;
  worker.kill('SIGIO');
  await site.until('a gauge', () => site.lines('gauge').length > before);
  return site.lines('gauge').at(-1)!.info as Gauges;
}

const LENGTHS: readonly (readonly [(typeof SITE_STORES)[number], number, number])[] = [
  ['sqlite', FULL ? 200_000 : 20_000, 10],
  ['postgres', 200_000, 100],
  ['mariadb', FULL ? 200_000 : 20_000, 100],
  ['redis', 200_000, 100],
];

describe.each(LENGTHS.filter(([store]) => SITE_STORES.includes(store)))('on %s', (store, jobs, concurrency) => {
  it(
    `${jobs} jobs through one worker: memory, listeners and handles stay as they are after the warm-up`,
    async () => {
      site = await Site.open({ LEDGER_SKIPS: 'processed', DISPATCH_TIMEOUT: '20' }, store);
      const producer = await site.producer();
      const worker = site.start('worker', 'worker', ['-q', `--concurrency=${concurrency}`], { node: ['--expose-gc'] });
      await site.working('worker', worker);
      const taken: Gauges[] = [];
      for (let quarter = 0; quarter < QUARTERS; quarter += 1) {
        const bulks = jobs / QUARTERS / FLOOD;
        await producer.order({ kind: 'flood', job: ['Noop'], single: 0, bulks, size: FLOOD });
        await site.until(
          'an empty queue',
          async () => {
            await sleep(100);
            return (await site.left()).jobs === 0;
          },
          240_000,
        );
        taken.push(await gauge(worker));
      }
      const warm = taken[0]!;
      const last = taken.at(-1)!;
      if (FULL)
        console.info(
          `${store}: ${taken.map(({ rss, heap }) => `${inMb(rss)}/${inMb(heap)}`).join(', ')} MB (RSS/heap).`,
        );
      expect((last.rss - warm.rss) / MB).toBeLessThan(15);
      expect((last.heap - warm.heap) / MB).toBeLessThan(2);
      expect(last.listeners).toEqual(warm.listeners);
      expect(Math.abs(last.resources - warm.resources)).toBeLessThanOrEqual(3);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
      expect(worker.err).toBe('');
    },
    FULL ? 600_000 : 180_000,
  );
});

function inMb(bytes: number): string {
  return (bytes / MB).toFixed(1);
}
