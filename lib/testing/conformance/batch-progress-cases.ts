import assert from 'node:assert/strict';
import { batchCase, counters, due } from './batch-probe.js';
import type { ConformanceCase } from './conformance-case.js';

/** How the ends of members add up. */
export const batchProgressCases: readonly ConformanceCase[] = [
  batchCase('every member succeeds', async (batches) => {
    await batches.create(['a', 'b']);
    const first = await batches.end('a', 'done');
    counters(first.batch, 2, 1, 0, 1);
    assert.deepEqual([first.counted, first.started, first.finished, first.cancelled], [true, true, false, false]);
    due(first);
    assert.equal(first.batch.finishedAt, undefined);
    const last = await batches.end('b', 'done');
    counters(last.batch, 2, 0, 0, 2);
    assert.deepEqual([last.counted, last.started, last.finished, last.cancelled], [true, false, true, false]);
    due(last, 'then', 'finally');
    assert.ok(last.batch.finishedAt !== undefined);
  }),

  batchCase(
    'without allowed failures: the first failure cancels, a later retry cannot bring `then`',
    async (batches) => {
      await batches.create(['a', 'b', 'c'], { cancelOnFailure: true });
      counters((await batches.end('a', 'done')).batch, 3, 2, 0, 1);
      const failed = await batches.end('b', 'failed');
      counters(failed.batch, 3, 2, 1, 2);
      assert.deepEqual([failed.counted, failed.cancelled, failed.finished], [true, true, false]);
      assert.ok(failed.batch.cancelledAt !== undefined);
      assert.equal(
        failed.batch.finishedAt,
        undefined,
        'a batch finishes with its last member, not with its cancellation',
      );
      due(failed, 'catch');
      await batches.store.confirm('batch', ['catch']);
      const last = await batches.end('c', 'done');
      counters(last.batch, 3, 1, 1, 3);
      assert.equal(last.finished, true);
      due(last, 'finally');
      await batches.store.confirm('batch', ['finally']);
      const retried = await batches.end('b', 'done');
      counters(retried.batch, 3, 0, 0, 3);
      assert.deepEqual([retried.counted, retried.finished], [true, false]);
      due(retried);
    },
  ),

  batchCase('with allowed failures: a retry that succeeds completes the batch', async (batches) => {
    await batches.create(['a', 'b', 'c']);
    await batches.end('a', 'done');
    const failed = await batches.end('b', 'failed');
    counters(failed.batch, 3, 2, 1, 2);
    assert.deepEqual([failed.cancelled, failed.batch.cancelledAt], [false, undefined]);
    assert.deepEqual(failed.batch.failedJobIds, ['b']);
    due(failed, 'catch');
    const last = await batches.end('c', 'done');
    counters(last.batch, 3, 1, 1, 3);
    assert.equal(last.finished, true);
    due(last, 'catch', 'finally');
    await batches.store.confirm('batch', ['catch', 'finally']);
    const retried = await batches.end('b', 'done');
    counters(retried.batch, 3, 0, 0, 3);
    assert.deepEqual(retried.batch.failedJobIds, []);
    assert.deepEqual([retried.counted, retried.finished, retried.started], [true, false, false]);
    due(retried, 'then');
    assert.equal(retried.batch.finishedAt, last.batch.finishedAt, 'it finished once');
  }),

  batchCase('a retry that fails again changes nothing', async (batches) => {
    await batches.create(['a', 'b']);
    await batches.end('a', 'failed');
    await batches.store.confirm('batch', ['catch']);
    const again = await batches.end('a', 'failed');
    counters(again.batch, 2, 2, 1, 1);
    assert.deepEqual([again.counted, again.started], [false, false]);
    assert.deepEqual(again.batch.failedJobIds, ['a']);
    due(again);
    counters((await batches.end('a', 'done')).batch, 2, 1, 0, 1);
  }),

  batchCase('a broken chain: what stands behind it has ended and stays pending', async (batches) => {
    await batches.create(['x', 'y', 'z']);
    const broken = await batches.end('x', 'failed', ['y']);
    counters(broken.batch, 3, 3, 1, 2);
    assert.deepEqual(broken.batch.failedJobIds, ['x']);
    due(broken, 'catch');
    const last = await batches.end('z', 'done');
    counters(last.batch, 3, 2, 1, 3);
    assert.equal(last.finished, true);
    due(last, 'catch', 'finally');
    await batches.store.confirm('batch', ['catch', 'finally']);
    const retried = await batches.end('x', 'done');
    counters(retried.batch, 3, 1, 0, 3);
    due(retried);
    const behind = await batches.end('y', 'done');
    counters(behind.batch, 3, 0, 0, 3);
    assert.equal(behind.counted, true);
    due(behind, 'then');
  }),

  batchCase('what stood behind a broken chain may fail when the chain goes on', async (batches) => {
    await batches.create(['x', 'y']);
    await batches.end('x', 'failed', ['y', 'y', 'nobody']);
    counters(await batches.record(), 2, 2, 1, 2);
    await batches.end('x', 'done');
    const behind = await batches.end('y', 'failed');
    counters(behind.batch, 2, 1, 1, 2);
    assert.deepEqual(behind.batch.failedJobIds, ['y']);
  }),

  batchCase('`alsoEnded` does not touch members that have ended, and counts once', async (batches) => {
    await batches.create(['x', 'y', 'z']);
    await batches.end('y', 'done');
    const broken = await batches.end('x', 'failed', ['y', 'z']);
    counters(broken.batch, 3, 2, 1, 3);
    assert.equal(broken.finished, true);
    const again = await batches.end('x', 'failed', ['y', 'z']);
    counters(again.batch, 3, 2, 1, 3);
    assert.deepEqual([again.counted, again.finished], [false, false]);
  }),

  batchCase('a repeat is not counted and names what is due until it is confirmed', async (batches) => {
    await batches.create(['a']);
    due(await batches.end('a', 'done'), 'then', 'finally');
    const again = await batches.end('a', 'done');
    counters(again.batch, 1, 0, 0, 1);
    assert.deepEqual([again.counted, again.started, again.finished], [false, false, false]);
    due(again, 'then', 'finally');
    await batches.store.confirm('batch', ['then']);
    due(await batches.end('a', 'done'), 'finally');
    await batches.store.confirm('batch', ['then', 'finally']);
    due(await batches.end('a', 'done'));
  }),

  batchCase('`catch` is due with the first failure, once in the life of a batch', async (batches) => {
    await batches.create(['a', 'b', 'c']);
    due(await batches.end('a', 'failed'), 'catch');
    due(await batches.end('b', 'failed'), 'catch');
    await batches.store.confirm('batch', ['catch']);
    due(await batches.end('c', 'failed'), 'finally');
    await batches.store.confirm('batch', ['finally']);
    await batches.end('a', 'done');
    due(await batches.end('a', 'failed'));
  }),

  batchCase('a cancelled batch finishes with its last member, without `then`', async (batches) => {
    await batches.create(['a', 'b']);
    assert.ok((await batches.store.cancel('batch'))?.cancelledAt !== undefined);
    const first = await batches.end('a', 'done');
    assert.equal(first.finished, false);
    const last = await batches.end('b', 'done');
    counters(last.batch, 2, 0, 0, 2);
    assert.equal(last.finished, true);
    due(last, 'finally');
  }),

  batchCase('a failure after a cancellation does not cancel again', async (batches) => {
    await batches.create(['a', 'b'], { cancelOnFailure: true });
    const cancelled = await batches.store.cancel('batch');
    const failed = await batches.end('a', 'failed');
    assert.equal(failed.cancelled, false);
    assert.equal(failed.batch.cancelledAt, cancelled?.cancelledAt);
    assert.equal((await batches.end('b', 'failed')).cancelled, false);
  }),

  batchCase('ends of strangers are not counted', async (batches) => {
    await batches.create(['a']);
    assert.equal(await batches.store.recordEnd('batch', { jobId: 'nobody', outcome: 'done' }), undefined);
    assert.equal(await batches.store.recordEnd('nothing', { jobId: 'a', outcome: 'done' }), undefined);
    counters(await batches.record(), 1, 1, 0, 0);
  }),

  batchCase('the last two of a batch end at once, and one of them finishes it', async (batches) => {
    for (let round = 0; round < 25; round++) {
      const id = `round-${round}`;
      await batches.create(['a', 'b'], { id });
      const ends = await Promise.all([
        batches.end('a', 'done', undefined, id),
        batches.end('b', round % 2 ? 'done' : 'failed', undefined, id),
      ]);
      assert.equal(ends.filter((end) => end.finished).length, 1);
      assert.equal(ends.filter((end) => end.started).length, 1);
      counters(await batches.record(id), 2, round % 2 ? 0 : 1, round % 2 ? 0 : 1, 2);
    }
  }),

  batchCase('one end reported many times at once is counted once', async (batches) => {
    await batches.create(['a', 'b']);
    const ends = await Promise.all(Array.from({ length: 20 }, () => batches.end('a', 'done')));
    assert.equal(ends.filter((end) => end.counted).length, 1);
    counters(await batches.record(), 2, 1, 0, 1);
  }),
];
