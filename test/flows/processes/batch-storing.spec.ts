import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import type { Stands } from '../../fixtures/processes/batch-producer.js';
import { LEFT_OUT_OF_SWEEPS, Site, SWEPT_STORES } from './site.js';

/** Members are sent a thousand at a time. */
const MEMBERS = 2_500;
const SENT = 1_000;
/** What has been stored for over an hour is not being stored any more. */
const HOURS_AHEAD_MS = 2 * 3_600_000;

const sites: Site[] = [];
afterEach(() => Promise.all(sites.map((site) => site.close())));
if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

// All stores at once: most of it is the time between two looks.
it('a batch whose process is killed half-way through storing it runs what was sent, and ends', async () => {
  await Promise.all(
    SWEPT_STORES.map(async (store) => {
      const site = await Site.open({}, store);
      sites.push(site);
      const storer = site.start('batch-storer', 'storer', [String(MEMBERS), String(SENT + 500)]);
      expect(await storer.ended).toMatchObject({ signal: 'SIGKILL' });
      const id = readFileSync(join(site.folder, 'batch-id'), 'utf8');
      const producer = site.start('batch-producer', 'producer');
      await producer.message();
      const stands = async (): Promise<Stands> => {
        producer.send([id] as never);
        return (await producer.message<readonly Stands[]>())[0]!;
      };
      expect(await stands()).toEqual([2 * SENT, 2 * SENT, 0, false]);
      const env = { CLOCK_AHEAD: String(HOURS_AHEAD_MS) };
      site.start('batch-worker', 'worker', ['site', '-q', '--sleep=100ms', '--concurrency=50'], { env });
      await site.until(
        'the end of the batch',
        (lines) => lines.some(({ what, info }) => what === 'start' && info === 'finally'),
        120_000,
      );
      await site.until('an empty queue', async () => (await site.left()).jobs === 0);
      const ran = site.lines('start').map(({ info }) => info as string);
      const expected = [...Array.from({ length: SENT }, (_, n) => `member ${n}`), 'catch', 'finally'];
      expect(ran.toSorted()).toEqual(expected.toSorted());
      const [total, pending, failed, finished] = await stands();
      expect({ store, total, pending, failed: failed > 0, finished }).toEqual({
        store,
        total: 2 * SENT,
        pending: SENT,
        failed: true,
        finished: true,
      });
    }),
  );
}, 180_000);
