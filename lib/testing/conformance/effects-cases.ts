import assert from 'node:assert/strict';
import type { FailedJob } from '../../contracts/failed-job-store.js';
import type { Effects, Settlement } from '../../contracts/queue-driver.js';
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
    "a member's end is counted with the ack, and not for a stale token",
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const members = entries(2);
      await batches.create({
        id: 'batch-1',
        name: '',
        options: '{}',
        memberIds: idsOf(members),
        sealed: true,
        cancelOnFailure: false,
      });
      await queue.push(...members);
      const end = (jobId: string, outcome: 'done' | 'failed') => ({ member: { batchId: 'batch-1', jobId, outcome } });
      const lost = await queue.takeOne({ leaseMs: 1_000 });
      const held = await queue.takeOne();
      await queue.harness.advance(1_250);
      const job = await queue.takeOne();
      refused(await queue.ack(lost, end(lost.id, 'failed')), 'lease-lost');
      assert.equal((await batches.find('batch-1'))?.endedJobs, 0);
      accepted(await queue.ack(job, end(job.id, 'done')));
      accepted(await queue.ack(held, end(held.id, 'failed')));
      const batch = present(await batches.find('batch-1'), 'batch');
      assert.deepEqual([batch.pendingJobs, batch.failedJobs, batch.endedJobs], [1, 1, 2]);
      assert.ok(batch.finishedAt !== undefined);
      assert.deepEqual(batch.failedJobIds, [held.id]);
    },
    batchStore,
    atomically('member'),
  ),

  queueCase(
    'members that end together are all counted, once, whatever stands beside them',
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const jobs = entries(9);
      const [a1, a2, a3, b1, b2] = idsOf(jobs);
      const create = (id: string, memberIds: readonly string[]) =>
        batches.create({ id, name: '', options: '{}', memberIds, sealed: true, cancelOnFailure: false });
      await create('a', [a1!, a2!, a3!]);
      await create('b', [b1!, b2!]);
      await batches.recordEnd('b', { jobId: b2!, outcome: 'failed' });
      await queue.push(...jobs);
      const held = await queue.take({ limit: 9, leaseMs: 1_000 });
      const done = (batchId: string, jobId: string) => ({ member: { batchId, jobId, outcome: 'done' as const } });
      const ack = (at: number, effects?: Effects): Settlement => ({
        kind: 'ack',
        job: held.find(({ id }) => id === jobs[at]!.id)!,
        ...(effects && { effects }),
      });
      const settled = await queue.driver.settle([
        ack(0, done('a', a1!)),
        ack(5),
        ack(3, done('b', b1!)),
        ack(1, done('a', a2!)),
        // It had failed before.
        ack(4, done('b', b2!)),
        ack(6, done('a', 'nobody')),
        ack(7, done('gone', jobs[7]!.id)),
      ]);
      settled.forEach(accepted);
      const read = async (id: string) => {
        const batch = present(await batches.find(id), 'batch');
        return [batch.pendingJobs, batch.failedJobs, batch.endedJobs, batch.finishedAt !== undefined];
      };
      assert.deepEqual(await read('a'), [1, 0, 2, false]);
      assert.deepEqual(await read('b'), [0, 0, 2, true]);
      await queue.harness.advance(1_250);
      const again = (await queue.take()).find(({ id }) => id === a3)!;
      // Its lease has run out, and the job is somebody else's: that end is not counted.
      const [late] = await queue.driver.settle([ack(2, done('a', a3!)), ack(8, done('a', 'nobody'))]);
      refused(late!, 'lease-lost');
      assert.deepEqual(await read('a'), [1, 0, 2, false]);
      accepted(await queue.ack(again, done('a', a3!)));
      assert.deepEqual(await read('a'), [0, 0, 3, true]);
    },
    batchStore,
    atomically('member'),
  ),

  queueCase(
    'a member of a batch that is gone does not hold up the ack',
    async (queue) => {
      await queue.push(entry());
      const job = await queue.takeOne();
      accepted(await queue.ack(job, { member: { batchId: 'pruned', jobId: job.id, outcome: 'done' } }));
      assert.deepEqual(await queue.take(), []);
    },
    batchStore,
    atomically('member'),
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
