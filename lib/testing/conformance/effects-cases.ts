import assert from 'node:assert/strict';
import type { FailedJob } from '../../contracts/failed-job-store.js';
import type { ConformanceCase } from './conformance-case.js';
import {
  accepted,
  atomically,
  batchStore,
  entries,
  entry,
  failedStore,
  idsOf,
  lockStore,
  present,
  queueCase,
  refused,
} from './queue-probe.js';

export const effectsCases: readonly ConformanceCase[] = [
  queueCase(
    'follow-up pushes are stored with the ack',
    async (queue) => {
      await queue.push(entry());
      const next = [entry({ body: 'next' }), entry({ queue: 'other', priority: 2 }), entry({ delayMs: 60_000 })];
      accepted(await queue.ack(await queue.takeOne(), { push: next }));
      const jobs = await queue.take({ queues: ['default', 'other'] });
      assert.deepEqual(
        jobs.map((job) => [job.id, job.body, job.priority, job.attempts]),
        [
          [next[0]!.id, 'next', 0, 1],
          [next[1]!.id, '{}', 2, 1],
        ],
      );
      assert.equal((await queue.size()).delayed ?? 1, 1);
    },
    atomically('push'),
  ),

  queueCase(
    'follow-up pushes of a stale token are not stored',
    async (queue) => {
      await queue.push(entry());
      const lost = await queue.takeAndStall();
      const job = await queue.takeOne();
      refused(await queue.ack(lost, { push: [entry()] }), 'lease-lost');
      refused(await queue.release(lost, { effects: { push: [entry()] } }), 'lease-lost');
      assert.deepEqual(await queue.take(), []);
      accepted(await queue.ack(job, { push: [entry({ id: 'from-the-living' })] }));
      refused(await queue.ack(job, { push: [entry()] }), 'lease-lost');
      assert.deepEqual(idsOf(await queue.take()), ['from-the-living']);
    },
    atomically('push'),
  ),

  queueCase(
    'a follow-up that is there already does not hold up the ack',
    async (queue) => {
      const next = entry({ body: 'first' });
      await queue.push(entry(), next);
      const job = await queue.takeOne();
      accepted(await queue.ack(job, { push: [{ ...next, body: 'second' }, entry({ id: 'beside-it' })] }));
      assert.deepEqual(
        (await queue.take()).map((one) => [one.id, one.body]),
        [
          [next.id, 'first'],
          ['beside-it', '{}'],
        ],
      );
    },
    atomically('push'),
  ),

  queueCase(
    'a follow-up under `once` is enqueued once, however often it is asked for',
    async (queue) => {
      await queue.push(...entries(2));
      const [a, b] = await queue.take();
      const next = entry({ once: { ttlMs: 86_400_000 } });
      accepted(await queue.ack(a!, { push: [next] }));
      accepted(await queue.ack(await queue.takeOne()));
      accepted(await queue.ack(b!, { push: [next] }));
      assert.deepEqual(await queue.take(), []);
    },
    atomically('push'),
  ),

  queueCase(
    'a settlement whose follow-up cannot be stored is answered with `error` and not written at all',
    async (queue) => {
      await queue.push(...entries(2));
      const [job, neighbour] = await queue.take();
      const answers = await queue.settle(
        { kind: 'ack', job: job!, effects: { push: [entry(), entry({ delayMs: NaN })] } },
        { kind: 'ack', job: neighbour!, effects: { push: [entry({ id: 'next-of-the-neighbour' })] } },
      );
      refused(answers[0]!, 'error');
      accepted(answers[1]!);
      assert.deepEqual(idsOf(await queue.take()), ['next-of-the-neighbour']);
      accepted(await queue.ack(job!));
    },
    atomically('push'),
  ),

  queueCase(
    'follow-up pushes ride on a release too',
    async (queue) => {
      await queue.push(entry());
      const job = await queue.takeOne();
      accepted(await queue.release(job, { delayMs: 60_000, effects: { push: [entry({ id: 'beside' })] } }));
      assert.deepEqual(idsOf(await queue.take()), ['beside']);
    },
    atomically('push'),
  ),

  queueCase(
    'a follow-up push takes its lock',
    async (queue, backend) => {
      await queue.push(entry());
      const lock = { key: 'unique', owner: 'next', ttlMs: 60_000 };
      accepted(await queue.ack(await queue.takeOne(), { push: [entry({ lock })] }));
      assert.equal(await present(backend.locks, 'lock store').owner('unique'), 'next');
    },
    atomically('push'),
    lockStore,
  ),

  queueCase(
    'locks are given back with the ack, those of others are not',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      const one = entry({ lock: { key: 'unique', owner: 'a', ttlMs: 60_000 } });
      await queue.push(one);
      await locks.acquire('overlap', 'a', 60_000);
      await locks.acquire('foreign', 'b', 60_000);
      const unlock = ['unique', 'overlap', 'foreign', 'unknown'].map((key) => ({ key, owner: 'a' }));
      accepted(await queue.ack(await queue.takeOne(), { unlock }));
      assert.equal(await locks.owner('unique'), undefined);
      assert.equal(await locks.owner('overlap'), undefined);
      assert.equal(await locks.owner('foreign'), 'b');
    },
    lockStore,
    atomically('unlock'),
  ),

  queueCase(
    'a stale token unlocks nothing',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      await queue.push(entry({ lock: { key: 'unique', owner: 'a', ttlMs: 600_000 } }));
      const lost = await queue.takeAndStall();
      await queue.takeOne();
      refused(await queue.ack(lost, { unlock: [{ key: 'unique', owner: 'a' }] }), 'lease-lost');
      assert.equal(await locks.owner('unique'), 'a');
    },
    lockStore,
    atomically('unlock'),
  ),

  queueCase(
    'a failure is recorded with the ack, and not for a stale token',
    async (queue, backend) => {
      const failed = present(backend.failed, 'failed-job store');
      await queue.push(entry());
      const lost = await queue.takeAndStall();
      const job = await queue.takeOne();
      refused(await queue.ack(lost, { failure: failure(lost.id, 'from the dead') }), 'lease-lost');
      assert.equal(await failed.count(), 0);
      accepted(await queue.ack(job, { failure: failure(job.id, 'from the living') }));
      assert.equal((await failed.find(job.id))?.exception, 'from the living');
      assert.equal(await failed.count(), 1);
    },
    failedStore,
    atomically('failure'),
  ),

  queueCase(
    'all kinds of effects go with one ack',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      const one = entry({ lock: { key: 'unique', owner: 'a', ttlMs: 60_000 } });
      await present(backend.batches, 'batch store').create({
        id: 'batch-1',
        name: '',
        options: '',
        memberIds: [one.id],
        sealed: true,
        cancelOnFailure: false,
      });
      await queue.push(one);
      accepted(
        await queue.ack(await queue.takeOne(), {
          push: [entry({ id: 'next' })],
          unlock: [{ key: 'unique', owner: 'a' }],
          member: { batchId: 'batch-1', jobId: one.id, outcome: 'failed' },
          failure: failure(one.id, 'broken'),
        }),
      );
      assert.deepEqual(idsOf(await queue.take()), ['next']);
      assert.equal(await locks.owner('unique'), undefined);
      assert.equal((await backend.batches?.find('batch-1'))?.failedJobs, 1);
      assert.equal((await backend.failed?.find(one.id))?.exception, 'broken');
    },
    lockStore,
    batchStore,
    failedStore,
    ...(['push', 'unlock', 'member', 'failure'] as const).map(atomically),
  ),

  queueCase(
    'effects of a refused settlement do not touch those beside it',
    async (queue) => {
      await queue.push(...entries(2));
      const [a, b] = await queue.take();
      accepted(await queue.ack(a!));
      const answers = await queue.settle(
        { kind: 'ack', job: a!, effects: { push: [entry({ id: 'stale' })] } },
        { kind: 'ack', job: b!, effects: { push: [entry({ id: 'fresh' })] } },
      );
      refused(answers[0]!, 'lease-lost');
      accepted(answers[1]!);
      assert.deepEqual(idsOf(await queue.take()), ['fresh']);
    },
    atomically('push'),
  ),
];

function failure(id: string, exception: string): FailedJob {
  return {
    id,
    connection: 'default',
    queue: 'default',
    name: 'ProcessPodcast',
    displayName: 'ProcessPodcast',
    payload: '{}',
    exception,
    failedAt: new Date(1_750_000_000_000),
  };
}
