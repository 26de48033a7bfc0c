import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { StoreFullError } from '../../lib/contracts/store-errors.js';
import { neverAborted } from '../../lib/support/abort.js';
import { startRedis, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { entries, entry, push, RedisBackends, settled } from './redis-harness.js';

describeRedis('a server without memory', () => {
  let server: RedisServer;
  const backends = new RedisBackends(() => ({ url: server.url }));
  beforeAll(async () => void (server = await startRedis()), START_LIMIT_MS);
  afterAll(async () => {
    await backends.close();
    await server.close();
  });

  it('takes nothing more, and lets everything go', async () => {
    const backend = backends.open();
    const { queue, locks, limits, failed, batches } = backend;
    const lock = (key: string) => ({ key, owner: 'owner', ttlMs: 60_000 });
    const removed = entry({ lock: lock('removed') });
    await push(
      backend,
      removed,
      ...entries(50, { queue: 'cleared', lock: undefined }),
      entry({ queue: 'cleared', delayMs: 60_000 }),
    );
    const held = await queue!.reserve({
      queues: ['cleared'],
      limit: 5,
      leaseMs: 60_000,
      waitMs: 0,
      signal: neverAborted,
    });
    await locks!.acquire('held', 'owner', 60_000);
    const failures = Array.from({ length: 20 }, () => failure());
    await failed!.record(failures);
    await batches!.create({ id: 'b', name: '', options: '', memberIds: ['a'], sealed: true, cancelOnFailure: false });
    await server.command('CONFIG', 'SET', 'maxmemory', '1');

    for (const refused of [
      queue!.push([entry()]),
      locks!.acquire('new', 'owner', 60_000),
      limits!.take([{ key: 'key', max: 1, windowMs: 60_000 }]),
      failed!.record([failure()]),
    ]) {
      expect((await settled<unknown>(refused)).error).toBeInstanceOf(StoreFullError);
    }

    expect(await locks!.extend([lock('held')])).toEqual([true]);
    expect(await locks!.release('held', 'owner')).toBe(true);
    expect((await limits!.peek([{ key: 'key', max: 1, windowMs: 60_000 }])).allowed).toBe(true);
    expect((await failed!.page({ limit: 5 })).jobs).toHaveLength(5);
    expect(await failed!.forget([failures[0]!.id])).toBe(1);
    expect(await failed!.prune()).toBe(19);
    expect((await batches!.recordEnd('b', { jobId: 'a', outcome: 'done' }))?.finished).toBe(true);
    expect(await batches!.delete('b')).toBe(true);
    expect((await queue!.inspection!.page('cleared', 'delayed', { limit: 5 })).jobs).toHaveLength(1);
    expect(await queue!.inspection!.remove(removed.id)).toBe(true);
    expect(await locks!.owner('removed')).toBeUndefined();
    expect(await queue!.clearing!.clear('cleared')).toBe(51);
    expect(await queue!.settle([{ kind: 'ack', job: held[0]! }])).toEqual([{ ok: false, reason: 'cancelled' }]);

    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await push(backend, entry());
  });
});

function failure() {
  return {
    id: randomUUID(),
    connection: 'redis',
    queue: 'default',
    name: 'Job',
    displayName: 'Job',
    payload: '{}',
    exception: 'Error: broken',
    failedAt: new Date(),
  };
}
