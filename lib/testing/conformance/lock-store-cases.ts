import assert from 'node:assert/strict';
import type { LockStore } from '../../contracts/lock-store.js';
import { all, reopened, sharing, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
import { hostileText, unkeepableText } from './hostile-text.js';
import { lockStore, present } from './queue-probe.js';

const minute = 60_000;

/** What every lock store must do. */
export const lockStoreCases: readonly ConformanceCase[] = [
  lockCase('a free lock is acquired, a held one is not', async (locks) => {
    assert.equal(await locks.owner('key'), undefined);
    assert.equal(await locks.acquire('key', 'a', minute), true);
    assert.equal(await locks.acquire('key', 'b', minute), false);
    assert.equal(await locks.owner('key'), 'a');
    assert.equal(await locks.acquire('another key', 'b', minute), true);
  }),

  lockCase('taking a lock of one’s own again extends it', async (locks, harness) => {
    assert.equal(await locks.acquire('key', 'a', 400), true);
    assert.equal(await locks.acquire('key', 'a', minute), true);
    await harness.advance(600);
    assert.equal(await locks.owner('key'), 'a');
    assert.equal(await locks.acquire('key', 'b', minute), false);
  }),

  lockCase('a lock ends with its time', async (locks, harness) => {
    assert.equal(await locks.acquire('key', 'a', 400), true);
    assert.equal(await locks.acquire('key', 'b', 400), false);
    await harness.advance(600);
    assert.equal(await locks.owner('key'), undefined);
    assert.equal(await locks.release('key', 'a'), false);
    assert.equal(await locks.acquire('key', 'b', minute), true);
  }),

  lockCase('a lock without end is kept until it is released', async (locks, harness) => {
    assert.equal(await locks.acquire('key', 'a', Infinity), true);
    await harness.advance(300);
    assert.equal(await locks.acquire('key', 'b', minute), false);
    assert.equal(await locks.owner('key'), 'a');
    assert.equal(await locks.release('key', 'a'), true);
    assert.equal(await locks.acquire('key', 'b', Infinity), true);
  }),

  lockCase('only its owner releases a lock', async (locks) => {
    assert.equal(await locks.release('key', 'a'), false);
    await locks.acquire('key', 'a', minute);
    assert.equal(await locks.release('key', 'b'), false);
    assert.equal(await locks.owner('key'), 'a');
    assert.equal(await locks.release('key', 'a'), true);
    assert.equal(await locks.release('key', 'a'), false);
    assert.equal(await locks.owner('key'), undefined);
  }),

  lockCase('many locks are extended at once, each by its owner alone', async (locks, harness) => {
    for (const key of ['mine', 'short', 'forever']) await locks.acquire(key, 'a', 500);
    await locks.acquire('foreign', 'b', 500);
    const answers = await locks.extend([
      { key: 'mine', owner: 'a', ttlMs: minute },
      { key: 'foreign', owner: 'a', ttlMs: minute },
      { key: 'nobody', owner: 'a', ttlMs: minute },
      { key: 'forever', owner: 'a', ttlMs: Infinity },
    ]);
    assert.deepEqual(answers, [true, false, false, true]);
    assert.deepEqual(await locks.extend([]), []);
    await harness.advance(700);
    const owners = ['mine', 'short', 'forever', 'foreign', 'nobody'].map((key) => locks.owner(key));
    assert.deepEqual(await Promise.all(owners), ['a', undefined, 'a', undefined, undefined]);
  }),

  lockCase('a lock that ran out cannot be extended', async (locks, harness) => {
    await locks.acquire('key', 'a', 300);
    await harness.advance(500);
    assert.deepEqual(await locks.extend([{ key: 'key', owner: 'a', ttlMs: minute }]), [false]);
    assert.equal(await locks.owner('key'), undefined);
  }),

  lockCase('extending may also shorten', async (locks, harness) => {
    await locks.acquire('key', 'a', Infinity);
    assert.deepEqual(await locks.extend([{ key: 'key', owner: 'a', ttlMs: 300 }]), [true]);
    await harness.advance(500);
    assert.equal(await locks.owner('key'), undefined);
  }),

  lockCase('replace gives the lock to whoever asks, and tells who had it', async (locks, harness) => {
    assert.equal(await locks.replace('key', 'a', minute), undefined);
    assert.equal(await locks.replace('key', 'b', 300), 'a');
    assert.equal(await locks.owner('key'), 'b');
    assert.equal(await locks.release('key', 'a'), false);
    await harness.advance(500);
    assert.equal(await locks.replace('key', 'c', minute), undefined);
    assert.equal(await locks.owner('key'), 'c');
  }),

  lockCase('forceRelease frees a lock whoever has it', async (locks) => {
    await locks.acquire('key', 'a', Infinity);
    await locks.forceRelease('key');
    await locks.forceRelease('nobody');
    assert.equal(await locks.owner('key'), undefined);
    assert.equal(await locks.acquire('key', 'b', minute), true);
  }),

  lockCase('of many who ask at once one gets the lock', async (locks) => {
    const owners = Array.from({ length: 100 }, (_, index) => `owner-${index}`);
    const answers = await Promise.all(owners.map((owner) => locks.acquire('key', owner, minute)));
    assert.equal(answers.filter(Boolean).length, 1);
    assert.equal(await locks.owner('key'), owners[answers.indexOf(true)]);
  }),

  lockCase(
    'of two handles one gets the lock',
    async (locks, harness) => {
      const other = present((await reopened(harness)).locks, 'lock store');
      for (let round = 0; round < 20; round++) {
        const key = `round-${round}`;
        const [a, b] = await Promise.all([locks.acquire(key, 'a', minute), other.acquire(key, 'b', minute)]);
        assert.notEqual(a, b);
        assert.equal(await other.owner(key), a ? 'a' : 'b');
      }
    },
    sharing,
  ),

  lockCase('hostile keys and owners are locks of their own', async (locks) => {
    const keys = [...hostileText, '', 'k'.repeat(4_000)];
    for (const key of keys) assert.equal(await locks.acquire(key, `owner of ${key}`, minute), true, key);
    for (const key of keys) {
      assert.equal(await locks.acquire(key, 'another', minute), false, key);
      assert.equal(await locks.owner(key), `owner of ${key}`);
    }
    for (const key of keys) assert.equal(await locks.release(key, `owner of ${key}`), true, key);
  }),

  lockCase('a key that cannot be kept is refused with an error, or is a lock of its own', async (locks) => {
    const kept: string[] = [];
    for (const key of unkeepableText) {
      const answer = await locks.acquire(key, 'a', minute).catch((error: unknown) => error);
      if (answer instanceof Error) continue;
      assert.equal(answer, true, 'no two keys are the same lock');
      kept.push(key);
    }
    for (const key of kept) assert.equal(await locks.release(key, 'a'), true);
  }),
];

function lockCase(
  name: string,
  run: (locks: LockStore, harness: Harness) => Promise<void>,
  ...requirements: readonly Requirement[]
): ConformanceCase {
  return {
    name,
    needs: all([lockStore, ...requirements]),
    run: (backend, harness) => run(present(backend.locks, 'lock store'), harness),
  };
}
