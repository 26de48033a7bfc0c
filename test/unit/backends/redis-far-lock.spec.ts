import { describe, expect, it } from '@jest/globals';
import { FarLock } from '../../../lib/backends/redis/far-lock.js';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { Order, RedisLink, Reply } from '../../../lib/backends/redis/link.js';
import { exists, stored } from '../../../lib/backends/redis/push-call.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import type { LockStore } from '../../../lib/contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../../lib/contracts/queue-driver.js';
import { StoreFullError, StoreUnreachableError } from '../../../lib/contracts/store-errors.js';

const PATIENCE = { ms: 1_000, lost: 'repeat' } as const;
const entry: PushEntry = {
  id: 'id',
  queue: 'q',
  body: '{}',
  delayMs: 0,
  once: { ttlMs: 86_400_000 },
  lock: { key: 'unique', owner: 'id', ttlMs: Infinity },
};

/** What the slot of the queue knows of the job, and the lock in its own. */
function made() {
  const there = new Set<string>();
  const state = { isAway: false, lock: undefined as { owner: string; ttlMs: number } | undefined };
  const ask = ({ args }: Extract<Order, { command: string }>): Reply => (there.has(String(args[0])) ? 1 : 0);
  const link = {
    isCluster: true,
    run: () => Promise.reject(new Error('no script is run here')),
    send: (command: string, args: readonly string[]) => link.all([{ command, args }]).then(([one]) => one),
    all: (orders: readonly Extract<Order, { command: string }>[]) => {
      if (state.isAway) return Promise.reject(new StoreUnreachableError('r', 'redis', new Error('no answer')));
      return Promise.resolve(orders.map(ask));
    },
  };
  const locks: Partial<LockStore> = {
    acquire: (_key, owner, ttlMs) => {
      if (state.lock && state.lock.owner !== owner) return Promise.resolve(false);
      state.lock = { owner, ttlMs };
      return Promise.resolve(true);
    },
    extend: (some) => {
      if (state.lock) state.lock.ttlMs = some[0]!.ttlMs;
      return Promise.resolve([true]);
    },
    release: () => {
      state.lock = undefined;
      return Promise.resolve(true);
    },
  };
  const keys = new QueueKeys(new Keyspace('p'), true);
  const lock = new FarLock(link as unknown as RedisLink, keys, locks as LockStore);
  const push = (store: () => Promise<PushResult>) => lock.push(entry, PATIENCE, store);
  return { there, state, push };
}

const BODY = 'p:{q}:jobs';
const ONCE = 'p:{q}:once:id';

describe('a lock in another slot than its job', () => {
  it('has its time once the job is stored', async () => {
    const { push, state } = made();
    expect(await push(() => Promise.resolve(stored))).toEqual(stored);
    expect(state.lock).toEqual({ owner: 'id', ttlMs: Infinity });
  });

  it('is not taken for a job that is there, or was', async () => {
    for (const key of [BODY, ONCE]) {
      const { push, state, there } = made();
      there.add(key);
      expect(await push(() => Promise.reject(new Error('not stored again')))).toEqual(exists);
      expect(state.lock).toBeUndefined();
    }
  });

  it('is given back where the job came and ended meanwhile', async () => {
    const { push, state, there } = made();
    const answer = await push(() => {
      there.add(ONCE);
      return Promise.resolve(exists);
    });
    expect(answer).toEqual(exists);
    expect(state.lock).toBeUndefined();
  });

  it('has its time where the job came meanwhile and is there', async () => {
    const { push, state, there } = made();
    await push(() => {
      there.add(BODY);
      return Promise.resolve(exists);
    });
    expect(state.lock?.ttlMs).toBe(Infinity);
  });

  it('ends after a minute where nothing is known of the job', async () => {
    const { push, state } = made();
    const lost = new StoreUnreachableError('r', 'redis', new Error('lost'), { outcome: 'unknown' });
    await expect(push(() => Promise.reject(lost))).rejects.toBe(lost);
    expect(state.lock?.ttlMs).toBe(60_000);
    const answer = await push(() => {
      state.isAway = true;
      return Promise.resolve(exists);
    });
    expect(answer).toEqual(exists);
    expect(state.lock?.ttlMs).toBe(60_000);
  });

  it('is given back at once where the job was not stored', async () => {
    for (const error of [
      new StoreFullError('r', new Error('OOM')),
      new StoreUnreachableError('r', 'redis', new Error('not sent')),
    ]) {
      const { push, state } = made();
      await expect(push(() => Promise.reject(error))).rejects.toBe(error);
      expect(state.lock).toBeUndefined();
    }
  });
});
