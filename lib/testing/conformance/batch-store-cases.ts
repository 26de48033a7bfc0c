import assert from 'node:assert/strict';
import { batchProgressCases } from './batch-progress-cases.js';
import { batchCase, counters, due } from './batch-probe.js';
import type { ConformanceCase } from './conformance-case.js';
import { hostileText } from './hostile-text.js';
import { idsOf, present } from './queue-probe.js';

/** What every batch store must do. */
export const batchStoreCases: readonly ConformanceCase[] = [
  batchCase('a batch is found as it was created', async (batches, harness) => {
    const made = await batches.create(['a', 'b', 'a'], {
      name: "Import '🎉'",
      options: '{"then":["x"]}',
      sealed: false,
    });
    counters(made, 2, 2, 0, 0);
    const found = await batches.record();
    assert.deepEqual(found, made);
    assert.deepEqual([found.id, found.name, found.options], ['batch', "Import '🎉'", '{"then":["x"]}']);
    assert.deepEqual([found.sealed, found.failedJobIds], [false, []]);
    assert.deepEqual([found.cancelledAt, found.finishedAt], [undefined, undefined]);
    assert.ok(Math.abs(found.createdAt - harness.now()) < 3_000);
    assert.equal(await batches.store.find('nothing'), undefined);
  }),

  batchCase('creating the same id again answers with what is there', async (batches) => {
    await batches.create(['a', 'b']);
    await batches.end('a', 'done');
    const again = await batches.create(['x', 'y', 'z'], { name: 'another' });
    assert.equal(again.name, 'Import');
    counters(again, 2, 1, 0, 1);
    assert.equal(await batches.store.recordEnd('batch', { jobId: 'x', outcome: 'done' }), undefined);
  }),

  batchCase('an empty sealed batch finishes at once, with `then` and `finally` due', async (batches) => {
    const made = await batches.create([]);
    counters(made, 0, 0, 0, 0);
    assert.ok(made.finishedAt !== undefined);
    due(present(await batches.store.seal('batch'), 'progress'), 'then', 'finally');
    await batches.store.confirm('batch', ['then', 'finally']);
    due(present(await batches.store.seal('batch'), 'progress'));
  }),

  batchCase('an unsealed batch does not finish before it is sealed', async (batches) => {
    await batches.create(['a'], { sealed: false });
    const ended = await batches.end('a', 'done');
    assert.equal(ended.finished, false);
    assert.equal(ended.batch.finishedAt, undefined);
    due(ended);
    const sealed = present(await batches.store.seal('batch'), 'progress');
    assert.equal(sealed.finished, true);
    assert.equal(sealed.batch.sealed, true);
    assert.ok(sealed.batch.finishedAt !== undefined);
    due(sealed, 'then', 'finally');
    const again = present(await batches.store.seal('batch'), 'progress');
    assert.equal(again.finished, false);
    due(again, 'then', 'finally');
  }),

  batchCase('sealing an empty batch finishes it, sealing a running one does not', async (batches) => {
    await batches.create([], { sealed: false });
    const empty = present(await batches.store.seal('batch'), 'progress');
    assert.equal(empty.finished, true);
    due(empty, 'then', 'finally');
    await batches.create(['a'], { id: 'running', sealed: false });
    const running = present(await batches.store.seal('running'), 'progress');
    assert.deepEqual([running.finished, running.batch.sealed], [false, true]);
    due(running);
    assert.equal((await batches.end('a', 'done', undefined, 'running')).finished, true);
    assert.equal(await batches.store.seal('nothing'), undefined);
  }),

  batchCase('`catch` does not wait for the seal', async (batches) => {
    await batches.create(['a'], { sealed: false });
    due(await batches.end('a', 'failed'), 'catch');
    due(present(await batches.store.seal('batch'), 'progress'), 'catch', 'finally');
  }),

  batchCase('a running batch grows, and ids that are there are not counted again', async (batches) => {
    await batches.create(['a', 'b']);
    const grown = present(await batches.store.grow('batch', ['b', 'c', 'd', 'c'], 'a'), 'growth');
    assert.equal(grown.grown, true);
    counters(grown.batch, 4, 4, 0, 0);
    assert.equal((await batches.store.grow('batch', ['c', 'd']))?.grown, true);
    counters(await batches.record(), 4, 4, 0, 0);
    for (const id of ['a', 'b', 'c']) assert.equal((await batches.end(id, 'done')).finished, false);
    assert.equal((await batches.end('d', 'done')).finished, true);
    assert.equal(await batches.store.grow('nothing', ['a']), undefined);
  }),

  batchCase('a finished batch does not grow', async (batches) => {
    await batches.create(['a']);
    await batches.end('a', 'done');
    for (const by of [undefined, 'a', 'stranger']) {
      const refused = present(await batches.store.grow('batch', ['late'], by), 'growth');
      assert.equal(refused.grown, false);
      if (!refused.grown) assert.equal(refused.reason, 'finished');
      counters(refused.batch, 1, 0, 0, 1);
    }
    assert.equal(await batches.store.recordEnd('batch', { jobId: 'late', outcome: 'done' }), undefined);
  }),

  batchCase('a growth that races with the last end is counted or refused', async (batches) => {
    for (let round = 0; round < 25; round++) {
      const id = `round-${round}`;
      await batches.create(['a'], { id });
      const grow = (): ReturnType<typeof batches.store.grow> => batches.store.grow(id, ['b']);
      const growFirst = round % 2 === 0 ? grow() : undefined;
      const ending = batches.end('a', 'done', undefined, id);
      const [growth, end] = await Promise.all([growFirst ?? grow(), ending]);
      const batch = await batches.record(id);
      if (growth?.grown) {
        assert.equal(end.finished, false);
        counters(batch, 2, 1, 0, 1);
      } else {
        assert.equal(end.finished, true);
        counters(batch, 1, 0, 0, 1);
      }
    }
  }),

  batchCase('a cancelled batch that has not finished grows', async (batches) => {
    await batches.create(['a']);
    await batches.store.cancel('batch');
    assert.equal((await batches.store.grow('batch', ['b']))?.grown, true);
    counters(await batches.record(), 2, 2, 0, 0);
  }),

  batchCase('cancelling stamps once and finishes nothing', async (batches, harness) => {
    await batches.create(['a']);
    const first = present(await batches.store.cancel('batch'), 'batch');
    assert.ok(Math.abs(present(first.cancelledAt, 'stamp') - harness.now()) < 3_000);
    assert.equal(first.finishedAt, undefined);
    await harness.advance(20);
    assert.equal((await batches.store.cancel('batch'))?.cancelledAt, first.cancelledAt);
    assert.equal(await batches.store.cancel('nothing'), undefined);
  }),

  batchCase('a sweep finds callbacks that were never confirmed', async (batches, harness) => {
    await batches.create(['a'], { id: 'done' });
    await batches.create(['a', 'b'], { id: 'failing' });
    await batches.create([], { id: 'empty' });
    await batches.create(['a'], { id: 'running' });
    await batches.end('a', 'done', undefined, 'done');
    await batches.end('a', 'failed', undefined, 'failing');
    const later = harness.now() + 60_000;
    const found = await batches.store.unconfirmed(later, 10);
    assert.deepEqual(Object.fromEntries(found.map((one) => [one.batch.id, [...one.due].sort()])), {
      done: ['finally', 'then'],
      empty: ['finally', 'then'],
      failing: ['catch'],
    });
    for (const one of found) assert.deepEqual([one.counted, one.finished], [false, false]);
    assert.deepEqual(await batches.store.unconfirmed(harness.now() - 60_000, 10), []);
    assert.equal((await batches.store.unconfirmed(later, 2)).length, 2);
    await batches.store.confirm('done', ['then', 'finally']);
    await batches.store.confirm('failing', ['catch']);
    await batches.store.confirm('empty', ['then']);
    await batches.store.confirm('nothing', ['then']);
    const left = await batches.store.unconfirmed(later, 10);
    assert.deepEqual(
      left.map((one) => [one.batch.id, one.due]),
      [['empty', ['finally']]],
    );
  }),

  batchCase('pages come newest first', async (batches, harness) => {
    const ids = ['b-1', 'a-2', 'd-3', 'c-4', 'e-5'];
    for (const id of ids) {
      await batches.create(['a'], { id });
      await harness.advance(3);
    }
    const newest = [...ids].reverse();
    assert.deepEqual(idsOf(await batches.store.page({ limit: 10 })), newest);
    const first = await batches.store.page({ limit: 2 });
    assert.deepEqual(idsOf(first), newest.slice(0, 2));
    assert.deepEqual(idsOf(await batches.store.page({ limit: 2, before: first[1]!.id })), newest.slice(2, 4));
    assert.deepEqual(await batches.store.page({ limit: 2, before: 'b-1' }), []);
  }),

  batchCase('members are told with their states', async (batches, harness) => {
    await batches.create(['a', 'b', 'c', 'd', 'e']);
    await batches.end('a', 'done');
    await batches.end('b', 'failed', ['c']);
    await batches.end('d', 'failed');
    await batches.end('d', 'done');
    const page = present(await batches.store.members('batch', { limit: 10 }), 'page');
    assert.equal(page.next, undefined);
    assert.deepEqual(Object.fromEntries(page.members.map(({ id, state }) => [id, state])), {
      a: 'done',
      b: 'failed',
      c: 'behind',
      d: 'done',
      e: 'waiting',
    });
    for (const { endedAt, state } of page.members) {
      if (state === 'waiting') assert.equal(endedAt, undefined);
      else assert.ok(endedAt === undefined || Math.abs(endedAt - harness.now()) < 3_000);
    }
    assert.equal(await batches.store.members('nothing', { limit: 10 }), undefined);
    await batches.create([], { id: 'empty', sealed: false });
    assert.deepEqual(await batches.store.members('empty', { limit: 10 }), { members: [] });
  }),

  batchCase('pages of members give each of them once', async (batches) => {
    for (const [total, limit] of [
      [7, 3],
      [6, 3],
      [1_300, 100],
    ] as const) {
      const id = `of ${total}`;
      const ids = Array.from({ length: total }, (_, index) => `member-${index}`);
      await batches.create(ids, { id });
      const found: string[] = [];
      for (let after: string | undefined; ;) {
        const page = present(await batches.store.members(id, { limit, ...(after !== undefined && { after }) }), 'page');
        assert.ok(page.members.length <= limit && (page.members.length > 0 || page.next === undefined));
        found.push(...idsOf(page.members));
        after = page.next;
        if (after === undefined) break;
        // What they do meanwhile moves none of them.
        await batches.end(found.at(-1)!, 'done', undefined, id);
      }
      assert.deepEqual(found.sort(), ids.sort());
    }
  }),

  batchCase('a deleted batch is gone, members with it', async (batches) => {
    await batches.create(['a']);
    assert.equal(await batches.store.delete('batch'), true);
    assert.equal(await batches.store.delete('batch'), false);
    assert.equal(await batches.store.find('batch'), undefined);
    assert.equal(await batches.store.recordEnd('batch', { jobId: 'a', outcome: 'done' }), undefined);
    counters(await batches.create(['b', 'c']), 2, 2, 0, 0);
    assert.equal(await batches.store.recordEnd('batch', { jobId: 'a', outcome: 'done' }), undefined);
  }),

  batchCase('pruning goes by the one field given', async (batches, harness) => {
    const make = async (suffix: string): Promise<void> => {
      for (const kind of ['finished', 'running', 'cancelled']) await batches.create(['a'], { id: `${kind}-${suffix}` });
      await batches.end('a', 'done', undefined, `finished-${suffix}`);
      await batches.store.cancel(`cancelled-${suffix}`);
    };
    await make('old');
    await batches.create(['a'], { id: 'cancelled-late' });
    await harness.advance(300);
    const between = present((await batches.create([], { id: 'between' })).createdAt, 'moment');
    await harness.advance(300);
    await make('new');
    // Those that were cancelled go by when they were made.
    await batches.store.cancel('cancelled-late');
    const left = async (): Promise<string[]> => idsOf(await batches.store.page({ limit: 20 })).sort();
    assert.equal(await batches.store.prune({ finished: between }), 1);
    assert.equal(await batches.store.prune({ unfinished: between }), 1);
    assert.deepEqual(await left(), [
      'between',
      'cancelled-late',
      'cancelled-new',
      'cancelled-old',
      'finished-new',
      'running-new',
    ]);
    assert.equal(await batches.store.prune({ cancelled: between }), 2);
    assert.equal(await batches.store.prune({ finished: between }), 0);
    assert.equal(await batches.store.recordEnd('running-old', { jobId: 'a', outcome: 'done' }), undefined);
    assert.deepEqual(await left(), ['between', 'cancelled-new', 'finished-new', 'running-new']);
  }),

  batchCase('a large batch is created, ended and finished', async (batches) => {
    const ids = Array.from({ length: 2_500 }, (_, index) => `member-${index}`);
    counters(await batches.create(ids.slice(0, 2_000), { sealed: false }), 2_000, 2_000, 0, 0);
    assert.equal((await batches.store.grow('batch', ids.slice(1_500)))?.grown, true);
    await batches.store.seal('batch');
    const broken = await batches.end(ids[0]!, 'failed', ids.slice(1, 2_499));
    counters(broken.batch, 2_500, 2_500, 1, 2_499);
    assert.equal((await batches.end(ids[2_499]!, 'done')).finished, true);
  }),

  batchCase('hostile names, options and member ids are kept as they are', async (batches) => {
    for (const [index, text] of hostileText.entries()) {
      const id = `${index} ${text}`;
      const made = await batches.create([...hostileText], { id, name: text, options: text });
      assert.deepEqual([made.id, made.name, made.options, made.totalJobs], [id, text, text, hostileText.length]);
    }
    for (const [index, text] of hostileText.entries()) {
      const end = await batches.end(text, 'failed', undefined, `${index} ${text}`);
      assert.deepEqual(end.batch.failedJobIds, [text]);
    }
  }),

  ...batchProgressCases,
];
