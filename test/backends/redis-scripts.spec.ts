import { afterAll, afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import { StoreUnreachableError } from '../../lib/contracts/store-errors.js';
import type { PushEntry, ReservedJob } from '../../lib/contracts/queue-driver.js';
import { batchCancel } from '../../lib/backends/redis/scripts/batch-cancel.js';
import { batchConfirm } from '../../lib/backends/redis/scripts/batch-confirm.js';
import { batchEnd } from '../../lib/backends/redis/scripts/batch-end.js';
import { batchSeal } from '../../lib/backends/redis/scripts/batch-seal.js';
import { leaseOf } from '../../lib/backends/redis/lease-token.js';
import { exchangeScript } from '../../lib/backends/redis/scripts/exchange.js';
import { reclaimScript } from '../../lib/backends/redis/scripts/reclaim.js';
import { renewScript } from '../../lib/backends/redis/scripts/renew.js';
import type { Script } from '../../lib/backends/redis/script.js';
import { timeOrderedUuid } from '../../lib/support/time-ordered-uuid.js';
import { startRedis } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { entries, entry, SharedRedisBackends, sleep } from './redis-harness.js';
import { redisParts } from './redis-parts.js';
import { request } from './sqlite-harness.js';

/** As a dispatch makes them: ids that tell the moment. */
const fresh = (over: Partial<PushEntry> = {}): PushEntry => entry({ id: timeOrderedUuid(Date.now()), ...over });
const freshOnes = (count: number, over: Partial<PushEntry> = {}): PushEntry[] =>
  Array.from({ length: count }, () => fresh(over));
const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map(({ id }) => id);
const acks = (jobs: readonly ReservedJob[]) => jobs.map((job) => ({ kind: 'ack' as const, job }));
const ok = { ok: true };
const lost = { ok: false, reason: 'lease-lost' };

const places = new SharedRedisBackends('standalone');
let parts: ReturnType<typeof redisParts>;
let base: string;
let raw: Redis | Cluster;
const warn = jest.fn();

describeRedis('the scripts of a queue on redis', () => {
  beforeEach(async () => {
    const place = await places.place();
    warn.mockClear();
    parts = redisParts(place, { warn });
    base = parts.keys.base('default');
    raw = await places.raw();
  });
  afterEach(async () => {
    await parts.close();
    await places.clean();
  });
  afterAll(() => places.drop());

  const push = async (...jobs: PushEntry[]): Promise<void> =>
    expect(await parts.queue.push(jobs)).toEqual(jobs.map(() => ({ stored: true })));
  const take = (limit = 100, over = {}) => parts.queue.reserve(request({ limit, ...over }));

  it('keep of a plain job its body and its place alone', async () => {
    await push(...freshOnes(3));
    const names = await places.keys();
    expect(names.filter((name) => name.startsWith(base))).toEqual([`${base}:bell`, `${base}:jobs`, `${base}:ready`]);
    expect(await raw.hlen(`${base}:jobs`)).toBe(3);
    const jobs = await take();
    expect(await parts.queue.settle(acks(jobs))).toEqual([ok, ok, ok]);
    expect((await places.keys()).filter((name) => name.startsWith(base))).toEqual([]);
  });

  it('need under 258 bytes for a job with a payload of 25', async () => {
    const count = 10_000;
    const body = (id: string): string =>
      `{"v":1,"uuid":"${id}","name":"noop","data":{"n":1000000,"p":"xxxx"},"pushedAt":1700000000000}`;
    await push(...freshOnes(count).map((one) => ({ ...one, body: body(one.id) })));
    let bytes = 0;
    for (const name of await places.keys()) bytes += (await raw.memory('USAGE', name, 'SAMPLES', 0)) ?? 0;
    expect(bytes / count).toBeLessThan(258);
    expect(bytes / count).toBeGreaterThan(100);
  });

  it('are one for many pushes, and one for many acks and the claim behind them', async () => {
    const { link, queue } = parts;
    // With the first job of a queue its name is written.
    await push(fresh());
    link.trips.length = 0;
    await Promise.all(freshOnes(100).map((one) => push(one)));
    expect(link.trips).toEqual(['push']);
    const jobs = await take(50);
    link.trips.length = 0;
    const answer = await queue.exchange(acks(jobs), request({ limit: 50 }));
    expect(answer.settled).toEqual(jobs.map(() => ok));
    expect(answer.jobs).toHaveLength(50);
    expect(link.trips).toEqual(['plain-exchange']);
  });

  it('keep the order of thousands that are pushed, and taken, in one call', async () => {
    const all = freshOnes(2_500).map((one, at) =>
      at % 100 === 7 ? { ...one, lock: { key: one.id, owner: 'o', ttlMs: 1e6 } } : one,
    );
    await push(...all);
    expect(ids(await take(2_500))).toEqual(ids(all));
  });

  it('give what is due at one moment in the order of its pushes, before what came later', async () => {
    const first = entries(1_200, { delayMs: 300 });
    const second = entries(50, { delayMs: 300 });
    // Both in one moment, as far as the clock can tell them apart.
    await Promise.all([push(...first), push(...second)]);
    await sleep(450);
    const late = fresh();
    await push(late);
    const { pending, delayed } = (await parts.queue.size(['default']))[0]!;
    expect([pending, delayed]).toEqual([1_251, 0]);
    const taken = [...(await take(1_000)), ...(await take(1_000))];
    expect(ids(taken)).toEqual(ids([...first, ...second, late]));
  });

  it('give what stalled in the order in which it was claimed, before what came later', async () => {
    const all = entries(40);
    await push(...all);
    await take(40, { leaseMs: 200 });
    await sleep(350);
    const late = fresh();
    await push(late);
    const back = await take();
    expect(ids(back)).toEqual(ids([...all, late]));
    expect(back.map(({ stalls, attempts }) => [stalls, attempts])).toEqual([...all.map(() => [1, 2]), [0, 1]]);
  });

  it('tell since when the oldest job waits, whatever its id', async () => {
    const before = Date.now();
    await push(entry());
    await sleep(60);
    await push(fresh({ priority: 5 }), fresh());
    const oldest = async () => (await parts.queue.size(['default']))[0]!.oldestPendingAt!;
    expect(Math.abs((await oldest()) - before)).toBeLessThan(50);
    const [urgent, old] = await take(2);
    expect(urgent!.priority).toBe(5);
    expect((await oldest()) - before).toBeGreaterThanOrEqual(55);
    await parts.queue.settle([{ kind: 'release', job: old!, delayMs: 0 }]);
    await take(1);
    expect((await oldest()) - before).toBeGreaterThanOrEqual(60);
  });

  it('put an id aside whose body is gone, say so, and serve the next', async () => {
    const all = freshOnes(4);
    await push(...all);
    await raw.hdel(`${base}:jobs`, all[0]!.id, all[2]!.id);
    const jobs = await take(2);
    expect(ids(jobs)).toEqual([all[1]!.id, all[3]!.id]);
    expect(new Set(jobs.map(({ token }) => token)).size).toBe(2);
    expect(await raw.lrange(`${base}:broken`, 0, -1)).toEqual([all[0]!.id, all[2]!.id]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain(`${base}:broken`);
    expect(await parts.queue.settle(acks(jobs))).toEqual([ok, ok]);
  });

  it('ring for what a claim leaves behind, with one marker', async () => {
    await push(...freshOnes(3));
    await push(fresh());
    expect(await raw.llen(`${base}:bell`)).toBe(1);
    await raw.del(`${base}:bell`);
    await take(2);
    expect(await raw.llen(`${base}:bell`)).toBe(1);
    await take(10);
    expect(await raw.llen(`${base}:bell`)).toBe(0);
  });

  it('find what a claim took whose answer was lost', async () => {
    const all = freshOnes(5);
    await push(...all);
    parts.link.losing = 1;
    await expect(take(4)).rejects.toBeInstanceOf(StoreUnreachableError);
    // The worker has room for fewer by now: the others go back as if they had not been taken.
    const found = await take(3);
    expect(ids(found)).toEqual(ids(all.slice(0, 3)));
    expect(await parts.queue.settle(acks(found))).toEqual([ok, ok, ok]);
    const rest = await take();
    expect(ids(rest).sort()).toEqual(ids(all.slice(3)).sort());
    expect(rest.map(({ attempts, stalls }) => [attempts, stalls])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it('find what an exchange took whose answer was lost, and what it settled', async () => {
    const all = freshOnes(3);
    await push(...all);
    const [first] = await take(1);
    parts.link.losing = 1;
    const answer = await parts.queue.exchange(acks([first!]), request({ limit: 1 }));
    expect(answer.jobs).toEqual([]);
    expect(answer.settled[0]).toMatchObject({ ok: false, reason: 'error' });
    const again = await parts.queue.exchange(acks([first!]), request({ limit: 5 }));
    expect(again.settled).toEqual([ok]);
    expect(ids(again.jobs)).toEqual([all[1]!.id]);
    expect(await parts.queue.settle(acks([first!]))).toEqual([lost]);
  });

  it('accept a release whose answer was lost once, and count it once', async () => {
    await push(fresh());
    const [job] = await take(1);
    const release = { kind: 'release' as const, job: job!, delayMs: 0, memo: 'memo' };
    parts.link.losing = 1;
    expect((await parts.queue.settle([release]))[0]).toMatchObject({ ok: false, reason: 'error' });
    expect(await parts.queue.settle([release])).toEqual([ok]);
    expect(await take(1)).toMatchObject([{ id: job!.id, attempts: 2, memo: 'memo' }]);
  });

  it('refuse a settlement whose answer was lost where another worker has the job', async () => {
    await push(fresh());
    const [job] = await take(1);
    parts.link.losing = 1;
    await parts.queue.settle([{ kind: 'release', job: job!, delayMs: 0 }]);
    expect(await take(1)).toHaveLength(1);
    expect(await parts.queue.settle(acks([job!]))).toEqual([lost]);
  });

  it('say that a push may be stored whose answer was lost', async () => {
    const one = fresh();
    await push(fresh());
    parts.link.losing = 1;
    await expect(parts.queue.push([one])).rejects.toMatchObject({ outcome: 'unknown' });
    expect(await parts.queue.push([one])).toEqual([{ stored: false, reason: 'exists' }]);
  });

  it('know an id in another queue, for ids that were not made just now', async () => {
    const one = entry();
    await push(one, entry({ queue: 'other' }));
    const answers = await parts.queue.push([
      { ...one, queue: 'other' },
      fresh({ queue: 'other' }),
      { ...one, queue: 'third' },
    ]);
    expect(answers).toEqual([
      { stored: false, reason: 'exists' },
      { stored: true },
      { stored: false, reason: 'exists' },
    ]);
  });

  it('leave what does not fit into one answer to the next claim, and ring for it', async () => {
    const all = freshOnes(1_700).map((one, at) => ({ ...one, priority: 1_700 - at }));
    await push(...all);
    await raw.del(`${base}:bell`);
    const first = await take(1_700);
    expect(ids(first)).toEqual(ids(all.slice(0, 1_000)));
    expect(await raw.llen(`${base}:bell`)).toBe(1);
    const second = await take(1_700);
    expect(ids(second)).toEqual(ids(all.slice(1_000)));
    expect(await parts.queue.settle(acks([...first, ...second]))).toEqual(all.map(() => ok));
  });
});

describeRedis('the scripts without flags, as servers before 7 get them', () => {
  it(
    'run on a full server, where they only go on with what is there',
    async () => {
      const server = await startRedis();
      const place = { url: server.url, prefix: 'p' };
      const full = redisParts(place);
      try {
        const all = freshOnes(3);
        expect(await full.queue.push(all)).toHaveLength(3);
        const held = await full.queue.reserve(request({ limit: 2 }));
        const nonce = held[0]!.token.split('.')[0]!;
        const members = ['a', 'b'];
        await full.batches.create({
          id: 'x',
          name: '',
          options: '',
          memberIds: members,
          sealed: false,
          cancelOnFailure: false,
        });
        await server.command('CONFIG', 'SET', 'maxmemory', '1');
        const own = full.keys.base('default');
        const batch = full.keys.keyspace.batch('x');
        const run = ({ plain }: Script, key: string, ...args: (string | number)[]) =>
          full.link.send('EVAL', [plain.text, 1, key, ...args], { ms: 2_000, lost: 'tell' });
        expect(await run(renewScript, own, 60_000, ...held.flatMap((job) => [1, leaseOf(job)]))).toBe(0);
        expect(await run(reclaimScript, own, nonce, 60_000, 1)).toHaveLength(17);
        expect(await run(batchEnd, batch, 'a', 'done')).toBeTruthy();
        expect(await run(batchSeal, batch)).toBeTruthy();
        expect(await run(batchCancel, batch)).toBeTruthy();
        expect(await run(batchConfirm, batch, 'then')).not.toBe(-2);
        expect(await run(exchangeScript, own, 1, 1, 30_000, 'nonce')).toHaveLength(9);
      } finally {
        await full.close();
        await server.close();
      }
    },
    START_LIMIT_MS,
  );
});
