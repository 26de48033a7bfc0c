import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { FailedJob } from '../../../lib/contracts/failed-job-store.js';
import { describeServer, useDatabase } from '../../support/shared-servers.js';
import { SideStores, type SideKind } from './server-side-harness.js';

const minute = 60_000;
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

describeServer('postgres', 'side stores on Postgres', () => sideStores('postgres'));
describeServer('mysql', 'side stores on MySQL', () => sideStores('mysql'));

function sideStores(kind: SideKind): void {
  const database = useDatabase(kind);
  let side: SideStores;
  beforeAll(async () => {
    side = new SideStores(kind, database.url);
    await side.install();
  });
  beforeEach(async () => {
    await side.empty();
    side.conflicts = 0;
  });
  afterAll(() => side.close());

  describe('locks', () => {
    it('one of many takes over a lock that ran out, and none of them meets a deadlock', async () => {
      for (let round = 0; round < 10; round++) {
        await side.locks.acquire(`key ${round}`, 'dead', 0);
        const answers = await Promise.all(times(24, (at) => side.locks.acquire(`key ${round}`, `owner ${at}`, minute)));
        expect(answers.filter(Boolean)).toHaveLength(1);
        expect(await side.locks.owner(`key ${round}`)).toBe(`owner ${answers.indexOf(true)}`);
      }
      expect(side.conflicts).toBe(0);
    });

    it('a lock taken within a transaction goes with it', async () => {
      const lock = { key: 'key', owner: 'a', ttlMs: minute };
      const rolledBack = side.write(async (link) => {
        expect(await side.lockRows.take(link, lock)).toEqual({ taken: true });
        expect(await side.lockRows.take(link, { ...lock, owner: 'b' })).toEqual({ taken: false, by: 'a' });
        throw new Error('rolled back');
      });
      await expect(rolledBack).rejects.toThrow('rolled back');
      expect(await side.locks.owner('key')).toBeUndefined();
      await side.write((link) => side.lockRows.take(link, lock));
      expect(await side.locks.owner('key')).toBe('a');
    });

    it('those who take one lock within transactions wait for each other, without a deadlock', async () => {
      const answers = await Promise.all(
        times(30, (at) =>
          side.write((link) => side.lockRows.take(link, { key: 'key', owner: `owner ${at}`, ttlMs: minute })),
        ),
      );
      const taken = answers.findIndex((answer) => answer.taken);
      expect(answers.filter((answer) => answer.taken)).toHaveLength(1);
      for (const answer of answers) expect(answer.taken || answer.by === `owner ${taken}`).toBe(true);
      expect(side.conflicts).toBe(0);
    });

    it('locks are extended by many at once in any order, without a deadlock', async () => {
      const locks = times(40, (at) => ({ key: `key ${at}`, owner: 'a', ttlMs: at % 2 ? minute : 2 * minute }));
      for (const { key, owner } of locks) await side.locks.acquire(key, owner, minute);
      const backwards = [...locks].reverse();
      const answers = await Promise.all(times(16, (at) => side.locks.extend(at % 2 ? locks : backwards)));
      expect(answers.flat().every(Boolean)).toBe(true);
      expect(side.conflicts).toBe(0);
    });

    it('of many who replace at once each hears of the one before it', async () => {
      const owners = times(24, (at) => `owner ${at}`);
      const before = await Promise.all(owners.map((owner) => side.locks.replace('key', owner, minute)));
      const last = await side.locks.owner('key');
      expect([...before, last].filter((one) => one !== undefined).sort()).toEqual([...owners].sort());
    });

    it('a lock for longer than the clock can count has no end', async () => {
      expect(await side.locks.acquire('key', 'a', Number.MAX_VALUE)).toBe(true);
      expect(await side.locks.extend([{ key: 'key', owner: 'a', ttlMs: Number.MAX_SAFE_INTEGER }])).toEqual([true]);
      expect(await side.locks.owner('key')).toBe('a');
    });

    it('long keys that differ at their end are locks of their own', async () => {
      const keys = ['a', 'b'].map((end) => 'k'.repeat(5_000) + end);
      for (const key of keys) expect(await side.locks.acquire(key, key, minute)).toBe(true);
      expect(await Promise.all(keys.map((key) => side.locks.owner(key)))).toEqual(keys);
    });
  });

  describe('limits', () => {
    it('keys are hit by many at once in any order, without a deadlock once they are there', async () => {
      const limits = times(5, (at) => ({ key: `key ${at}`, max: 1_000, windowMs: minute }));
      await side.limits.take(limits);
      side.conflicts = 0;
      const backwards = [...limits].reverse();
      await Promise.all(times(40, (at) => side.limits.take(at % 2 ? limits : backwards)));
      expect((await side.limits.peek(limits)).remaining).toBe(1_000 - 41);
      expect(side.conflicts).toBe(0);
    });

    it('a key that stands there twice is hit twice', async () => {
      const limit = { key: 'key', max: 5, windowMs: minute };
      expect((await side.limits.take([limit, limit])).remaining).toBe(3);
      expect((await side.limits.take([])).allowed).toBe(true);
    });
  });

  describe('failed jobs', () => {
    it('one id recorded by many at once is one record', async () => {
      const id = randomUUID();
      await Promise.all(times(20, (at) => side.failed.record([failure({ id, exception: String(at) })])));
      expect(await side.failed.count()).toBe(1);
      expect((await side.failed.find(id))?.exception).toMatch(/^\d+$/);
    });

    it('records of a megabyte are stored beside small ones', async () => {
      const all = times(7, (at) =>
        failure({ payload: 'ü'.repeat(at % 2 ? 400_000 : 10), exception: 'x'.repeat(65_536) }),
      );
      await side.failed.record(all);
      for (const one of all) expect((await side.failed.find(one.id))?.payload === one.payload).toBe(true);
      expect((await side.failed.page({ limit: 10 })).jobs.map(({ id }) => id)).toEqual(
        all.map(({ id }) => id).reverse(),
      );
    });

    it('a record that is rolled back leaves the earlier one', async () => {
      const one = failure({ exception: 'first' });
      await side.failed.record([one]);
      const rolledBack = side.write(async (link) => {
        await side.failedRows.record(link, [{ ...one, exception: 'second' }]);
        throw new Error('rolled back');
      });
      await expect(rolledBack).rejects.toThrow('rolled back');
      expect((await side.failed.find(one.id))?.exception).toBe('first');
    });

    it('a cursor that is none of ours is the end', async () => {
      await side.failed.record([failure()]);
      for (const cursor of ['', 'x', "'; DROP TABLE", '1.5.7', 'NaN.NaN', '1e400.1']) {
        expect(Array.isArray((await side.failed.page({ limit: 5, cursor })).jobs)).toBe(true);
      }
    });
  });

  describe('batches', () => {
    it('one id created by many at once is one batch', async () => {
      const made = await Promise.all(
        times(12, (at) => side.batches.create(batch({ memberIds: [`member ${at}`, 'shared'] }))),
      );
      expect(new Set(made.map(({ totalJobs, createdAt }) => `${totalJobs} ${createdAt}`)).size).toBe(1);
    });

    it('members are counted once, however many there are and wherever they stand', async () => {
      const ids = times(5_000, (at) => `member ${at % 4_500}`);
      expect((await side.batches.create(batch({ memberIds: ids }))).totalJobs).toBe(4_500);
      const growths = await Promise.all(
        times(4, (at) =>
          side.batches.grow(
            'batch',
            times(300, (one) => `new ${one + at * 100}`),
          ),
        ),
      );
      expect(growths.every((growth) => growth?.grown)).toBe(true);
      expect((await side.batches.find('batch'))?.totalJobs).toBe(4_500 + 600);
      expect((await side.batches.find('batch'))?.sealed).toBe(true);
    });

    it('ends, growth and pruning at once leave no half of a batch', async () => {
      for (let round = 0; round < 5; round++) {
        const id = `round ${round}`;
        await side.batches.create(batch({ id, memberIds: times(20, String) }));
        const until = (await side.batches.find(id))!.createdAt + minute;
        await Promise.all([
          ...times(20, (at) =>
            side.batches.recordEnd(id, { jobId: String(at), outcome: 'done', alsoEnded: ['3', '5'] }),
          ),
          side.batches.grow(id, ['late']),
          side.batches.prune({ unfinished: until }),
        ]);
        await side.batches.prune({ unfinished: until });
        await side.batches.prune({ finished: until });
        expect(await side.batches.find(id)).toBeUndefined();
      }
      const left = await side.read((link) =>
        link.query(side.flavour.statement(`SELECT count(*) AS rows_left FROM ${side.tables.quoted.members}`), []),
      );
      expect(Number(left.rows[0]![0])).toBe(0);
      expect(side.conflicts).toBe(0);
    });
  });

  it('a page of control marks for more queues than one statement takes', async () => {
    const queues = times(300, (at) => `queue ${at}`);
    await side.control.pause({ connection: 'database', queue: 'queue 299' });
    await side.control.restart('mark');
    expect(await side.control.read('database', queues)).toEqual({
      restart: 'mark',
      allPaused: false,
      paused: ['queue 299'],
    });
  });
}

function failure(over: Partial<FailedJob> = {}): FailedJob {
  const failedAt = new Date(1_900_000_000_000);
  const names = { connection: 'database', queue: 'default', name: 'Job', displayName: 'Job' };
  return { id: randomUUID(), ...names, payload: '{}', exception: 'Error', failedAt, ...over };
}

function batch(over: { readonly id?: string; readonly memberIds: readonly string[] }) {
  return { id: 'batch', name: 'Import', options: '{}', sealed: true, cancelOnFailure: false, ...over };
}
