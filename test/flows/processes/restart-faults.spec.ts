import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { buildFixture } from '../../support/build-fixture.js';
import { START_LIMIT_MS } from '../../support/shared-servers.js';
import { Site, SITE_STORES, siteServer, type Child } from './site.js';

const HOUR_MS = 3_600_000;
/** Longer than a worker leaves the marks unread. */
const UNREAD_MS = 3_500;

let site: Site;

const SKEWED = [
  ['redis', 'by a process whose clock is an hour ahead of the workers', 'producer'],
  ['sqlite', 'to workers whose clock is an hour ahead of the one that says so', 'worker'],
] as const;

describe('queue:restart', () => {
  afterEach(() => site.close());

  it.each(SKEWED.filter(([store]) => SITE_STORES.includes(store)))(
    'on %s %s ends those that run, and none that starts afterwards',
    async (store, _, ahead) => {
      site = await Site.open({}, store);
      const { folder } = await buildFixture('processes', 'test/fixtures/processes');
      writeFileSync(join(site.folder, 'clock-jump'), String(HOUR_MS));
      const preload = ['--import', join(folder, 'clock-jump.js')];
      const nodeOf = (role: string): string[] => (role === ahead ? preload : []);
      const producer = await site.producer('producer', {}, nodeOf('producer'));
      const worker = async (name: string): Promise<Child> => {
        const started = site.start('worker', name, ['-q'], { node: nodeOf('worker') });
        await site.working(name, started);
        return started;
      };
      const running = await worker('running');
      await producer.order({ kind: 'restart' });
      expect(await running.ended).toMatchObject({ code: 0, signal: null });
      expect(site.lines('worker-stopping').map(({ info }) => info)).toEqual(['restart_signal']);

      const next = await worker('next');
      await sleep(UNREAD_MS);
      expect(next.running).toBe(true);
      await producer.order({ kind: 'restart' });
      expect(await next.ended).toMatchObject({ code: 0, signal: null });
    },
    60_000,
  );
});

describe.each(SITE_STORES.filter((store) => store !== 'sqlite'))('queue:restart on %s', (kind) => {
  let server: Awaited<ReturnType<typeof siteServer>> | undefined;
  afterEach(async () => {
    await site.close();
    await server?.close();
  }, START_LIMIT_MS);

  it(
    'is heeded over a restart of the server, and by a worker that has just come back to it',
    async () => {
      server = await siteServer(kind);
      site = await Site.on(server, { DISPATCH_TIMEOUT: '10' });
      const producer = await site.producer();
      const one = site.start('worker', 'one', []);
      await site.working('one', one);
      const [first] = await producer.dispatch(['Nap', 2_500]);
      await site.seen('start', first!);
      await producer.order({ kind: 'restart' });
      await server.restart({ signal: 'SIGKILL', downMs: 300 });
      expect(await one.ended).toMatchObject({ code: 0, signal: null });
      expect(site.lines('processed', first)).toHaveLength(1);

      const two = site.start('worker', 'two', []);
      await site.working('two', two);
      const [second] = await producer.dispatch(['Nap', 2_500]);
      await site.seen('start', second!);
      await server.restart({ downMs: 300 });
      await producer.order({ kind: 'restart' });
      expect(await two.ended).toMatchObject({ code: 0, signal: null });
      expect(site.lines('processed', second)).toHaveLength(1);
      expect(site.lines('worker-stopping').map(({ info }) => info)).toEqual(['restart_signal', 'restart_signal']);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    },
    START_LIMIT_MS + 60_000,
  );
});
