import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { RedisLink, Reply } from '../../../lib/backends/redis/link.js';
import { Outbox } from '../../../lib/backends/redis/outbox.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import { RedisExchange } from '../../../lib/backends/redis/redis-exchange.js';
import { RedisQueue, type RedisQueueParts } from '../../../lib/backends/redis/redis-queue.js';
import { SlotTrips } from '../../../lib/backends/redis/slot-trips.js';
import type { Effects, ReservedJob, Settlement } from '../../../lib/contracts/queue-driver.js';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import { neverAborted } from '../../../lib/support/abort.js';
import { systemClock } from '../../../lib/support/clock.js';

const keys = new QueueKeys(new Keyspace('p'), true);
const job = (id: string, queue = 'q'): ReservedJob => ({
  id,
  queue,
  body: '{}',
  priority: 0,
  attempts: 1,
  stalls: 0,
  token: `token-${id}`,
  leasedUntil: 0,
});
const effects: Effects = { member: { batchId: 'b', jobId: 'j', outcome: 'done' } };
const lost = (): Error => new StoreUnreachableError('r', 'redis', new Error('no answer'), { outcome: 'unknown' });
const request = (...queues: string[]) => ({ queues, limit: 5, leaseMs: 60_000, waitMs: 0, signal: neverAborted });

/** A link whose slots answer as `reply` says; what is sent is noted. */
function linkOf(reply: (script: string, key: string) => Reply | Promise<Reply>) {
  const sent: string[] = [];
  const link: RedisLink = {
    isCluster: true,
    run: async ({ name }, [key]) => {
      sent.push(`${name} ${key}`);
      return reply(name, key!);
    },
    send: () => Promise.resolve(1),
    all: (orders) => Promise.resolve(orders.map(() => null)),
  };
  return { link, sent };
}

function stores(member: () => Promise<void>) {
  return {
    push: () => Promise.resolve([]),
    locks: { release: () => Promise.resolve(true) },
    batches: { recordEnd: () => member().then(() => undefined) },
    failed: { record: () => Promise.resolve() },
  };
}

function queueOf(link: RedisLink, sweep = jest.fn(), warn = jest.fn()) {
  const outbox = { apply: () => Promise.resolve(), sweep } as unknown as Outbox;
  const exchange = new RedisExchange(link, keys, outbox);
  const parts = {
    keys,
    exchange,
    outbox,
    trips: new SlotTrips(exchange, keys, true),
    leases: { warm() {} },
    bells: { hearing: false, rings: 0, stored() {}, foundEmpty() {}, stillEmpty() {} },
    isClosed: () => false,
  };
  return {
    queue: new RedisQueue(parts as unknown as RedisQueueParts, { clock: systemClock, warn }),
    exchange,
    sweep,
    warn,
  };
}

const found = (id: string): Reply => [0, Date.now() + 60_000, -1, 0, 1, 0, [id], ['{}'], []];
const empty = (): Reply => [0, Date.now() + 60_000, -1, 0];

describe('an exchange with effects in other slots', () => {
  const acks: Settlement[] = ['a', 'b', 'c'].map((id) => ({ kind: 'ack', job: job(id), effects }));

  it('answers with its jobs while a slot does not take the effects, and applies them side by side', async () => {
    let running = 0;
    let most = 0;
    let applied = 0;
    const outbox = new Outbox(
      linkOf(empty).link,
      keys,
      stores(async () => {
        most = Math.max(most, (running += 1));
        await sleep(700);
        running -= 1;
        applied += 1;
      }),
    );
    const exchange = new RedisExchange(linkOf(() => found('new')).link, keys, outbox);
    const began = performance.now();
    const { claimed, settled } = await exchange.exchange(acks, request('q'), { ms: 5_000, lost: 'tell' });
    const took = performance.now() - began;
    expect(took).toBeLessThan(600);
    expect(claimed.jobs).toMatchObject([{ id: 'new' }]);
    expect(settled).toEqual(acks.map(() => ({ ok: true })));
    expect(most).toBe(3);
    // Others are hardly waited for while these are under way.
    const again = performance.now();
    await exchange.exchange(acks, request('q'), { ms: 5_000, lost: 'tell' });
    expect(performance.now() - again).toBeLessThan(200);
    await outbox.close();
    expect(applied).toBe(6);
  });

  it('has them applied by the time of its answer where they take no longer than usual', async () => {
    const member = jest.fn(() => sleep(5));
    const outbox = new Outbox(linkOf(empty).link, keys, stores(member));
    const removed = jest.spyOn(outbox, 'apply');
    const exchange = new RedisExchange(linkOf(() => found('new')).link, keys, outbox);
    await exchange.exchange(acks, request('q'), { ms: 5_000, lost: 'tell' });
    expect(member).toHaveBeenCalledTimes(3);
    expect(removed).toHaveBeenCalledTimes(1);
    await exchange.settle(acks);
    expect(member).toHaveBeenCalledTimes(6);
  });
});

