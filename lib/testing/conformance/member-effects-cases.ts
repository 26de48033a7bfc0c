import assert from 'node:assert/strict';
import type { MemberOutcome } from '../../contracts/batch-store.js';
import type { Effects, ReservedJob, Settlement } from '../../contracts/queue-driver.js';
import { due, ended, flagsOf, plainBatch, progressOf } from './batch-probe.js';
import type { ConformanceCase } from './conformance-case.js';
import { accepted, atomically, batchStore, entries, entry, idsOf, present, queueCase, refused } from './queue-probe.js';

/** What an ack does for the batch that its job is a member of. */
export const memberEffectsCases: readonly ConformanceCase[] = [
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
    "the first member's end, and the last one's, tell what became of the batch; those between tell nothing new",
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const jobs = entries(3);
      await batches.create({ ...plainBatch, id: 'a', memberIds: idsOf(jobs) });
      await queue.push(...jobs);
      const [first, second, third] = await queue.take({ limit: 3 });
      const started = present(progressOf(await queue.ack(first!, ended('a', first!))), 'progress');
      assert.deepEqual(flagsOf([started]), { started: 1, finished: 0, cancelled: 0 });
      due(started);
      assert.deepEqual([started.counted, started.batch.id, started.batch.finishedAt], [true, 'a', undefined]);
      const between = progressOf(await queue.ack(second!, ended('a', second!)));
      assert.deepEqual(flagsOf([between]), { started: 0, finished: 0, cancelled: 0 });
      if (between) due(between);
      const last = present(progressOf(await queue.ack(third!, ended('a', third!))), 'progress');
      assert.deepEqual(flagsOf([last]), { started: 0, finished: 1, cancelled: 0 });
      due(last, 'then', 'finally');
      assert.deepEqual([last.batch.pendingJobs, last.batch.endedJobs, last.batch.totalJobs], [0, 3, 3]);
      assert.ok(last.batch.finishedAt !== undefined);
    },
    batchStore,
    atomically('member'),
  ),

  queueCase(
    "a failed member's end tells that it cancelled the batch, and that `catch` is due until that is confirmed",
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const jobs = entries(4);
      await batches.create({ ...plainBatch, id: 'a', memberIds: idsOf(jobs), cancelOnFailure: true });
      await queue.push(...jobs);
      const [first, second, third, fourth] = await queue.take({ limit: 4 });
      const failed = present(progressOf(await queue.ack(first!, ended('a', first!, 'failed'))), 'progress');
      assert.deepEqual(flagsOf([failed]), { started: 1, finished: 0, cancelled: 1 });
      due(failed, 'catch');
      assert.deepEqual(failed.batch.failedJobIds, [first!.id]);
      assert.ok(failed.batch.cancelledAt !== undefined);
      const unconfirmed = present(progressOf(await queue.ack(second!, ended('a', second!))), 'progress');
      assert.deepEqual(flagsOf([unconfirmed]), { started: 0, finished: 0, cancelled: 0 });
      due(unconfirmed, 'catch');
      await batches.confirm('a', ['catch']);
      const again = progressOf(await queue.ack(third!, ended('a', third!, 'failed')));
      assert.deepEqual(flagsOf([again]), { started: 0, finished: 0, cancelled: 0 });
      if (again) due(again);
      const last = present(progressOf(await queue.ack(fourth!, ended('a', fourth!))), 'progress');
      assert.deepEqual(flagsOf([last]), { started: 0, finished: 1, cancelled: 0 });
      due(last, 'finally');
    },
    batchStore,
    atomically('member'),
  ),

  queueCase(
    'where members end together, what became of their batch is told once among the answers',
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const jobs = entries(12);
      const ids = idsOf(jobs);
      await batches.create({ ...plainBatch, id: 'a', memberIds: ids.slice(0, 5) });
      await batches.create({ ...plainBatch, id: 'b', memberIds: ids.slice(5, 7) });
      await batches.create({ ...plainBatch, id: 'c', memberIds: ids.slice(7, 10), cancelOnFailure: true });
      await queue.push(...jobs);
      const taken = await queue.take({ limit: 12 });
      const job = (at: number): ReservedJob =>
        present(
          taken.find(({ id }) => id === ids[at]),
          'job',
        );
      const ack = (batch: string, at: number, outcome?: MemberOutcome): Settlement => ({
        kind: 'ack',
        job: job(at),
        effects: ended(batch, job(at), outcome),
      });
      const together = async (...settlements: Settlement[]) => {
        const settled = await queue.settle(...settlements);
        settled.forEach(accepted);
        return (batch: string) => settled.map(progressOf).filter((progress) => progress?.batch.id === batch);
      };
      const simple = await together(
        ack('a', 0),
        ack('b', 5),
        { kind: 'ack', job: job(10) },
        ack('a', 1),
        ack('b', 6),
        ack('a', 2),
      );
      assert.deepEqual(flagsOf(simple('a')), { started: 1, finished: 0, cancelled: 0 });
      assert.deepEqual(flagsOf(simple('b')), { started: 1, finished: 1, cancelled: 0 });
      due(present(simple('b').at(-1), 'progress of b'), 'then', 'finally');
      assert.equal((await batches.find('a'))?.endedJobs, 3);
      const mixed = await together(
        ack('c', 7),
        ack('a', 3),
        ack('c', 8, 'failed'),
        { kind: 'ack', job: job(11) },
        ack('c', 9, 'failed'),
        ack('a', 4),
      );
      assert.deepEqual(flagsOf(mixed('a')), { started: 0, finished: 1, cancelled: 0 });
      assert.deepEqual(flagsOf(mixed('c')), { started: 1, finished: 1, cancelled: 1 });
      assert.deepEqual(
        [...new Set(mixed('c').flatMap((progress) => progress?.due ?? []))].sort(),
        ['catch', 'finally'],
        'what is due in the batch with failures',
      );
    },
    batchStore,
    atomically('member'),
  ),
];
