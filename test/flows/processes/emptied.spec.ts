import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildFixture } from '../../support/build-fixture.js';
import { startRedis, type RedisServer } from '../../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../../support/shared-redis.js';
import { Site, SITE_STORES } from './site.js';

let site: Site;

describe.each(SITE_STORES)('queue:clear on %s while workers run', (store) => {
  afterEach(() => site.close());

  it('takes what waits and what runs: its worker is told, goes on, and unique locks are free', async () => {
    site = await Site.open({ RETRY_AFTER: '1' }, store);
    const producer = await site.producer();
    const worker = await site.worker('worker', '--concurrency=2');
    const [held, other] = await producer.dispatch(['Zombie', 'return'], ['Zombie', 'throw']);
    for (const id of [held, other]) await site.seen('start', id!);
    // Behind what both places are taken by.
    await producer.dispatch(['Single', 'one'], ['Tick']);
    expect(await producer.dispatch(['Single', 'one'])).toEqual([]);

    const { folder } = await buildFixture('processes', 'test/fixtures/processes');
    const clear = site.start('../lib/cli/bin', 'cli', ['queue:clear', '--force', `--app=${folder}/app.module.js`]);
    expect(await clear.ended).toMatchObject({ code: 0, err: '' });
    for (const id of [held, other]) await site.seen('lease-lost', id!);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    // Why is told where the store remembers it.
    expect(site.lines('aborted').map(({ info }) => info)).toEqual(
      [held, other].map(() => expect.stringMatching(/^LeaseLostError: (cancelled|lease-lost)$/)),
    );

    const [again] = await producer.dispatch(['Single', 'one']);
    await site.seen('processed', again!);
    expect(site.lines('processed')).toHaveLength(1);
    expect(await worker.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 60_000);
});

describeRedis('FLUSHALL while workers run', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  }, START_LIMIT_MS);
  afterAll(() => server.close(), START_LIMIT_MS);
  afterEach(() => site.close());

  it('loses what was stored, and nothing else: no worker ends, none of its jobs fails, and the next ones are served', async () => {
    site = await Site.on(server, { RETRY_AFTER: '1' });
    const producer = await site.producer();
    // A mark that goes with the rest: its absence is no order to end.
    await producer.order({ kind: 'restart' });
    const busy = site.start('worker', 'busy', ['--concurrency=7']);
    const idle = site.start('worker', 'idle', ['--queue=other', '--sleep=500ms']);
    await site.working('busy', busy);
    await site.working('idle', idle);
    const endings = ['return', 'throw', 'release', 'fail', 'delete', 'obey', 'blind'] as const;
    const ids = await producer.dispatch(...endings.map((ending) => ['Zombie', ending] as const));
    await site.until('all starts', () => site.lines('start').length === endings.length);
    await producer.dispatch(['Single', 'one']);

    await server.command('FLUSHALL');
    for (const id of ids) await site.seen('lease-lost', id);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    const [again] = await producer.dispatch(['Single', 'one']);
    await site.seen('processed', again!);
    const more = await producer.dispatch(...Array.from({ length: 10 }, () => ['Tick'] as const));
    for (const id of more) await site.seen('processed', id);
    expect(site.lines('processed')).toHaveLength(1 + more.length);
    expect(site.lines('failed-hook')).toEqual([]);

    // Longer than it leaves the marks unread.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(site.lines('worker-stopping')).toEqual([]);
    await producer.order({ kind: 'restart' });
    for (const worker of [busy, idle]) {
      const { code, err } = await worker.ended;
      expect(code).toBe(0);
      expect(err).not.toMatch(/unhandled|uncaught|no job owns/i);
    }
  }, 60_000);
});
