import { afterAll, afterEach, expect, it } from '@jest/globals';
import type { FailedJob } from '../../lib/contracts/failed-job-store.js';
import { describeRedis } from '../support/shared-redis.js';
import { StorePlaces } from './redis-store-places.js';

const keysIn = `app-${process.pid}`;
const noon = Date.UTC(2030, 0, 1, 12);

for (const kind of ['standalone', 'cluster'] as const) {
  describeRedis(`redis stores, ${kind}`, () => {
    const places = new StorePlaces(kind);
    const open = () => places.open();
    afterEach(() => places.clean());
    afterAll(() => places.drop());

    it(`locks end with their keys`, async () => {
      const { locks, keys } = await open();
      const raw = await places.raw();
      await locks.acquire('timed', 'a', 60_000);
      await locks.acquire('endless', 'a', Infinity);
      await locks.acquire('at once', 'a', 0);
      expect(await raw.pttl(keys.lock('timed'))).toBeGreaterThan(55_000);
      expect(await raw.pttl(keys.lock('endless'))).toBe(-1);
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(await raw.exists(keys.lock('at once'))).toBe(0);
    });

    it(`many locks are extended in one go`, async () => {
      const { locks, link } = await open();
      const held = Array.from({ length: 2_500 }, (_, index) => ({ key: `key-${index}`, owner: 'a', ttlMs: 60_000 }));
      await Promise.all(held.slice(0, 2_000).map(({ key, owner }) => locks.acquire(key, owner, 30_000)));
      link.sent.length = 0;
      const answers = await locks.extend(held);
      expect(answers.filter(Boolean)).toHaveLength(2_000);
      expect(answers.indexOf(false)).toBe(2_000);
      expect(link.sent).toHaveLength(2_500);
    });

    it(`a window's counter ends with it, and a refusal makes none`, async () => {
      const { limits } = await open();
      const raw = await places.raw();
      const tight = { key: 'tight', max: 1, windowMs: 60_000 };
      const wide = { key: 'wide', max: 9, windowMs: 60_000 };
      await limits.take([tight]);
      expect((await limits.take([wide, tight])).allowed).toBe(false);
      const [only, ...others] = await places.keys();
      expect(others).toEqual([]);
      expect(await raw.pttl(only!)).toBeGreaterThan(55_000);
    });

    it(`counts and pages of failed jobs read no record they do not answer with`, async () => {
      const { failed, link } = await open();
      const all = Array.from({ length: 40 }, (_, index) =>
        failure({ queue: index % 4 === 0 ? 'rare' : 'common', connection: `connection-${index % 2}` }),
      );
      await failed.record(all);
      link.sent.length = 0;
      expect(await failed.count({ queue: 'rare' })).toBe(10);
      expect(await failed.count({ connection: 'connection-1' })).toBe(20);
      expect(await failed.count({ queue: 'common', connection: 'connection-1' })).toBe(20);
      expect(link.sent).not.toContain('HMGET');
      const page = await failed.page({ queue: 'rare', limit: 3 });
      expect(page.jobs.map(({ id }) => id)).toEqual([36, 32, 28].map((index) => all[index]!.id));
      expect(link.sent.filter((name) => name === 'HMGET')).toHaveLength(1);
    });

    it(`pages go on among many failures of one moment, whatever is gone by then`, async () => {
      const { failed } = await open();
      const all = Array.from({ length: 700 }, () => failure());
      await failed.record(all);
      const first = await failed.page({ limit: 300 });
      await failed.forget(first.jobs.slice(-20).map(({ id }) => id));
      const second = await failed.page({ limit: 300, cursor: first.next! });
      const third = await failed.page({ limit: 300, cursor: second.next! });
      const seen = [...first.jobs, ...second.jobs, ...third.jobs].map(({ id }) => id);
      expect(seen).toEqual(all.map(({ id }) => id).reverse());
      expect(third.next).toBeUndefined();
      await expect(failed.page({ limit: 1, cursor: 'x' })).rejects.toThrow(/cursor is not one/);
    });

    it(`nothing is left of failed jobs that are gone`, async () => {
      const { failed } = await open();
      const all = Array.from({ length: 600 }, (_, index) => failure({ queue: `queue-${index % 3}` }));
      await failed.record(all);
      await failed.record([{ ...all[0]!, queue: 'moved', payload: 'p'.repeat(1_000_000) }]);
      expect((await failed.find(all[0]!.id))?.payload).toHaveLength(1_000_000);
      expect(await failed.forget([all[0]!.id, all[0]!.id, all[1]!.id])).toBe(2);
      expect(await failed.prune(new Date(noon))).toBe(598);
      // The number of the last record is not given out again.
      expect((await places.keys()).map((key) => key.split(':').at(-1))).toEqual(['count']);
    });

    it(`a failure without a moment is refused before anything is written`, async () => {
      const { failed } = await open();
      const bad = failure({ failedAt: new Date(NaN) });
      await expect(failed.record([failure(), bad])).rejects.toThrow(/failedAt is/);
      expect(await failed.count()).toBe(0);
    });

    it(`100,000 members are added in bounded steps`, async () => {
      const { batches, link } = await open();
      const memberIds = Array.from({ length: 100_000 }, (_, index) => `member-${index}`);
      const made = await batches.create(batch({ memberIds }));
      expect([made.totalJobs, made.pendingJobs, made.sealed]).toEqual([100_000, 100_000, true]);
      expect(link.sent.filter((name) => name === 'batch-create' || name === 'batch-grow')).toHaveLength(50);
      const end = await batches.recordEnd('batch', { jobId: memberIds.at(-1)!, outcome: 'done' });
      expect([end?.batch.pendingJobs, end?.finished]).toEqual([99_999, false]);
      expect(await batches.delete('batch')).toBe(true);
      expect(await places.keys()).toEqual([]);
    }, 20_000);

    it(`a batch whose maker is killed half-way stays unsealed`, async () => {
      const { batches, link } = await open();
      const memberIds = Array.from({ length: 5_000 }, (_, index) => `member-${index}`);
      link.cutAt = (name) => name === 'batch-grow';
      await expect(batches.create(batch({ memberIds }))).rejects.toThrow('killed here');
      link.cutAt = undefined;
      const half = (await batches.find('batch'))!;
      expect([half.sealed, half.totalJobs]).toEqual([false, 2_000]);
      const end = await batches.recordEnd('batch', {
        jobId: memberIds[0]!,
        outcome: 'failed',
        alsoEnded: memberIds.slice(1, 2_000),
      });
      expect([end?.batch.endedJobs, end?.finished]).toEqual([2_000, false]);
      expect(await batches.create(batch({ memberIds }))).toEqual(await batches.find('batch'));
    });

    it(`a batch is filled and sealed where the answer to its creation was lost`, async () => {
      const { batches, link } = await open();
      const memberIds = Array.from({ length: 5_000 }, (_, index) => `member-${index}`);
      link.between = async () => {};
      const made = await batches.create(batch({ memberIds }));
      expect([made.totalJobs, made.pendingJobs, made.sealed]).toEqual([5_000, 5_000, true]);
      const end = await batches.recordEnd('batch', { jobId: 'member-0', outcome: 'failed', alsoEnded: memberIds });
      expect([end?.batch.endedJobs, end?.batch.failedJobs, end?.batch.pendingJobs]).toEqual([5_000, 1, 5_000]);
      expect(end?.due).toEqual(['catch', 'finally']);
    });

    it(`what a crash leaves in the index of batches is passed over`, async () => {
      const { batches, link } = await open();
      await batches.create(batch({ id: 'first' }));
      for (const id of ['lost-1', 'lost-2', 'lost-3']) {
        link.cutAt = (name) => name === 'batch-create';
        await expect(batches.create(batch({ id }))).rejects.toThrow('killed here');
        link.cutAt = undefined;
      }
      await batches.create(batch({ id: 'last' }));
      link.cutAt = (name) => name === 'ZREM';
      await batches.create(batch({ id: 'gone' }));
      await expect(batches.delete('gone')).rejects.toThrow('killed here');
      link.cutAt = undefined;
      const page = await batches.page({ limit: 2 });
      expect(page.map(({ id }) => id)).toEqual(['last', 'first']);
      expect((await batches.unconfirmed(Date.now() + 60_000, 10)).map(({ batch: { id } }) => id)).toEqual([
        'first',
        'last',
      ]);
      expect(await batches.prune({ finished: Date.now() + 60_000 })).toBe(2);
      // They are not counted, and stay for an hour: their makers may be slow.
      expect(await batches.create(batch({ id: 'lost-2' }))).toMatchObject({ id: 'lost-2', totalJobs: 0 });
      expect((await batches.page({ limit: 5 })).map(({ id }) => id)).toEqual(['lost-2']);
    });

    it(`orphans of the index are struck out after an hour`, async () => {
      const { batches, keys } = await open();
      const raw = await places.raw();
      const index = keys.own('batches');
      const [seconds] = await raw.time();
      for (const set of ['all', 'open']) {
        await raw.zadd(
          `${index}:${set}`,
          (Number(seconds) - 3_700) * 1e6,
          'old',
          (Number(seconds) - 3_500) * 1e6,
          'young',
        );
      }
      expect(await batches.unconfirmed(Date.now(), 10)).toEqual([]);
      expect(await raw.zrange(`${index}:open`, 0, -1)).toEqual(['young']);
      expect(await raw.zrange(`${index}:all`, 0, -1)).toEqual(['young']);
    });

    it(`the sweep looks at batches as long as a callback may become due`, async () => {
      const { batches, keys } = await open();
      const raw = await places.raw();
      const openOnes = () => raw.zrange(`${keys.own('batches')}:open`, 0, -1);
      await batches.create(batch({ id: 'fine', memberIds: ['a'] }));
      await batches.create(batch({ id: 'broken', memberIds: ['a'] }));
      await batches.recordEnd('fine', { jobId: 'a', outcome: 'done' });
      await batches.confirm('fine', ['then']);
      expect(await openOnes()).toEqual(['fine', 'broken']);
      await batches.confirm('fine', ['finally']);
      await batches.recordEnd('broken', { jobId: 'a', outcome: 'failed' });
      await batches.confirm('broken', ['catch', 'finally']);
      expect(await openOnes()).toEqual(['broken']);
      // A retry completes it.
      await batches.recordEnd('broken', { jobId: 'a', outcome: 'done' });
      const [left] = await batches.unconfirmed(Date.now() + 60_000, 10);
      expect([left?.batch.id, left?.due]).toEqual(['broken', ['then']]);
      await batches.confirm('broken', ['then']);
      expect(await openOnes()).toEqual([]);
      expect(await batches.page({ limit: 5 })).toHaveLength(2);
    });

    it(`hundreds of batches are swept and pruned in groups`, async () => {
      const { batches } = await open();
      const ids = Array.from({ length: 350 }, (_, index) => `batch-${String(index).padStart(3, '0')}`);
      for (const id of ids) await batches.create(batch({ id, memberIds: id.endsWith('0') ? ['a'] : [] }));
      const due = await batches.unconfirmed(Date.now() + 60_000, 1_000);
      expect(due.map((one) => one.batch.id)).toEqual(ids.filter((id) => !id.endsWith('0')));
      expect(await batches.unconfirmed(Date.now() + 60_000, 150)).toHaveLength(150);
      expect(await batches.prune({ finished: Date.now() + 60_000 })).toBe(315);
      const left = (await batches.page({ limit: 1_000 })).map(({ id }) => id);
      expect(left).toEqual(ids.filter((id) => id.endsWith('0')).reverse());
    }, 20_000);

    it(`a key prefix of the client is in front of every key`, async () => {
      const raw = await places.raw();
      const { locks, limits, failed, batches, control, keys } = await places.open({ keyPrefix: `${keysIn}:` });
      const all = Array.from({ length: 3 }, () => failure());
      await locks.acquire('key', 'a', 60_000);
      await limits.take([{ key: 'key', max: 1, windowMs: 60_000 }]);
      await failed.record(all);
      await batches.create(batch({ memberIds: ['a'] }));
      await control.pause({ connection: 'redis', queue: 'a' });
      await control.restart('mark');
      const found = await places.keys(`${keysIn}:`);
      expect(found).toHaveLength(new Set(found).size);
      expect(found.length).toBeGreaterThan(10);
      expect(await places.keys()).toEqual([]);
      expect(await raw.get(`${keysIn}:${keys.lock('key')}`)).toBe('a');
      expect(await locks.extend([{ key: 'key', owner: 'a', ttlMs: 1_000 }])).toEqual([true]);
      expect((await failed.page({ queue: 'default', limit: 9 })).jobs).toHaveLength(3);
      expect((await batches.page({ limit: 9 })).map(({ id }) => id)).toEqual(['batch']);
      expect((await control.read('redis', ['a'])).paused).toEqual(['a']);
      // Everything that is taken away is found under the same names.
      await limits.clear(['key']);
      await failed.prune();
      await batches.delete('batch');
      await locks.forceRelease('key');
      await control.resume({ connection: 'redis', queue: 'a' });
      const left = await places.keys(`${keysIn}:`);
      expect(left.map((key) => key.split(':').at(-1))).toEqual(['restart', 'count']);
      await Promise.all(left.map((key) => raw.del(key)));
    });

    it(`control marks are read in one command`, async () => {
      const { control, link } = await open();
      await control.pause({ connection: 'redis', queue: 'b' });
      await control.restart('mark');
      link.sent.length = 0;
      const queues = Array.from({ length: 100 }, (_, index) => `queue-${index}`);
      const marks = await control.read('redis', [...queues, 'b']);
      expect(marks).toEqual({ restart: 'mark', allPaused: false, paused: ['b'] });
      expect(link.sent).toEqual(['MGET']);
    });
  });
}

function batch(over: object) {
  return { id: 'batch', name: 'Import', options: '{}', memberIds: [], sealed: true, cancelOnFailure: false, ...over };
}

let made = 0;
function failure(over: Partial<FailedJob> = {}): FailedJob {
  made += 1;
  return {
    id: `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`,
    connection: 'redis',
    queue: 'default',
    name: 'Job',
    displayName: 'Job',
    payload: '{"v":1}',
    exception: 'Error: broken',
    failedAt: new Date(noon),
    ...over,
  };
}
