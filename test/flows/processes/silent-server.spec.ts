import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freshRedis } from '../../support/shared-redis.js';
import { freshDatabase } from '../../support/shared-servers.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Site, SITE_STORES } from './site.js';

const GRACE_S = 2;
/** One verb that is under way may take its five seconds; the rest is for a machine that has much else to do. */
const LIMIT_MS = GRACE_S * 1_000 + 5_000 + 1_500;

let site: Site;
const over: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await site.close();
  for (const end of over.splice(0)) await end();
});

/** The way to a server of this kind, by a proxy, and what a process is told of it. */
async function proxied(store: 'postgres' | 'mariadb' | 'redis'): Promise<{ proxy: TcpProxy; env: object }> {
  const fresh = await (store === 'redis' ? freshRedis() : freshDatabase(store));
  over.push(() => fresh.drop());
  const proxy = await TcpProxy.to(Number(new URL(fresh.url).port));
  over.unshift(() => proxy.close());
  const url = proxy.url(fresh.url);
  const env =
    'prefix' in fresh ? { SITE_REDIS: JSON.stringify({ url, prefix: fresh.prefix }) } : { QUEUE_DATABASE_URL: url };
  return { proxy, env };
}

describe.each(SITE_STORES.filter((store) => store !== 'sqlite'))(
  'on %s, a server that takes every connection and says nothing',
  (store) => {
    it('keeps no worker from ending that has begun with it', async () => {
      site = await Site.open();
      const { proxy, env } = await proxied(store);
      proxy.blackhole();
      const worker = site.start('worker', 'early', [`--grace=${GRACE_S}`], { env });
      for (let waited = 0; proxy.accepted === 0; waited += 50) {
        if (waited > 20_000) throw new Error(`The worker never called:\n${worker.err}`);
        await sleep(50);
      }
      await sleep(500);
      const ended = await worker.end('SIGTERM');
      expect(ended).toMatchObject({ code: 0, signal: null });
      expect(ended.took).toBeLessThan(LIMIT_MS);
      expect(ended.err).not.toMatch(/unhandled|uncaught| ERROR /i);
    }, 60_000);
  },
);
