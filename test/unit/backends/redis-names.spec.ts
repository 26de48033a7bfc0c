import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { Arg, Order, Patience, RedisLink, Reply } from '../../../lib/backends/redis/link.js';
import { QueueNames } from '../../../lib/backends/redis/queue-names.js';
import type { Script } from '../../../lib/backends/redis/script.js';
import { StoreUnreachableError } from '../../../lib/contracts/store-errors.js';

const PATIENCE = { ms: 1_000, lost: 'repeat' } as const;

function made(isCluster = false) {
  const told: string[] = [];
  const state = { error: undefined as Error | undefined, names: [] as string[], idle: [] as string[], full: 'none' };
  const link = {
    isCluster,
    run: (script: Script, _keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply> => {
      told.push(`${script.name} ${args.join(' ')}`);
      // What is tried for longer has no answer yet.
      if (state.error) return patience.ms > 1_000 ? new Promise(() => {}) : Promise.reject(state.error);
      return Promise.resolve(script.name === 'names-idle' ? state.idle : 1);
    },
    send: (): Promise<Reply> => {
      told.push('read');
      return Promise.resolve(state.names);
    },
    all: (orders: readonly Order[]): Promise<readonly Reply[]> =>
      Promise.resolve(orders.map(({ args }) => (args[0] === `p:{${state.full}}:jobs` ? 1 : 0))),
  };
  return { names: new QueueNames(link as unknown as RedisLink, new Keyspace('p')), told, state };
}

describe('the names of queues', () => {
  let now = performance.now();
  const at = (ms: number): void => {
    now += ms;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  };
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('are waited for when they are new, or old, and written beside otherwise', async () => {
    const { names, told, state } = made();
    at(0);
    await names.write(['a'], PATIENCE);
    expect(names.unwritten(['a', 'b'])).toEqual(['b']);
    at(31_000);
    expect(names.unwritten(['a'])).toEqual(['a']);
    await names.write(['a'], PATIENCE);
    await Promise.resolve();
    await Promise.resolve();
    expect(names.unwritten(['a'])).toEqual([]);
    at(300_001);
    state.error = new StoreUnreachableError('r', 'redis', new Error('away'));
    await expect(names.write(['a'], PATIENCE)).rejects.toBe(state.error);
    at(-100_000);
    await names.write(['a'], PATIENCE);
    expect(told).toHaveLength(4);
    expect(new Set(told)).toEqual(new Set(['names-write a']));
  });

  it('come later where their slot of a cluster is away, and are asked all the same', async () => {
    const { names, told, state } = made(true);
    state.error = new StoreUnreachableError('r', 'redis', new Error('away'));
    const writing = names.write(['a'], PATIENCE);
    await expect(writing).resolves.toBeUndefined();
    expect(told).toHaveLength(2);
    expect(await names.recent(PATIENCE)).toContain('a');
  });

  it('are remembered up to ten thousand, the latest', async () => {
    const { names, told, state } = made();
    const all = Array.from({ length: 10_500 }, (_, index) => `day-${index}`);
    await names.write(all.slice(0, 10_000), PATIENCE);
    state.names = all.slice(0, 10_000);
    expect(await names.recent(PATIENCE)).toHaveLength(10_000);
    await names.write(all.slice(10_000), PATIENCE);
    expect(names.unwritten(all)).toEqual(all.slice(0, 500));
    expect(await names.recent(PATIENCE)).toHaveLength(10_500);
    expect(await names.recent(PATIENCE)).toHaveLength(10_500);
    expect(told.filter((one) => one === 'read').length).toBeLessThanOrEqual(2);
  });

  it('are read again where one that was read too late to be known is not remembered any more', async () => {
    const { names, state } = made();
    await names.recent(PATIENCE);
    const all = Array.from({ length: 10_001 }, (_, index) => `day-${index}`);
    await names.write(all, PATIENCE);
    state.names = all;
    expect(await names.recent(PATIENCE)).toContain('day-0');
  });

  it('of empty queues are forgotten after a while, now and then', async () => {
    const { names, told, state } = made();
    at(0);
    state.idle = ['full', 'empty'];
    state.full = 'full';
    await names.recent(PATIENCE);
    expect(told).toEqual(['read']);
    at(600_001);
    await names.recent(PATIENCE);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(told.slice(2)).toEqual(['names-idle 600000 500', 'names-drop 600000 empty', 'names-write full']);
  });
});

describe('a prefix', () => {
  it('has braces around a text, or none', () => {
    for (const prefix of ['queue', 'a:{b}', '{b}{}', 'a}', 'a}{b}c', ''])
      expect(new Keyspace(prefix).prefix).toBe(prefix);
    for (const prefix of ['{}', 'a{}:{b}', '{', 'a{b', '}{']) {
      expect(() => new Keyspace(prefix)).toThrow(
        expect.objectContaining({ code: 'ERR_QUEUE_INVALID_OPTION', message: expect.stringContaining(`"${prefix}"`) }),
      );
    }
  });
});
