import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { buildFixture } from '../../support/build-fixture.js';
import { Site, SITE_STORES } from './site.js';

const HOUR_MS = 3_600_000;
const LEASE_MS = 2_000;

let site: Site;
afterEach(() => site.close());

describe("a worker whose process's clock jumps while it works", () => {
  const jumps: readonly (readonly [string, (typeof SITE_STORES)[number], number])[] = [
    ['an hour ahead', 'sqlite', HOUR_MS],
    ['an hour back', 'sqlite', -HOUR_MS],
    ['an hour ahead', 'postgres', HOUR_MS],
    ['an hour back', 'mariadb', -HOUR_MS],
    ['an hour ahead', 'redis', HOUR_MS],
  ];
  it.each(jumps.filter(([, store]) => SITE_STORES.includes(store)))(
    '%s on %s loses no lease, times nothing out, takes nothing from others, and works on',
    async (_, store, jump) => {
      site = await Site.open({ RETRY_AFTER: String(LEASE_MS / 1_000) }, store);
      const { folder } = await buildFixture('processes', 'test/fixtures/processes');
      const producer = await site.producer();
      const preload = { node: ['--import', join(folder, 'clock-jump.js')] };
      const flags = ['-q', '--timeout=30', '--concurrency=2', '--sleep=500ms'];
      const jumping = site.start('worker', 'jumping', flags, preload);
      await site.working('jumping', jumping);
      const [napping, blocked] = await producer.dispatch(
        ['Stroll', 6 * LEASE_MS],
        ['LateSpin', 5 * LEASE_MS, 2 * LEASE_MS],
      );
      for (const id of [napping, blocked]) await site.seen('start', id!, 'jumping');
      // Both its slots are taken for longer than another worker needs to start.
      await site.worker('steady', ...flags);
      const [other] = await producer.dispatch(['Stroll', 4 * LEASE_MS]);
      await site.seen('start', other!, 'steady');

      writeFileSync(join(site.folder, 'clock-jump'), String(jump));
      for (const id of [napping, blocked, other]) await site.seen('processed', id!);

      for (const id of [napping, blocked, other]) {
        expect(site.lines(undefined, id).map(({ what }) => what)).toEqual(['start', 'end', 'processed']);
      }
      const jumped = site.lines('end', napping)[0]!;
      expect(Math.sign(jumped.at - site.lines('start', other)[0]!.at)).toBe(Math.sign(jump));
      expect(jumping.running).toBe(true);
      // It does not go on sleeping, or take what is not due.
      const more = await producer.dispatch(...Array.from({ length: 10 }, () => ['Stroll', 200] as const));
      for (const id of more) await site.seen('processed', id);
      for (const id of more) expect(site.lines('start', id)).toHaveLength(1);
      expect(new Set(more.map((id) => site.lines('processed', id)[0]!.by))).toEqual(new Set(['jumping', 'steady']));
      await sleep(LEASE_MS);
      expect(site.lines('lease-lost')).toEqual([]);
      expect(site.lines('timed-out')).toEqual([]);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
      expect(await jumping.end('SIGTERM')).toMatchObject({ code: 0 });
    },
    120_000,
  );
});
