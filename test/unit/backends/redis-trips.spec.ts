import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { Patience } from '../../../lib/backends/redis/link.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import type { RedisExchange } from '../../../lib/backends/redis/redis-exchange.js';
import { SlotTrips } from '../../../lib/backends/redis/slot-trips.js';
import type { ReservedJob, Settlement, SettleResult } from '../../../lib/contracts/queue-driver.js';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';

const keys = new QueueKeys(new Keyspace('p'), true);
const ok: SettleResult = { ok: true };
const unreachable = new StoreUnreachableError('r', 'redis cluster', new Error('no answer'));
const patience: Patience = { ms: 5_000, lost: 'tell' };

const job = (queue: string, id = queue): ReservedJob => ({
  id,
  queue,
  body: '{}',
  priority: 0,
  attempts: 1,
  stalls: 0,
  token: `token-${id}`,
  leasedUntil: 0,
});
const ack = (queue: string): Settlement => ({ kind: 'ack', job: job(queue) });

/** Each queue is a slot. What is asked of it is noted with the patience; slots in `down` do not answer. */
function cluster(full: readonly string[] = []) {
  const asked: [queue: string, ms: number | undefined][] = [];
  const acked: string[] = [];
  const down = new Map<string, unknown>();
  const one: Pick<RedisExchange, 'exchange' | 'settle'> = {
    settle(settlements, { ms } = {}) {
      const [{ job: first }] = settlements as [Settlement];
      asked.push([`ack ${first.queue}`, ms]);
      const error = down.get(first.queue);
      if (error !== undefined) return Promise.resolve(settlements.map(() => ({ ok: false, reason: 'error', error })));
      acked.push(...settlements.map(({ job: { id } }) => id));
      return Promise.resolve(settlements.map(() => ok));
    },
    exchange(settlements, { queues }, { ms }) {
      const queue = queues[0]!;
      asked.push([queue, Math.round(ms)]);
      const error = down.get(queue);
      if (error === undefined) {
        acked.push(...settlements.map(({ job: { id } }) => id));
        const jobs = full.includes(queue) ? [job(queue)] : [];
        return Promise.resolve({ settled: settlements.map(() => ok), claimed: { jobs, broken: [] } });
      }
      if (settlements.length === 0) return Promise.reject(error);
      const settled: SettleResult[] = settlements.map(() => ({ ok: false, reason: 'error', error }));
      return Promise.resolve({ settled, claimed: { jobs: [], broken: [] } });
    },
  };
  return { trips: new SlotTrips(one as RedisExchange, keys, true), asked, acked, down };
}

const request = (...queues: string[]) => ({ queues, limit: 5, leaseMs: 60_000 });

