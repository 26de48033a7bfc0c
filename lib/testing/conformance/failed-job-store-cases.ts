import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../contracts/failed-job-store.js';
import type { ConformanceCase } from './conformance-case.js';
import { hostileText } from './hostile-text.js';
import { failedStore, idsOf, present } from './queue-probe.js';

const noon = Date.UTC(2030, 0, 1, 12);

/** What every failed-job store must do. */
export const failedJobStoreCases: readonly ConformanceCase[] = [
  failedCase('a failure is found as it was recorded', async (failed) => {
    const one = failure({ batchId: 'batch-1', failedAt: new Date(noon + 123) });
    const two = failure();
    await failed.record([one, two]);
    assert.deepEqual(plain(await failed.find(one.id)), plain(one));
    assert.deepEqual(plain(await failed.find(two.id)), plain(two));
    assert.equal((await failed.find(two.id))?.batchId, undefined);
    assert.equal(await failed.find(randomUUID()), undefined);
  }),

  failedCase('recording nothing is fine', async (failed) => {
    await failed.record([]);
    assert.equal(await failed.count(), 0);
    assert.deepEqual((await failed.page({ limit: 10 })).jobs, []);
  }),

  failedCase('the same id twice is one record, the later one', async (failed) => {
    const one = failure({ exception: 'first' });
    await failed.record([one]);
    await failed.record([{ ...one, exception: 'second', queue: 'other', failedAt: new Date(noon + 5_000) }]);
    assert.equal(await failed.count(), 1);
    assert.equal(await failed.count({ queue: 'default' }), 0);
    const found = present(await failed.find(one.id), 'record');
    assert.deepEqual([found.exception, found.queue, found.failedAt.getTime()], ['second', 'other', noon + 5_000]);
    assert.deepEqual(idsOf((await failed.page({ limit: 10 })).jobs), [one.id]);
    const two = failure({ exception: 'a' });
    await failed.record([two, { ...two, exception: 'b' }]);
    assert.equal((await failed.find(two.id))?.exception, 'b');
    assert.equal(await failed.count(), 2);
  }),

  failedCase('pages come newest first, each record once', async (failed) => {
    const all = Array.from({ length: 7 }, (_, index) => failure({ failedAt: new Date(noon + index * 1_000) }));
    await failed.record([all[3]!, all[0]!, all[6]!]);
    await failed.record([all[1]!, all[5]!, all[2]!, all[4]!]);
    assert.deepEqual(await readAll(failed, {}, 3), idsOf(all).reverse());
    assert.deepEqual(await readAll(failed, {}, 1), idsOf(all).reverse());
    assert.deepEqual(await readAll(failed, {}, 100), idsOf(all).reverse());
  }),

  failedCase('of failures at one moment the latest record comes first', async (failed) => {
    const all = Array.from({ length: 5 }, () => failure());
    for (const one of all) await failed.record([one]);
    assert.deepEqual(await readAll(failed, {}, 2), idsOf(all).reverse());
  }),

  failedCase('the last page has no cursor', async (failed) => {
    await failed.record([failure(), failure()]);
    const whole = await failed.page({ limit: 2 });
    assert.deepEqual([whole.jobs.length, whole.next], [2, undefined]);
    const part = await failed.page({ limit: 1 });
    assert.equal(typeof part.next, 'string');
    const rest = await failed.page({ limit: 1, cursor: part.next });
    assert.deepEqual([rest.jobs.length, rest.next], [1, undefined]);
  }),

  failedCase('paging goes on where it was while records come and go', async (failed) => {
    const all = Array.from({ length: 6 }, (_, index) => failure({ failedAt: new Date(noon + index * 1_000) }));
    await failed.record(all);
    const first = await failed.page({ limit: 2 });
    await failed.forget([all[5]!.id, all[4]!.id]);
    await failed.record([failure({ failedAt: new Date(noon + 60_000) })]);
    const second = await failed.page({ limit: 2, cursor: first.next });
    assert.deepEqual(idsOf(second.jobs), [all[3]!.id, all[2]!.id]);
  }),

  failedCase('pages and counts go by queue and connection', async (failed) => {
    const a = failure({ queue: 'a' });
    const b = failure({ queue: 'b' });
    const elsewhere = failure({ queue: 'a', connection: 'elsewhere' });
    await failed.record([a, b, elsewhere]);
    assert.equal(await failed.count(), 3);
    assert.equal(await failed.count({}), 3);
    assert.equal(await failed.count({ queue: 'a' }), 2);
    assert.equal(await failed.count({ queue: 'a', connection: 'elsewhere' }), 1);
    assert.equal(await failed.count({ connection: 'database' }), 2);
    assert.equal(await failed.count({ queue: 'nobody' }), 0);
    assert.deepEqual(await readAll(failed, { queue: 'a' }, 1), [elsewhere.id, a.id]);
    assert.deepEqual(await readAll(failed, { queue: 'a', connection: 'database' }, 1), [a.id]);
    assert.deepEqual(await readAll(failed, { connection: 'nobody' }, 1), []);
  }),

  failedCase('forget removes what it knows and tells how many', async (failed) => {
    const all = [failure(), failure(), failure()];
    await failed.record(all);
    assert.equal(await failed.forget([all[0]!.id, randomUUID(), all[2]!.id]), 2);
    assert.equal(await failed.forget([all[0]!.id]), 0);
    assert.equal(await failed.forget([]), 0);
    assert.deepEqual(await readAll(failed, {}, 10), [all[1]!.id]);
    assert.equal(await failed.find(all[0]!.id), undefined);
  }),

  failedCase('forget leaves alone what has failed again since', async (failed) => {
    const all = [failure(), failure(), failure({ failedAt: new Date(noon + 1) })];
    await failed.record(all);
    const later = { ...all[1]!, failedAt: new Date(noon + 1) };
    await failed.record([later]);
    const moments = [noon, noon, noon + 1, noon].map((at) => new Date(at));
    assert.equal(await failed.forget([...idsOf(all), randomUUID()], moments), 2);
    assert.deepEqual(plain(await failed.find(later.id)), plain(later));
    assert.deepEqual(await readAll(failed, {}, 10), [later.id]);
    assert.equal(await failed.forget([later.id], [later.failedAt]), 1);
    assert.equal(await failed.count(), 0);
  }),

  failedCase('prune removes what failed at or before a moment', async (failed) => {
    const all = [-1, 0, 1].map((offset) => failure({ failedAt: new Date(noon + offset) }));
    await failed.record(all);
    assert.equal(await failed.prune(new Date(noon)), 2);
    assert.equal(await failed.prune(new Date(noon)), 0);
    assert.deepEqual(await readAll(failed, {}, 10), [all[2]!.id]);
  }),

  failedCase('prune without a moment removes everything', async (failed) => {
    const all = Array.from({ length: 1_200 }, (_, index) => failure({ failedAt: new Date(noon + index) }));
    await failed.record(all);
    assert.equal(await failed.count(), 1_200);
    assert.equal(await failed.prune(), 1_200);
    assert.equal(await failed.count(), 0);
    assert.equal(await failed.prune(), 0);
  }),

  failedCase('payloads and exceptions come back byte for byte', async (failed) => {
    const all = hostileText.map((text) => failure({ payload: text, exception: text, name: text, displayName: text }));
    all.push(failure({ payload: '', exception: '', name: '', displayName: '' }));
    all.push(failure({ payload: `{"text":"${'ü'.repeat(200_000)}"}`, exception: 'x'.repeat(65_536) }));
    await failed.record(all);
    for (const one of all) assert.deepEqual(plain(await failed.find(one.id)), plain(one));
  }),
];

function failedCase(name: string, run: (failed: FailedJobStore) => Promise<void>): ConformanceCase {
  return { name, needs: failedStore, run: (backend) => run(present(backend.failed, 'failed-job store')) };
}

function failure(over: Partial<FailedJob> = {}): FailedJob {
  return {
    id: randomUUID(),
    connection: 'database',
    queue: 'default',
    name: 'ProcessPodcast',
    displayName: 'ProcessPodcast',
    payload: '{"v":1}',
    exception: 'Error: broken\n    at handle',
    failedAt: new Date(noon),
    ...over,
  };
}

/** As plain data: an absent batch id may be left out or be undefined. */
function plain(job: FailedJob | undefined): unknown {
  return job && { ...job, failedAt: job.failedAt.getTime(), batchId: job.batchId };
}

async function readAll(failed: FailedJobStore, query: FailedJobQuery, limit: number): Promise<readonly string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await failed.page({ ...query, limit, cursor });
    assert.ok(page.jobs.length <= limit, 'a page keeps to its limit');
    found.push(...idsOf(page.jobs));
    cursor = page.next;
    assert.ok(found.length < 1_000, 'paging comes to an end');
  } while (cursor !== undefined);
  return found;
}
