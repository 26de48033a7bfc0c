import { mkdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Backend } from '../../lib/contracts/backend.js';
import { startRedis, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ackAll, entries, entry, LONG_MS, push, RedisBackends, settled, sleep, until } from './redis-harness.js';
import { request } from './sqlite-harness.js';

describeRedis('redis: a server that refuses', () => {
  let server: RedisServer;
  const backends = new RedisBackends(() => ({ url: server.url }));
  beforeAll(async () => void (server = await startRedis()), START_LIMIT_MS);
  afterEach(async () => {
    await backends.close();
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await server.command('FLUSHALL');
  }, LONG_MS);
  afterAll(() => server.close(), LONG_MS);

  async function sizeOf(backend: Backend) {
    const [size] = await backend.queue!.size(['default']);
    return size!;
  }

  it('has forgotten the scripts: every verb goes on', async () => {
    const worker = backends.open();
    await push(worker, ...entries(3));
    const [first, second] = await worker.queue!.reserve(request({ limit: 2 }));
    await server.command('SCRIPT', 'FLUSH', 'SYNC');
    await push(worker, entry());
    await server.command('SCRIPT', 'FLUSH', 'SYNC');
    expect(await worker.queue!.leases!.renew([first!, second!], 30_000)).toEqual([{ ok: true }, { ok: true }]);
    await server.command('SCRIPT', 'FLUSH', 'SYNC');
    const { settled: answers, jobs } = await worker.queue!.exchange!(
      [
        { kind: 'ack', job: first! },
        { kind: 'release', job: second!, delayMs: 0 },
      ],
      request(),
    );
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
    expect(jobs).toHaveLength(3);
    await server.command('SCRIPT', 'FLUSH', 'SYNC');
    await ackAll(worker, jobs);
    expect(await sizeOf(worker)).toMatchObject({ pending: 0, reserved: 0 });
  });

  it('forgets them again and again under load: nothing is lost and nothing stored twice', async () => {
    const worker = backends.open();
    const flushing = setInterval(() => void server.command('SCRIPT', 'FLUSH', 'SYNC'), 5);
    try {
      const all = entries(300);
      await Promise.all(all.map((one) => push(worker, one)));
      const seen: string[] = [];
      while (seen.length < all.length) {
        const jobs = await worker.queue!.reserve(request({ limit: 20 }));
        if (jobs.length === 0) break;
        seen.push(...jobs.map(({ id }) => id));
        await ackAll(worker, jobs);
      }
      expect([...seen].sort()).toEqual(all.map(({ id }) => id).sort());
    } finally {
      clearInterval(flushing);
    }
  });

  it(
    'is out of memory: a dispatch rejects with nothing stored, and work goes on',
    async () => {
      const worker = backends.open();
      const all = entries(20);
      await push(worker, ...all);
      await push(worker, entry({ queue: 'later', delayMs: 300 }));
      const held = await worker.queue!.reserve(request({ limit: 5 }));
      await server.command('CONFIG', 'SET', 'maxmemory', '1mb');
      const began = performance.now();
      const refused = await settled(
        worker.queue!.push([entry(), entry({ lock: { key: 'l', owner: 'o', ttlMs: 9_000 } })]),
      );
      expect(refused.error).toMatchObject({ code: 'ERR_QUEUE_STORE_FULL' });
      expect(performance.now() - began).toBeLessThan(1_000);
      expect(await worker.locks!.owner('l')).toBeUndefined();
      expect(await sizeOf(worker)).toMatchObject({ pending: 15, reserved: 5 });

      expect(await worker.queue!.leases!.renew(held, 30_000)).toEqual(held.map(() => ({ ok: true })));
      const [back, ...rest] = held;
      expect(await worker.queue!.settle([{ kind: 'release', job: back!, delayMs: 0 }])).toEqual([{ ok: true }]);
      await ackAll(worker, rest);
      const done: string[] = rest.map(({ id }) => id);
      for (;;) {
        const jobs = await worker.queue!.reserve(request({ limit: 7 }));
        if (jobs.length === 0) break;
        done.push(...jobs.map(({ id }) => id));
        await ackAll(worker, jobs);
      }
      expect(done.sort()).toEqual(all.map(({ id }) => id).sort());
      await sleep(300);
      await ackAll(worker, await worker.queue!.reserve(request({ queues: ['later'] })));
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
      await push(worker, entry());
    },
    LONG_MS,
  );

  it(
    'has become a replica: waited for by what runs, and back without a restart',
    async () => {
      const other = await startRedis();
      try {
        const worker = backends.open({ dispatchTimeoutMs: 500 });
        await push(worker, ...entries(2));
        const [held] = await worker.queue!.reserve(request({ limit: 1 }));
        // One that follows nobody yet keeps what it has.
        await server.command('REPLICAOF', '127.0.0.1', '1');
        const { error } = await settled(worker.queue!.push([entry()]));
        expect((error as Error).message).toMatch(/Nothing was stored/);
        expect(await settled(worker.queue!.reserve(request()))).toMatchObject({ error: { transient: true } });
        const settling = worker.queue!.settle([{ kind: 'ack', job: held! }]);
        await sleep(500);
        await server.command('REPLICAOF', 'NO', 'ONE');
        expect(await settling).toEqual([{ ok: true }]);
        await push(worker, entry());
        const jobs = await worker.queue!.reserve(request({ waitMs: 3_000 }));
        expect(jobs).toHaveLength(2);
        await ackAll(worker, jobs);
      } finally {
        await server.command('REPLICAOF', 'NO', 'ONE');
        await other.close();
      }
    },
    LONG_MS,
  );

  it(
    'cannot save to its disk: a push waits and then says why; it goes on when it can',
    async () => {
      const worker = backends.open({ dispatchTimeoutMs: 800 });
      await push(worker, entry());
      await server.command('CONFIG', 'SET', 'save', '3600 1');
      await failTheSave(server);
      const { error } = await settled(worker.queue!.push([entry()]));
      expect((error as Error).message).toMatch(/Nothing was stored/);
      expect(String((error as Error).message)).toMatch(/MISCONF/);
      const pushing = backends.open({ dispatchTimeoutMs: 5_000 }).queue!.push([entry()]);
      await sleep(300);
      await server.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
      expect(await pushing).toEqual([{ stored: true }]);
      const jobs = await worker.queue!.reserve(request());
      expect(jobs).toHaveLength(2);
      await ackAll(worker, jobs);
    },
    LONG_MS,
  );

  it('is told to wait by CLIENT PAUSE: what is sent meanwhile arrives', async () => {
    const worker = backends.open();
    await push(worker, entry());
    await server.command('CLIENT', 'PAUSE', 700, 'ALL');
    await push(worker, entry());
    const jobs = await worker.queue!.reserve(request());
    expect(jobs).toHaveLength(2);
    await ackAll(worker, jobs);
  });

  it('may throw keys away: said once, and refused where it must not', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const said: string[] = [];
    const lax = backends.open({ warn: (message) => said.push(message) });
    await push(lax, entry());
    await push(lax, entry());
    await lax.check?.();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/allkeys-lru.*noeviction/s);
    const strict = backends.open({}, { strict: true });
    await expect(strict.check!()).rejects.toThrow(/noeviction/);
  });

  it(
    'has thrown payloads away, or somebody deleted them: those jobs are set aside, and the others served',
    async () => {
      const worker = backends.open();
      const all = entries(6);
      await push(worker, ...all);
      const [jobsKey] = (await server.command('KEYS', '*:jobs')) as string[];
      for (const at of [0, 3]) await server.command('HDEL', jobsKey!, all[at]!.id);
      const jobs = await worker.queue!.reserve(request());
      expect(jobs.map(({ id }) => id)).toEqual([1, 2, 4, 5].map((at) => all[at]!.id));
      const broken = (await server.command('LRANGE', jobsKey!.replace(/:jobs$/, ':broken'), 0, -1)) as string[];
      expect([...broken].sort()).toEqual([all[0]!.id, all[3]!.id].sort());
      await ackAll(worker, jobs);

      await push(worker, ...entries(3));
      // As an eviction does it: the whole key, with all bodies.
      await server.command('DEL', jobsKey!);
      const next = entry();
      await push(worker, next);
      const after = await worker.queue!.reserve(request({ waitMs: 1_000 }));
      expect(after.map(({ id }) => id)).toEqual([next.id]);
      await ackAll(worker, after);
      expect(await sizeOf(worker)).toMatchObject({ pending: 0, reserved: 0 });
    },
    LONG_MS,
  );

  it('has lost a payload while its job was held: the end of that job is accepted or told as lost, and no more', async () => {
    const worker = backends.open();
    const [first, second] = entries(2);
    await push(worker, first!, second!);
    const held = await worker.queue!.reserve(request());
    const [jobsKey] = (await server.command('KEYS', '*:jobs')) as string[];
    await server.command('DEL', jobsKey!);
    const results = await worker.queue!.settle([
      { kind: 'ack', job: held[0]! },
      { kind: 'release', job: held[1]!, delayMs: 0 },
    ]);
    for (const result of results) expect(result.ok ? 'lease-lost' : result.reason).toMatch(/^(lease-lost|cancelled)$/);
    await push(worker, entry());
    await ackAll(worker, await worker.queue!.reserve(request({ waitMs: 500 })));
    expect(await sizeOf(worker)).toMatchObject({ pending: 0, reserved: 0 });
  });

  it('is emptied under a worker: what was in hand is lost or cancelled, and the next job is served', async () => {
    const worker = backends.open();
    await push(worker, ...entries(3));
    const held = await worker.queue!.reserve(request({ limit: 2 }));
    const waiting = backends.open().queue!.reserve(request({ queues: ['empty'], waitMs: 10_000 }));
    await sleep(200);
    await server.command('FLUSHALL');
    const [renewed] = await worker.queue!.leases!.renew(held, 30_000);
    expect(renewed).toMatchObject({ ok: false, reason: expect.stringMatching(/^(lease-lost|cancelled)$/) });
    const { settled: answers, jobs } = await worker.queue!.exchange!(
      held.map((job) => ({ kind: 'ack' as const, job })),
      request(),
    );
    expect(jobs).toEqual([]);
    for (const answer of answers) {
      expect(answer).toMatchObject({ ok: false, reason: expect.stringMatching(/^(lease-lost|cancelled)$/) });
    }
    await push(worker, entry({ queue: 'empty' }), entry());
    expect(await waiting).toHaveLength(1);
    await ackAll(worker, await worker.queue!.reserve(request()));
  });

  it('is cleared by queue:clear under a worker: its jobs are cancelled, and their unique locks are free', async () => {
    const worker = backends.open();
    const lock = (key: string) => ({ key, owner: `owner-${key}`, ttlMs: 60_000 });
    const all = [entry({ lock: lock('a') }), entry({ lock: lock('b') }), entry({ lock: lock('c'), delayMs: 60_000 })];
    await push(worker, ...all);
    const held = await worker.queue!.reserve(request({ limit: 1 }));
    expect(await worker.locks!.owner('c')).toBe('owner-c');
    expect(await worker.queue!.clearing!.clear('default')).toBe(3);
    expect(await worker.queue!.settle([{ kind: 'ack', job: held[0]! }])).toEqual([{ ok: false, reason: 'cancelled' }]);
    for (const key of ['a', 'b', 'c']) expect([key, await worker.locks!.owner(key)]).toEqual([key, undefined]);
    await push(worker, entry({ lock: { key: 'a', owner: 'another', ttlMs: 60_000 } }));
    await ackAll(worker, await worker.queue!.reserve(request()));
    await until(async () => (await sizeOf(worker)).pending === 0, 'an empty queue', 1_000);
  });

  it('lets in a user with the rights that the docs name, and says what a user without them lacks', async () => {
    const rights = ['~queue:*', '+@all', '-@dangerous', '+info', '+client', '+cluster'];
    await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rights);
    await server.command(
      'ACL',
      'SETUSER',
      'reader',
      'reset',
      'on',
      '>secret',
      '~queue:*',
      '+@read',
      '+info',
      '+client',
    );
    const as = (user: string): string => server.url.replace('redis://', `redis://${user}:secret@`);
    const worker = backends.open({}, { url: as('app') });
    await worker.check!();
    const waiting = worker.queue!.reserve(request({ waitMs: 5_000 }));
    await sleep(100);
    await push(worker, entry({ lock: { key: 'k', owner: 'o', ttlMs: 1_000 } }));
    await ackAll(worker, await waiting);
    await worker.queue!.clearing!.clear('default');
    expect(await worker.queue!.inspection!.queues()).toEqual([]);
    expect(await worker.failed!.count()).toBe(0);
    const { error } = await settled(backends.open({}, { url: as('reader') }).queue!.push([entry()]));
    expect(error).toMatchObject({ code: 'ERR_QUEUE_STORE_REFUSED', message: expect.stringContaining('NOPERM') });
    // A worker asks before it starts, and ends.
    await expect(backends.open({}, { url: as('reader') }).check!()).rejects.toThrow('NOPERM');
  });

  it('wants a password that is not given: said at once, and no outage', async () => {
    const locked = await startRedis({ settings: { requirepass: 'secret' } });
    try {
      const wrong = backends.open({}, { url: locked.url.replace('secret', 'hearsay') });
      const began = performance.now();
      const { error } = await settled(wrong.queue!.push([entry()]));
      expect(error).toMatchObject({ code: 'ERR_QUEUE_STORE_REFUSED' });
      expect(String(error)).not.toMatch(/secret|hearsay/);
      expect(performance.now() - began).toBeLessThan(2_000);
      await push(backends.open({}, { url: locked.url }), entry());
    } finally {
      await backends.close();
      await locked.close();
    }
  });
});

/** The file's name is taken by a folder, so that what is written beside it cannot take its place. */
async function failTheSave(server: RedisServer): Promise<void> {
  mkdirSync(`${server.dataDir}/dump.rdb/inside`, { recursive: true });
  await server.command('BGSAVE');
  await until(
    async () => (await server.info('persistence')).rdb_last_bgsave_status === 'err',
    'a save that fails',
    5_000,
  );
}