describe('trips to the slots of a cluster', () => {
  afterEach(() => void jest.restoreAllMocks());

  function clock(): { ms: number } {
    const now = { ms: 1_000 };
    jest.spyOn(performance, 'now').mockImplementation(() => now.ms);
    return now;
  }

  it('tell what was settled where the claim reached nobody', async () => {
    const { trips, acked, down } = cluster();
    down.set('high', unreachable);
    const answer = await trips.exchange([ack('other')], request('high'), patience);
    expect(acked).toEqual(['other']);
    expect(answer.settled).toEqual([ok]);
    expect(answer.claimed.jobs).toEqual([]);
  });

  it('tell what was settled where a claim failed for good', async () => {
    const { trips, down } = cluster();
    down.set('high', new Error('WRONGTYPE'));
    const answer = await trips.exchange([ack('default')], request('high', 'default'), patience);
    expect(answer.settled).toEqual([ok]);
    await expect(trips.exchange([], request('high', 'default'), patience)).rejects.toThrow('WRONGTYPE');
  });

  it('reject where nothing was settled and nobody answered', async () => {
    const { trips, down } = cluster();
    down.set('a', unreachable).set('b', unreachable);
    await expect(trips.exchange([], request('a', 'b'), patience)).rejects.toBe(unreachable);
  });

  it('say that nothing was found where others answered, and when the missing one is asked again', async () => {
    clock();
    const { trips, down } = cluster();
    down.set('high', unreachable);
    const { claimed, away } = await trips.exchange([], request('high', 'default'), patience);
    expect(claimed.jobs).toEqual([]);
    expect(claimed.nextInMs).toBe(2_000);
    expect(away).toEqual({ queues: ['high'], error: unreachable });
  });

  it('take little patience with jobs in hand', async () => {
    clock();
    const { trips, asked } = cluster(['full']);
    await trips.exchange([], request('full', 'b', 'c'), patience);
    expect(asked).toEqual([
      ['full', 5_000],
      ['b', 500],
      ['c', 500],
    ]);
    asked.length = 0;
    await trips.exchange([], { ...request('full', 'b'), leaseMs: 600 }, patience);
    expect(asked[1]).toEqual(['b', 100]);
  });

  it('take the patience once for all slots that do not answer', async () => {
    const now = clock();
    const { trips, asked, down } = cluster();
    down.set('a', unreachable).set('b', unreachable);
    const one = trips.exchange([], request('a', 'b'), patience);
    now.ms += 4_000;
    await expect(one).rejects.toBe(unreachable);
    expect(asked).toEqual([
      ['a', 5_000],
      ['b', 1_000],
    ]);
  });

  it('leave out a slot that did not answer, then ask it with little patience until it does', async () => {
    const now = clock();
    const { trips, asked, down } = cluster(['default']);
    down.set('high', unreachable);
    const look = async (): Promise<[string, number | undefined][]> => {
      asked.length = 0;
      await trips.exchange([], request('high', 'default'), patience);
      return [...asked];
    };
    expect(await look()).toEqual([
      ['high', 5_000],
      ['default', 5_000],
    ]);
    expect(await look()).toEqual([['default', 5_000]]);
    now.ms += 2_001;
    expect(await look()).toEqual([
      ['high', 500],
      ['default', 5_000],
    ]);
    expect(await look()).toEqual([['default', 5_000]]);
    now.ms += 2_001;
    down.clear();
    expect((await look())[0]).toEqual(['high', 500]);
    expect((await look())[0]).toEqual(['high', 5_000]);
  });

  it('ask all where all were left out, and a lone one with all the patience', async () => {
    clock();
    const { trips, asked, down } = cluster();
    down.set('a', unreachable).set('b', unreachable);
    await expect(trips.exchange([], request('a', 'b'), patience)).rejects.toBe(unreachable);
    asked.length = 0;
    down.clear();
    await trips.exchange([], request('a'), patience);
    expect(asked).toEqual([['a', 5_000]]);
    down.set('a', unreachable).set('b', unreachable);
    await expect(trips.exchange([], request('a', 'b'), patience)).rejects.toBe(unreachable);
    asked.length = 0;
    down.clear();
    await trips.exchange([], request('a', 'b'), patience);
    expect(asked.map(([queue]) => queue)).toEqual(['a', 'b']);
  });

  it('hand in to a slot that does not answer with little patience, beside the others', async () => {
    const { trips, asked, down } = cluster(['default']);
    down.set('high', unreachable);
    const [first] = (await trips.exchange([ack('high')], request('default'), patience)).settled;
    expect(first).toMatchObject({ ok: false, reason: 'error' });
    asked.length = 0;
    await trips.exchange([ack('high')], request('default'), patience);
    expect(asked.find(([what]) => what === 'ack high')).toEqual(['ack high', 500]);
    asked.length = 0;
    await trips.settle([ack('high')]);
    await trips.settle([ack('high'), ack('default')]);
    expect(asked).toEqual([
      ['ack high', undefined],
      ['ack high', 500],
      ['ack default', undefined],
    ]);
  });
});
