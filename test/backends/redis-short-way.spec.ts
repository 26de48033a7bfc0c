import { afterAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Cluster, Redis } from 'ioredis';
import type { BatchProgress, NewBatch } from '../../lib/contracts/batch-store.js';
import type { PushEntry, ReservedJob, Settlement, SettleResult } from '../../lib/contracts/queue-driver.js';
import { MemoryBatchStore } from '../../lib/backends/memory/memory-batch-store.js';
import { systemClock } from '../../lib/support/clock.js';
import { timeOrderedUuid } from '../../lib/support/time-ordered-uuid.js';
import { describeRedis } from '../support/shared-redis.js';
import { entry, SharedRedisBackends } from './redis-harness.js';
import { redisParts } from './redis-parts.js';
import { request } from './sqlite-harness.js';

const fresh = (over: Partial<PushEntry> = {}): PushEntry => entry({ id: timeOrderedUuid(Date.now()), ...over });
const freshOnes = (count: number): PushEntry[] => Array.from({ length: count }, () => fresh());
const ids = (jobs: readonly { readonly id: string }[]): string[] => jobs.map(({ id }) => id);
const ack = (job: ReservedJob): Settlement => ({ kind: 'ack', job });
const done = (batchId: string, job: ReservedJob): Settlement => ({
  kind: 'ack',
  job,
  effects: { member: { batchId, jobId: job.id, outcome: 'done' } },
});
const failed = (batchId: string, job: ReservedJob, alsoEnded: readonly string[] = []): Settlement => ({
  kind: 'ack',
  job,
  effects: { member: { batchId, jobId: job.id, outcome: 'failed', alsoEnded } },
});
const progressOf = (result: SettleResult | undefined): BatchProgress | undefined =>
  result?.ok ? result.progress : undefined;
const ok = { ok: true };
const lost = { ok: false, reason: 'lease-lost' };
const cancelled = { ok: false, reason: 'cancelled' };

const places = new SharedRedisBackends('standalone');
let parts: ReturnType<typeof redisParts>;
let base: string;
let raw: Redis | Cluster;
const warn = jest.fn();

/** A job of another priority keeps a queue off the short way: both ways must come to the same. */
const WAYS = [
  { way: 'the short way', isShort: true },
  { way: 'the long way', isShort: false },
];

