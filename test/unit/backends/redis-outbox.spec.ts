import { describe, expect, it, jest } from '@jest/globals';
import { effectsText } from '../../../lib/backends/redis/effects-text.js';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { RedisLink, Reply } from '../../../lib/backends/redis/link.js';
import { Outbox } from '../../../lib/backends/redis/outbox.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import type { BatchProgress, BatchRecord, BatchStore } from '../../../lib/contracts/batch-store.js';
import type { Effects } from '../../../lib/contracts/queue-driver.js';
import { deferred } from '../../../lib/support/deferred.js';

const keys = new QueueKeys(new Keyspace('p'), true);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const unlock = (key: string): Effects => ({ unlock: [{ key, owner: 'o' }] });
const settled = (key: string) => ({
  job: { id: key, queue: 'q', body: '', priority: 0, attempts: 1, stalls: 0, token: key, leasedUntil: 0 },
  effects: unlock(key),
});

function outboxOf(
  release: (key: string) => Promise<boolean>,
  left: readonly Reply[] = ['0'],
  recordEnd: BatchStore['recordEnd'] = () => Promise.resolve(undefined),
) {
  const removed: unknown[] = [];
  const runs: unknown[] = [];
  const link: RedisLink = {
    isCluster: true,
    run: (_script, [key], args) => {
      runs.push([key, ...args]);
      return Promise.resolve(left);
    },
    send: (command, args) => {
      removed.push([command, ...args]);
      return Promise.resolve(1);
    },
    all: () => Promise.resolve([]),
  };
  const outbox = new Outbox(link, keys, {
    push: () => Promise.resolve([]),
    locks: { release },
    batches: { recordEnd },
    failed: { record: () => Promise.resolve() },
  });
  return { outbox, removed, runs };
}

describe('effects in other slots', () => {
  it('are swept past one that cannot be applied, and one that cannot be read', async () => {
    const left = ['0', 'bad', 'no json', 'a', effectsText(unlock('refused')), 'b', effectsText(unlock('fine'))];
    const release = jest.fn((key: string) =>
      key === 'fine' ? Promise.resolve(true) : Promise.reject(new Error('refused')),
    );
    const { outbox, removed, runs } = outboxOf(release, left);
    outbox.sweep(['q', 'r']);
    outbox.sweep(['q', 'r']);
    await turn();
    expect(removed).toEqual([
      ['HDEL', 'p:{q}:effects', 'b'],
      ['HDEL', 'p:{r}:effects', 'b'],
    ]);
    expect(runs).toEqual([
      ['p:{q}', '0', 100, 30_000],
      ['p:{r}', '0', 100, 30_000],
    ]);
  });

  it('are applied a thousand at a time', async () => {
    const gate = deferred();
    let running = 0;
    const { outbox, removed } = outboxOf(() => {
      running += 1;
      return gate.promise.then(() => true);
    });
    const applied = outbox.apply(
      Array.from({ length: 1_500 }, (_, at) => settled(`k${at}`)),
      60_000,
    );
    await turn();
    expect(running).toBe(1_000);
    gate.resolve();
    await applied;
    expect(removed).toHaveLength(1_500);
  });

  it('are waited for at the end, and begun no more after it', async () => {
    const gate = deferred();
    const { outbox, removed } = outboxOf(() => gate.promise.then(() => true));
    await outbox.apply([settled('a')], 1);
    let isClosed = false;
    const closed = outbox.close().then(() => (isClosed = true));
    await turn();
    expect(isClosed).toBe(false);
    gate.resolve();
    await closed;
    expect(removed).toEqual([['HDEL', 'p:{q}:effects', 'a']]);
    await outbox.apply([settled('b')], 1_000);
    expect(removed).toHaveLength(1);
  });

  it('that never end hold up the end for a second', async () => {
    const { outbox } = outboxOf(() => new Promise(() => {}));
    await outbox.apply([settled('a')], 1);
    const began = performance.now();
    await outbox.close();
    expect(performance.now() - began).toBeLessThan(1_900);
  });

  describe('of members', () => {
    const told = (over: Partial<BatchProgress>): BatchProgress => ({
      batch: { id: 'b' } as BatchRecord,
      counted: true,
      started: false,
      finished: false,
      cancelled: false,
      due: [],
      ...over,
    });
    const end = (jobId: string) => ({
      ...settled(jobId),
      effects: { member: { batchId: 'b', jobId, outcome: 'done' } } satisfies Effects,
    });

    it('tell what became of the batch, where something did', async () => {
      const answers: Record<string, BatchProgress | undefined> = {
        a: told({ started: true }),
        b: told({}),
        c: undefined,
        d: told({ counted: false, due: ['then'] }),
      };
      const { outbox, removed } = outboxOf(
        () => Promise.resolve(true),
        ['0'],
        (_id, { jobId }) => Promise.resolve(answers[jobId]),
      );
      const progress = await outbox.apply([end('a'), settled('x'), end('b'), end('c'), end('d')], 1_000);
      expect([...progress].sort(([a], [b]) => a - b)).toEqual([
        [0, answers['a']],
        [4, answers['d']],
      ]);
      expect(removed).toHaveLength(5);
    });

    it('tell nothing that came too late', async () => {
      const gate = deferred();
      const { outbox, removed } = outboxOf(
        () => Promise.resolve(true),
        ['0'],
        () => gate.promise.then(() => told({ finished: true })),
      );
      const progress = await outbox.apply([end('a')], 5);
      gate.resolve();
      await turn();
      expect(removed).toHaveLength(1);
      expect(progress.size).toBe(0);
    });
  });
});
