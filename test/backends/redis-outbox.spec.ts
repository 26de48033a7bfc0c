import { afterAll, afterEach, expect, it } from '@jest/globals';
import { effectsText } from '../../lib/backends/redis/effects-text.js';
import type { Effects } from '../../lib/contracts/queue-driver.js';
import { describeRedis } from '../support/shared-redis.js';
import { entry, SharedRedisBackends, sleep } from './redis-harness.js';
import { redisParts } from './redis-parts.js';
import { request } from './sqlite-harness.js';

const places = new SharedRedisBackends('cluster');
const open: ReturnType<typeof redisParts>[] = [];

describeRedis('effects in other slots of a redis cluster', () => {
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
    await places.clean();
  });
  afterAll(() => places.drop());

  const parts = async () => {
    const made = redisParts(await places.place());
    open.push(made);
    return made;
  };
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (let waited = 0; !(await holds()); waited += 20) {
      expect(waited).toBeLessThan(3_000);
      await sleep(20);
    }
  };

  it('leave no record once they are applied', async () => {
    const { queue, locks, keys } = await parts();
    await queue.push([entry()]);
    await locks.acquire('key', 'owner', 60_000);
    const [job] = await queue.reserve(request());
    const next = entry({ queue: 'other' });
    const effects: Effects = { unlock: [{ key: 'key', owner: 'owner' }], push: [next] };
    expect(await queue.settle([{ kind: 'ack', job: job!, effects }])).toEqual([{ ok: true }]);
    expect(await locks.owner('key')).toBeUndefined();
    expect(await queue.reserve(request({ queues: ['other'] }))).toMatchObject([{ id: next.id }]);
    expect(await (await places.raw()).exists(`${keys.base('default')}:effects`)).toBe(0);
  });

  it('are applied by a sweep where a crash left them, once, and not while their worker is at it', async () => {
    const left = await parts();
    const record = `${left.keys.base('default')}:effects`;
    const raw = await places.raw();
    await left.locks.acquire('key', 'owner', Infinity);
    const next = entry({ queue: 'other', lock: { key: 'next', owner: 'next', ttlMs: Infinity } });
    const text = effectsText({ unlock: [{ key: 'key', owner: 'owner' }], push: [next] });
    await raw.hset(record, { old: `${Date.now() - 31_000}:${text}`, young: `${Date.now()}:${text}` });
    await left.queue.reserve(request());
    await until(async () => (await raw.hlen(record)) === 1);
    expect(await raw.hkeys(record)).toEqual(['young']);
    expect(await left.locks.owner('key')).toBeUndefined();
    expect(await left.locks.owner('next')).toBe('next');
    expect(await raw.pttl(left.keys.keyspace.lock('next'))).toBe(-1);

    // The follow-up has run by the time another process finds the same record again.
    const [job] = await left.queue.reserve(request({ queues: ['other'] }));
    expect(job!.id).toBe(next.id);
    await left.queue.settle([{ kind: 'ack', job: job!, effects: { unlock: [{ key: 'next', owner: 'next' }] } }]);
    await raw.hset(record, 'young', `${Date.now() - 31_000}:${text}`);
    const other = await parts();
    await other.queue.reserve(request());
    await until(async () => (await raw.exists(record)) === 0);
    expect(await other.queue.reserve(request({ queues: ['other'] }))).toEqual([]);
  });

  it('are found by a worker that only exchanges, past a record that nobody can read', async () => {
    const { queue, locks, keys } = await parts();
    const record = `${keys.base('other')}:effects`;
    const raw = await places.raw();
    await queue.push([entry()]);
    const [job] = await queue.reserve(request());
    await locks.acquire('key', 'owner', Infinity);
    const old = Date.now() - 31_000;
    const text = effectsText({ unlock: [{ key: 'key', owner: 'owner' }] });
    await raw.hset(record, { bad: `${old}:{`, odd: 'odd', good: `${old}:${text}` });
    await queue.exchange([{ kind: 'ack', job: job! }], request({ queues: ['other'] }));
    await until(async () => (await raw.hexists(record, 'good')) === 0);
    expect(await locks.owner('key')).toBeUndefined();
    expect((await raw.hkeys(record)).sort()).toEqual(['bad', 'odd']);
  });

  it('that name a lock in another slot take it with a push, or do not push', async () => {
    const { queue, locks } = await parts();
    const lock = { key: 'key', owner: 'a', ttlMs: 600_000 };
    expect(await queue.push([entry({ lock }), entry()])).toEqual([{ stored: true }, { stored: true }]);
    expect(await queue.push([entry({ lock: { ...lock, owner: 'b' } })])).toEqual([
      { stored: false, reason: 'locked', by: 'a' },
    ]);
    expect(await queue.reserve(request())).toHaveLength(2);
    expect(await (await places.raw()).pttl((await parts()).keys.keyspace.lock('key'))).toBeGreaterThan(60_000);
    expect(await locks.owner('key')).toBe('a');
  });
});