describe('a claim whose answer was lost', () => {
  it('holds up no other queue, is asked for again, and is forgotten when its lease is over', async () => {
    let isDead = true;
    const { link, sent } = linkOf(async (script, key) => {
      if (!key.includes('dead')) return found('live');
      if (!isDead) return empty();
      if (script === 'reclaim') await sleep(600);
      throw lost();
    });
    const { queue, exchange } = queueOf(link);
    const patience = { ms: 5_000, lost: 'tell' } as const;
    await expect(exchange.exchange([], { ...request('dead'), leaseMs: 1_500 }, patience)).rejects.toBeInstanceOf(
      StoreUnreachableError,
    );
    expect(exchange.hasLost).toBe(true);
    const began = performance.now();
    expect(await queue.reserve(request('live'))).toMatchObject([{ id: 'live' }]);
    expect(performance.now() - began).toBeLessThan(500);
    // Under way, and then not to be asked for again at once.
    expect(exchange.hasLost).toBe(false);
    const { jobs } = await queue.exchange([{ kind: 'ack', job: job('x', 'live') }], request('live'));
    expect(jobs).toMatchObject([{ id: 'live' }]);
    expect(sent.filter((one) => one.startsWith('reclaim'))).toHaveLength(1);
    await sleep(1_700);
    isDead = false;
    expect(exchange.hasLost).toBe(false);
    expect(await exchange.recover(patience)).toEqual([]);
    expect(sent.filter((one) => one.startsWith('reclaim'))).toHaveLength(1);
  });

  it('is asked for again after a while', async () => {
    let isDead = true;
    const { link } = linkOf((script) => {
      if (isDead) throw lost();
      return script === 'reclaim' ? [Date.now() + 60_000, 1, 'back', 'nonce.1', '{}', 0, 0, 0, ''] : empty();
    });
    const { queue, exchange } = queueOf(link);
    await exchange.exchange([], request('q'), { ms: 5_000, lost: 'tell' }).catch(() => {});
    expect(await exchange.recover({ ms: 10, lost: 'repeat' })).toEqual([]);
    isDead = false;
    expect(await queue.reserve(request('q'))).toEqual([]);
    await sleep(1_100);
    expect(await queue.reserve(request('q'))).toMatchObject([{ id: 'back' }]);
  });

  it('gives back what is found too late', async () => {
    const { link, sent } = linkOf(async (script, key) => {
      if (script !== 'reclaim') return key.includes('slow') ? empty() : found('live');
      await sleep(400);
      return [Date.now() + 60_000, 1, 'late', 'nonce.1', '{}', 0, 0, 0, ''];
    });
    const losing = { ...link, run: () => Promise.reject(lost()) };
    const { queue, exchange } = queueOf(link);
    Object.assign(exchange, { link: losing });
    await exchange.exchange([], request('slow'), { ms: 5_000, lost: 'tell' }).catch(() => {});
    Object.assign(exchange, { link });
    expect(await queue.reserve(request('live'))).toMatchObject([{ id: 'live' }]);
    expect(sent).not.toContain('exchange p:{slow}');
    await sleep(400);
    expect(sent).toContain('exchange p:{slow}');
  });
});

describe('the queue of a cluster of which a part is away', () => {
  it('serves the rest, says so once, and looks for effects that were left in exchanges too', async () => {
    const { link } = linkOf((_script, key) => {
      if (key.includes('dead')) throw new StoreUnreachableError('r', 'redis', new Error('no way'));
      return empty();
    });
    const { queue, sweep, warn } = queueOf(link);
    expect(await queue.reserve(request('dead', 'live'))).toEqual([]);
    sweep.mockClear();
    const { settled } = await queue.exchange([{ kind: 'ack', job: job('x', 'live') }], request('dead', 'live'));
    expect(settled).toEqual([{ ok: true }]);
    expect(sweep).toHaveBeenCalledWith(['dead', 'live']);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain('[dead]');
  });
});
