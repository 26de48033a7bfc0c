import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { describeRedis, freshRedis, START_LIMIT_MS, type FreshRedis } from '../../support/shared-redis.js';
import type { Wanted } from '../../fixtures/processes/producer.js';
import { Site, SITE_STORES } from './site.js';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

describe.each(SITE_STORES)('a unique job from four processes on %s', (store) => {
  it(
    'is stored once of two hundred dispatches, and again once it is done',
    async () => {
      site = await Site.open({}, store);
      const producers = await Promise.all([1, 2, 3, 4].map((n) => site!.producer(`producer-${n}`)));
      for (const kind of ['first', 'second']) {
        const jobs = Array.from({ length: 50 }, (): Wanted => ['Single', kind]);
        const answers = await Promise.all(producers.map((producer) => producer.order({ kind: 'dispatch', jobs })));
        expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
        expect(answers.flatMap(({ ids }) => ids)).toHaveLength(1);
      }
      expect(await site.left()).toEqual({ jobs: 2, failed: 0 });
      await site.worker('worker');
      await site.until('both to run', (lines) => lines.filter(({ what }) => what === 'start').length === 2);
      await site.until('both to be gone', async () => (await site!.left()).jobs === 0);
      const [id] = await producers[0]!.dispatch(['Single', 'first']);
      expect(id).toBeDefined();
    },
    START_LIMIT_MS,
  );
});

describeRedis('a unique job with its lock in another store', () => {
  let redis: FreshRedis;
  let client: Redis;
  afterEach(async () => {
    client.disconnect();
    await redis.drop();
  });

  async function open(): Promise<(at: 'push' | 'release' | 'never') => Promise<string | null>> {
    redis = await freshRedis();
    client = new Redis(redis.url);
    const { url, prefix } = redis;
    site = await Site.open({ SITE_REDIS: JSON.stringify({ url, prefix }) });
    return async (at) => {
      const child = site!.start('two-stores', at, [at]);
      const said = child.message<{ id: string | null }>().then(
        ({ id }) => id,
        () => undefined,
      );
      const { signal, err } = await child.ended;
      if (signal === 'SIGKILL') return 'killed';
      const id = await said;
      if (id === undefined) throw new Error(err);
      return id;
    };
  }
  const lock = async (): Promise<string> => {
    const keys = await client.keys(`${redis.prefix}*unique:Single*`);
    expect(keys).toHaveLength(1);
    return keys[0]!;
  };

  it(
    'blocks nobody for more than a minute whose producer was killed before it stored the job',
    async () => {
      const run = await open();
      expect(await run('push')).toBe('killed');
      const key = await lock();
      const left = await client.pttl(key);
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(60_000);
      expect(await run('never')).toBeNull();
      // The minute is over.
      await client.pexpire(key, 1);
      expect(await run('never')).toEqual(expect.any(String));
      expect(await site!.left()).toEqual({ jobs: 1, failed: 0 });
    },
    START_LIMIT_MS,
  );

  it(
    'is looked after by the next dispatch where its worker was killed before it gave the lock back',
    async () => {
      const run = await open();
      expect(await run('release')).toBe('killed');
      expect(await site!.left()).toEqual({ jobs: 0, failed: 0 });
      expect(await client.get(await lock())).toMatch(/^stored:database:/);
      expect(await run('never')).toEqual(expect.any(String));
      // That one lives, so the next has to wait for it.
      expect(await run('never')).toBeNull();
    },
    START_LIMIT_MS,
  );
});