describeRedis('an exchange of plain jobs on redis', () => {
  beforeEach(async () => {
    warn.mockClear();
    parts = redisParts(await places.place(), { warn });
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
  const take = (limit = 100) => parts.queue.reserve(request({ limit }));
  const exchange = (settlements: Settlement[], limit = 100) =>
    parts.queue.exchange(settlements, request({ queues: ['default'], limit }));
  const reads = () => jest.spyOn(parts.link, 'all');
  const batch = (id: string, memberIds: readonly string[], over: Partial<NewBatch> = {}) =>
    parts.batches.create({ id, name: '', options: '', memberIds, sealed: true, cancelOnFailure: false, ...over });
  const counters = async (id: string) => {
    const { totalJobs, pendingJobs, failedJobs, endedJobs } = (await parts.batches.find(id))!;
    return [totalJobs, pendingJobs, failedJobs, endedJobs];
  };

  describe.each(WAYS)('by $way', ({ isShort }) => {
    beforeEach(async () => {
      if (!isShort) await push(fresh({ priority: -5 }));
    });
    /** What is left over of it. */
    const low = isShort ? 0 : 1;

    it('refuses reservations that are not there, each for its reason, and takes the others and the next jobs', async () => {
      const all = freshOnes(8);
      await push(...all);
      const [a, b, c, d, e] = await take(5);
      expect(await parts.queue.settle([ack(b!)])).toEqual([ok]);
      expect(await parts.queue.inspection.remove(d!.id)).toBe(true);
      parts.link.trips.length = 0;
      const forged = { ...e!, token: `${'x'.repeat(22)}.10001` };
      const answer = await exchange([ack(a!), ack(b!), ack(c!), ack(d!), ack(forged)], 2);
      expect(answer.settled).toEqual([ok, lost, ok, cancelled, lost]);
      expect(ids(answer.jobs)).toEqual(ids(all.slice(5, 7)));
      expect(parts.link.trips).toEqual(['plain-exchange']);
      expect((await exchange([ack(e!), ...answer.jobs.map(ack)], 1)).settled).toEqual([ok, ok, ok]);
      expect(await raw.zcard(`${base}:leased`)).toBe(1);
      expect(await raw.hlen(`${base}:jobs`)).toBe(1 + low);
    });

    it('puts aside what has lost its body, and gives the jobs behind it in their order', async () => {
      const all = freshOnes(9);
      await push(...all);
      const held = await take(2);
      await raw.hdel(`${base}:jobs`, all[2]!.id, all[5]!.id);
      const answer = await exchange(held.map(ack), 5);
      expect(answer.settled).toEqual([ok, ok]);
      expect(ids(answer.jobs)).toEqual(ids([all[3]!, all[4]!, all[6]!, all[7]!, all[8]!]));
      expect(new Set(answer.jobs.map(({ token }) => token)).size).toBe(5);
      expect(await raw.lrange(`${base}:broken`, 0, -1)).toEqual([all[2]!.id, all[5]!.id]);
      expect(warn).toHaveBeenCalledTimes(1);
      expect((await exchange(answer.jobs.map(ack), 0)).settled).toEqual(answer.jobs.map(() => ok));
      expect(await raw.zcard(`${base}:leased`)).toBe(0);
    });

    it('does both at once, with members among them', async () => {
      const all = freshOnes(6);
      await push(...all);
      const held = await take(4);
      await batch('a', ids(all.slice(0, 4)));
      await parts.queue.settle([ack(held[1]!)]);
      await raw.hdel(`${base}:jobs`, all[4]!.id);
      const answer = await exchange([done('a', held[0]!), done('a', held[1]!), ack(held[3]!), done('a', held[2]!)], 1);
      expect(answer.settled.map(({ ok: isFine }) => isFine)).toEqual([true, false, true, true]);
      expect(answer.settled.map((one) => progressOf(one)?.started)).toEqual([undefined, undefined, undefined, true]);
      expect(ids(answer.jobs)).toEqual([all[5]!.id]);
      expect(await counters('a')).toEqual([4, 2, 0, 2]);
    });

    it('counts members with one trip, and reads their batch where something came of it', async () => {
      const all = freshOnes(10);
      await push(...all);
      await batch('a', ids(all));
      let held = await take(2);
      const read = reads();
      const told: (BatchProgress | undefined)[] = [];
      const readings: number[] = [];
      while (held.length > 0) {
        read.mockClear();
        parts.link.trips.length = 0;
        const answer = await exchange(
          held.map((job) => done('a', job)),
          held.length === 2 && held[0]!.id === all[8]!.id ? 0 : 2,
        );
        expect(parts.link.trips).toEqual(['plain-exchange']);
        readings.push(read.mock.calls.length);
        told.push(...answer.settled.map(progressOf));
        held = [...answer.jobs];
      }
      expect(readings).toEqual([1, 0, 0, 0, 1]);
      const some = told.map((one) => one && [one.counted, one.started, one.finished, one.cancelled, ...one.due]);
      expect(some.filter(Boolean)).toEqual([
        [true, true, false, false],
        [true, false, true, false, 'then', 'finally'],
      ]);
      expect(some[9]).toBeDefined();
      expect(told.at(-1)!.batch).toMatchObject({ pendingJobs: 0, endedJobs: 10, failedJobs: 0 });
    });

    it('counts members that failed before, stood behind, or are strangers one by one', async () => {
      const all = freshOnes(6);
      await push(...all);
      const held = await take(6);
      await batch('a', ids(all.slice(0, 4)));
      await parts.batches.recordEnd('a', { jobId: all[0]!.id, outcome: 'failed', alsoEnded: [all[1]!.id] });
      await parts.batches.confirm('a', ['catch']);
      const settled = await parts.queue.settle([
        done('a', held[0]!),
        done('a', held[1]!),
        done('a', held[4]!),
        done('a', held[2]!),
        done('gone', held[5]!),
      ]);
      expect(settled).toEqual([ok, ok, ok, ok, ok]);
      expect(await counters('a')).toEqual([4, 1, 0, 3]);
      expect((await parts.batches.find('a'))!.failedJobIds).toEqual([]);
      const [last] = await parts.queue.settle([done('a', held[3]!)]);
      expect(progressOf(last)).toMatchObject({ started: false, finished: true, due: ['then', 'finally'] });
    });

    it('tells of a callback that is due until it is confirmed, with every end', async () => {
      const all = freshOnes(5);
      await push(...all);
      const held = await take(5);
      await batch('a', ids(all));
      const [first] = await parts.queue.settle([failed('a', held[0]!)]);
      expect(progressOf(first)).toMatchObject({ started: true, cancelled: false, due: ['catch'] });
      const [second] = await parts.queue.settle([done('a', held[1]!)]);
      expect(progressOf(second)).toMatchObject({ started: false, due: ['catch'] });
      await parts.batches.confirm('a', ['catch']);
      expect(await parts.queue.settle([done('a', held[2]!)])).toEqual([ok]);
      expect(await parts.queue.settle([failed('a', held[3]!)])).toEqual([ok]);
      const [last] = await parts.queue.settle([done('a', held[4]!)]);
      expect(progressOf(last)).toMatchObject({ finished: true, due: ['finally'] });
    });

    it('does not finish a batch that is still being filled', async () => {
      const all = freshOnes(2);
      await push(...all);
      const held = await take(2);
      await batch('a', ids(all), { sealed: false });
      const settled = await parts.queue.settle(held.map((job) => done('a', job)));
      expect(progressOf(settled[1])).toMatchObject({ started: true, finished: false, due: [] });
      expect(await parts.batches.seal('a')).toMatchObject({ finished: true, due: ['then', 'finally'] });
    });

    it('comes to the same as one end after the other, whatever ends together', async () => {
      const random = numbers(7);
      for (let round = 0; round < 12; round += 1) {
        const all = freshOnes(30);
        await push(...all);
        const held = new Map((await take(30)).map((job) => [job.id, job]));
        const model = new MemoryBatchStore(systemClock);
        const names = [`${round}-a`, `${round}-b`, `${round}-c`];
        for (const [at, id] of names.entries()) {
          const over = { memberIds: ids(all.slice(at * 10, at * 10 + 10)), cancelOnFailure: random() < 0.5 };
          const made = { id, name: '', options: '', sealed: random() < 0.7, ...over };
          await model.create(made);
          await batch(id, made.memberIds, made);
        }
        const flags = new Map<string, number>();
        const expected = new Map<string, number>();
        const count = (of: Map<string, number>, progress: BatchProgress | undefined): void => {
          for (const flag of ['started', 'finished', 'cancelled'] as const) {
            const name = `${progress?.batch.id} ${flag}`;
            if (progress?.[flag]) of.set(name, (of.get(name) ?? 0) + 1);
          }
        };
        const order = all.map((one, at) => ({ one, at, by: random() })).sort((x, y) => x.by - y.by);
        while (order.length > 0) {
          const some = order.splice(0, 1 + Math.floor(random() * 8)).map(({ one, at }): Settlement => {
            const job = held.get(one.id)!;
            const name = names[Math.floor(at / 10)]!;
            const kind = random();
            if (kind < 0.2) return failed(name, job, [all[(at + 1) % 30]!.id]);
            return kind < 0.3 ? ack(job) : done(name, job);
          });
          const settled = await parts.queue.settle(some);
          settled.forEach((result) => count(flags, progressOf(result)));
          for (const { effects } of inTheirOrder(some)) {
            if (effects) count(expected, await model.recordEnd(effects.member!.batchId, effects.member!));
          }
        }
        expect(Object.fromEntries(flags)).toEqual(Object.fromEntries(expected));
        for (const id of names) {
          const { totalJobs, pendingJobs, failedJobs, endedJobs, failedJobIds } = (await model.find(id))!;
          expect(await counters(id)).toEqual([totalJobs, pendingJobs, failedJobs, endedJobs]);
          const found = (await parts.batches.find(id))!;
          expect([...found.failedJobIds].sort()).toEqual([...failedJobIds].sort());
        }
      }
    });
  });

  it('names what is due where the answer was lost, and has counted the member once', async () => {
    const all = freshOnes(1);
    await push(...all);
    const held = await take(1);
    await batch('a', ids(all));
    parts.link.losing = 1;
    const [unknown] = await parts.queue.settle([done('a', held[0]!)]);
    expect(unknown).toMatchObject({ ok: false, reason: 'error' });
    const [again] = await parts.queue.settle([done('a', held[0]!)]);
    expect(progressOf(again)).toMatchObject({ counted: false, finished: false, due: ['then', 'finally'] });
    expect(await counters('a')).toEqual([1, 0, 0, 1]);
  });

  it('is accepted where the batch cannot be read after it', async () => {
    const all = freshOnes(2);
    await push(...all);
    const held = await take(1);
    await batch('a', ids(all));
    reads().mockRejectedValue(new Error('away'));
    const answer = await exchange([done('a', held[0]!)], 1);
    expect(answer.settled).toEqual([ok]);
    expect(ids(answer.jobs)).toEqual([all[1]!.id]);
    expect(await counters('a')).toEqual([2, 1, 0, 1]);
  });
});

/** Members that have succeeded are counted before the others of a call. */
function inTheirOrder(settlements: readonly Settlement[]): readonly Settlement[] {
  const isDone = ({ effects }: Settlement): boolean => effects?.member?.outcome === 'done';
  return [...settlements.filter(isDone), ...settlements.filter((one) => !isDone(one))];
}

/** The same ones each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
