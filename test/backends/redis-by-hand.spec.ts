import { afterAll, afterEach, expect, it } from '@jest/globals';
import { leaseOf } from '../../lib/backends/redis/lease-token.js';
import { Keyspace } from '../../lib/backends/redis/keyspace.js';
import { RedisLinks } from '../../lib/backends/redis/redis-links.js';
import { redisPlace } from '../../lib/backends/redis/redis-options.js';
import type { Backend } from '../../lib/contracts/backend.js';
import type { JobState, StoredJob } from '../../lib/contracts/queue-driver.js';
import { neverAborted } from '../../lib/support/abort.js';
import { describeRedis } from '../support/shared-redis.js';
import { ackAll, entries, entry, push, SharedRedisBackends, sleep } from './redis-harness.js';
import { SpiedLink, storesOver } from './redis-store-places.js';

const lock = (key: string) => ({ key, owner: `owner of ${key}`, ttlMs: Infinity });

for (const kind of ['standalone', 'cluster'] as const) {
  describeRedis(`jobs looked at and removed by hand, redis ${kind}`, () => {
    const places = new SharedRedisBackends(kind);
    const links: RedisLinks[] = [];
    afterEach(async () => {
      await Promise.all(links.splice(0).map((one) => one.close()));
      await places.clean();
    });
    afterAll(() => places.drop());

    /** Over a link that can be cut, on what the backends of this test have. */
    const stores = async () => {
      const { prefix, ...where } = await places.place();
      const made = new RedisLinks({
        connection: 'redis',
        place: redisPlace({ driver: 'redis', ...where }, 'redis'),
        warn: () => {},
      });
      links.push(made);
      return storesOver(new SpiedLink(made.commands), new Keyspace(prefix));
    };

    it('pages go through all priorities, each job once', async () => {
      const backend = await places.backend();
      const jobs = [7, 0, -5, 0, 7, -5, 0, 300].map((priority) => entry({ priority, body: `"${priority}"` }));
      await push(backend, ...jobs);
      for (const limit of [1, 3, 8]) {
        const listed = await readAll(backend, 'pending', limit);
        expect(listed.map((job) => job.priority)).toEqual([300, 7, 7, 0, 0, 0, -5, -5]);
        expect(listed.map((job) => job.body)).toEqual(listed.map((job) => `"${job.priority}"`));
        expect(new Set(listed.map((job) => job.id)).size).toBe(8);
      }
    });

    it('a page goes on behind what workers took meanwhile', async () => {
      const backend = await places.backend();
      const jobs = entries(10);
      await push(backend, ...jobs);
      const first = await backend.queue!.inspection!.page('default', 'pending', { limit: 4 });
      expect(await take(backend, 6)).toHaveLength(6);
      const second = await backend.queue!.inspection!.page('default', 'pending', { limit: 4, cursor: first.next! });
      expect(second.jobs.map(({ id }) => id)).toEqual(jobs.slice(6).map(({ id }) => id));
      expect(second.next).toBeUndefined();
    });

    it('a page goes on where both jobs it would go by were removed', async () => {
      const backend = await places.backend();
      const inspection = backend.queue!.inspection!;
      const jobs = entries(6);
      for (const one of jobs) {
        await push(backend, one);
        await sleep(4);
      }
      const first = await inspection.page('default', 'pending', { limit: 2 });
      expect(first.jobs.map(({ id }) => id)).toEqual([jobs[0]!.id, jobs[1]!.id]);
      for (const one of [1, 2]) expect(await inspection.remove(jobs[one]!.id)).toBe(true);
      const second = await inspection.page('default', 'pending', { limit: 9, cursor: first.next! });
      expect(second.jobs.map(({ id }) => id)).toEqual(jobs.slice(3).map(({ id }) => id));
      await expect(inspection.page('default', 'pending', { limit: 2, cursor: '[1]' })).rejects.toThrow(/cursor is not/);
    });

    it('pages of delayed and reserved jobs go on after the last one, present or gone', async () => {
      const backend = await places.backend();
      const inspection = backend.queue!.inspection!;
      const jobs = Array.from({ length: 60 }, (_, index) => entry({ delayMs: 60_000 + (index % 3) * 10_000 }));
      await push(backend, ...jobs);
      const wanted = [0, 1, 2].flatMap((third) => jobs.filter((_, index) => index % 3 === third).map(({ id }) => id));
      expect((await readAll(backend, 'delayed', 7)).map(({ id }) => id)).toEqual(wanted);
      const first = await inspection.page('default', 'delayed', { limit: 5 });
      expect(await inspection.remove(wanted[4]!)).toBe(true);
      const second = await inspection.page('default', 'delayed', { limit: 5, cursor: first.next! });
      expect(second.jobs.map(({ id }) => id)).toEqual(wanted.slice(5, 10));

      await push(backend, ...entries(30, { queue: 'held' }));
      const held = await take(backend, 30, 'held');
      const listed = await readAll(backend, 'reserved', 4, 'held');
      expect(listed.map(({ id }) => id)).toEqual(held.map(({ id }) => id));
      for (const [index, job] of held.entries()) {
        const later = listed[index]!.leasedUntil! - job.leasedUntil;
        expect(later >= 0 && later < 1_100).toBe(true);
      }
    });

    it('a page of reserved jobs goes on among those of one moment when the last one has ended', async () => {
      const backend = await places.backend();
      const { keys } = await stores();
      const raw = await places.raw();
      await push(backend, ...entries(40));
      const held = await take(backend, 40);
      const ids = held.map(({ id }) => id).sort();
      const leased = `${keys.queue('default')}:leased`;
      for (const job of held) await raw.zadd(leased, held[0]!.leasedUntil, leaseOf(job));
      const first = await backend.queue!.inspection!.page('default', 'reserved', { limit: 10 });
      expect(first.jobs.map(({ id }) => id)).toEqual(ids.slice(0, 10));
      const ended = held.filter(({ id }) => [8, 9, 10].includes(ids.indexOf(id)));
      await ackAll(backend, ended);
      const second = await backend.queue!.inspection!.page('default', 'reserved', { limit: 50, cursor: first.next! });
      expect(second.jobs.map(({ id }) => id)).toEqual(ids.slice(11));
    });

    it('what became due and what was lost is shown as pending', async () => {
      const backend = await places.backend();
      const delayed = entry({ delayMs: 60 });
      await push(backend, entry({ body: '"lost"' }), delayed);
      const [lost] = await take(backend, 1, 'default', 40);
      await sleep(120);
      const listed = await readAll(backend, 'pending', 1);
      expect(listed.map(({ id, attempts, stalls }) => [id, attempts, stalls])).toEqual([
        [lost!.id, 1, 1],
        [delayed.id, 0, 0],
      ]);
      expect(await backend.queue!.inspection!.find(lost!.id)).toEqual(listed[0]);
      expect(listed[0]!.availableAt).toBe(lost!.leasedUntil);
    });

    it('a removed job gives its lock back, wherever it waits', async () => {
      const backend = await places.backend();
      const { inspection } = backend.queue!;
      const ready = entry({ queue: 'a', priority: 3, lock: lock('ready {x}') });
      const delayed = entry({ queue: 'b', delayMs: 60_000, lock: lock('delayed') });
      const held = entry({ queue: 'c', lock: lock('held') });
      await push(backend, ready, delayed, held);
      const [job] = await take(backend, 1, 'c');
      for (const { id, lock: { key } = lock('') } of [ready, delayed, held]) {
        expect(await backend.locks!.owner(key)).toBe(`owner of ${key}`);
        expect(await inspection!.remove(id)).toBe(true);
        expect(await backend.locks!.owner(key)).toBeUndefined();
        expect(await inspection!.remove(id)).toBe(false);
      }
      expect(await backend.queue!.leases!.renew([job!], 60_000)).toEqual([{ ok: false, reason: 'cancelled' }]);
      expect(await inspection!.queues()).toEqual([]);
      const left = (await places.keys()).filter((key) => !/:(gone:.*|bell|\{!queues\}(:written)?)$/.test(key));
      expect(left).toEqual([]);
    });

    it('a lock that another took meanwhile is left to it', async () => {
      const backend = await places.backend();
      const job = entry({ lock: lock('key') });
      await push(backend, job);
      await backend.locks!.replace('key', 'another', 60_000);
      expect(await backend.queue!.inspection!.remove(job.id)).toBe(true);
      expect(await backend.locks!.owner('key')).toBe('another');
    });

    it('clear takes thousands of reserved, ready and delayed jobs, tells holders and gives locks back', async () => {
      const backend = await places.backend();
      const reserved = Array.from({ length: 2_300 }, (_, index) =>
        entry(index % 100 === 0 ? { lock: lock(`reserved ${index}`) } : {}),
      );
      await push(backend, ...reserved);
      const held = await take(backend, 2_300);
      expect(held).toHaveLength(2_300);
      const waiting = Array.from({ length: 1_500 }, (_, index) => {
        const over = index % 50 === 0 ? { lock: lock(`waiting ${index}`) } : {};
        return entry({ ...over, priority: index % 3, delayMs: index % 2 ? 0 : 60_000 });
      });
      await push(backend, ...waiting, entry({ queue: 'other' }));
      expect(await backend.queue!.clearing!.clear('default')).toBe(3_800);
      expect(await backend.queue!.clearing!.clear('default')).toBe(0);
      const answers = await backend.queue!.leases!.renew(held, 60_000);
      expect(new Set(answers.map((answer) => (answer.ok ? 'ok' : answer.reason)))).toEqual(new Set(['cancelled']));
      const keys = [...reserved, ...waiting].flatMap(({ lock: taken }) => (taken ? [taken.key] : []));
      const owners = await Promise.all(keys.map((key) => backend.locks!.owner(key)));
      expect(owners).toEqual(Array.from({ length: 53 }));
      const left = (await places.keys()).filter((key) => /\{default\}/.test(key) && !/:gone:/.test(key));
      expect(left).toEqual([]);
      expect((await backend.queue!.size(['other']))[0]!.pending).toBe(1);
      // The same ids are new jobs now.
      await push(backend, ...reserved.slice(0, 10));
      expect(await take(backend, 100)).toHaveLength(10);
    }, 30_000);

    it('what is pushed during a clear is cleared or stays, and is counted once', async () => {
      const backend = await places.backend();
      const other = await places.backend();
      await push(backend, ...entries(3_000));
      const pushing = (async () => {
        for (let round = 0; round < 20; round++) await push(other, ...entries(50));
      })();
      const cleared = await backend.queue!.clearing!.clear('default');
      await pushing;
      const [{ pending } = { pending: -1 }] = await backend.queue!.size(['default']);
      expect(cleared).toBeGreaterThanOrEqual(3_000);
      expect(cleared! + pending).toBe(4_000);
      expect(await take(backend, 5_000)).toHaveLength(pending);
    });

    it('a clear that was killed half-way is ended by the next one', async () => {
      const backend = await places.backend();
      const killed = await stores();
      const jobs = Array.from({ length: 700 }, (_, index) => entry({ lock: lock(`key ${index}`) }));
      await push(backend, ...jobs);
      killed.link.cutAt = (name) => name === 'UNLINK';
      await expect(killed.clearing.clear('default')).rejects.toThrow('killed here');
      killed.link.cutAt = (name) => name === 'locks-of-facts';
      await push(backend, entry({ lock: lock('later') }));
      await expect(killed.clearing.clear('default')).rejects.toThrow('killed here');
      expect(await backend.locks!.owner('later')).toBe('owner of later');
      await push(backend, entry());
      expect(await backend.queue!.clearing!.clear('default')).toBe(1);
      for (const key of ['later', 'key 0', 'key 699']) expect(await backend.locks!.owner(key)).toBeUndefined();
      expect((await places.keys()).filter((key) => key.includes(':trash'))).toEqual([]);
      // On a cluster each of the 700 locks is in a slot of its own.
    }, 30_000);

    it('a clear whose answers are lost takes nothing more when it is sent again', async () => {
      const backend = await places.backend();
      const { link, clearing } = await stores();
      await push(backend, ...entries(2_500));
      await take(backend, 2_200);
      let calls = 0;
      // Thousands are reserved: the first call, done twice, takes those in front; then jobs come in between the two that take the rest.
      link.between = async (name) => {
        if (name === 'clear-queue' && (calls += 1) === 2) await push(backend, ...entries(3));
      };
      expect(await clearing.clear('default')).toBe(2_500);
      expect(calls).toBe(2);
      expect(await take(backend, 100)).toHaveLength(3);
    });
  });
}

function take(backend: Backend, limit: number, queue = 'default', leaseMs = 60_000) {
  return backend.queue!.reserve({ queues: [queue], limit, leaseMs, waitMs: 0, signal: neverAborted });
}

async function readAll(backend: Backend, state: JobState, limit: number, queue = 'default'): Promise<StoredJob[]> {
  const found: StoredJob[] = [];
  let cursor: string | undefined;
  do {
    const page = await backend.queue!.inspection!.page(queue, state, {
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.jobs);
    cursor = page.next;
  } while (cursor !== undefined && found.length < 1_000);
  return found;
}
