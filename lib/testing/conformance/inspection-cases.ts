import assert from 'node:assert/strict';
import type { InspectAbility, JobState, StoredJob } from '../../contracts/queue-driver.js';
import type { ConformanceCase } from './conformance-case.js';
import {
  accepted,
  entries,
  entry,
  idsOf,
  inspection,
  leases,
  present,
  queueCase,
  refused,
  type QueueProbe,
} from './queue-probe.js';

export const inspectionCases: readonly ConformanceCase[] = [
  queueCase(
    'pages of pending jobs come in claim order, each job once',
    async (queue) => {
      const plain = entries(7);
      const urgent = entry({ priority: 9 });
      await queue.push(...plain, urgent, entry({ queue: 'other' }), entry({ delayMs: 60_000 }));
      const listed = await readAll(queue, 'pending', 3);
      assert.deepEqual(idsOf(listed), idsOf([urgent, ...plain]));
      assert.deepEqual(
        listed.map((job) => [job.state, job.queue, job.attempts, job.stalls]),
        listed.map(() => ['pending', 'default', 0, 0]),
      );
      assert.equal((await queue.take()).length, 8);
    },
    inspection,
  ),

  queueCase(
    'the last page has no cursor, a page of an unknown queue is empty',
    async (queue) => {
      const inspect = inspectionOf(queue);
      await queue.push(...entries(3));
      const whole = await inspect.page('default', 'pending', { limit: 3 });
      assert.equal(whole.jobs.length, 3);
      assert.equal(whole.next, undefined);
      const part = await inspect.page('default', 'pending', { limit: 2 });
      assert.equal(part.jobs.length, 2);
      assert.equal(typeof part.next, 'string');
      assert.deepEqual((await inspect.page('nobody', 'pending', { limit: 5 })).jobs, []);
    },
    inspection,
  ),

  queueCase(
    'paging goes on where it was when jobs of the pages in front are gone',
    async (queue) => {
      const inspect = inspectionOf(queue);
      const all = entries(6);
      await queue.push(...all);
      const first = await inspect.page('default', 'pending', { limit: 2 });
      for (const job of first.jobs) assert.equal(await inspect.remove(job.id), true);
      const second = await inspect.page('default', 'pending', { limit: 2, cursor: first.next });
      assert.deepEqual(idsOf(second.jobs), idsOf(all.slice(2, 4)));
    },
    inspection,
  ),

  queueCase(
    'delayed jobs are listed by the time they become available',
    async (queue, _, harness) => {
      const late = entry({ delayMs: 120_000, body: 'late' });
      const early = entry({ delayMs: 60_000, body: 'early' });
      await queue.push(late, early, entry());
      const listed = await readAll(queue, 'delayed', 1);
      assert.deepEqual(
        listed.map((job) => [job.body, job.state]),
        [
          ['early', 'delayed'],
          ['late', 'delayed'],
        ],
      );
      assert.ok(Math.abs(listed[0]!.availableAt - harness.now() - 60_000) < 3_000);
    },
    inspection,
  ),

  queueCase(
    'reserved jobs are listed by the end of their lease',
    async (queue) => {
      await queue.push(...entries(3));
      const long = await queue.takeOne({ leaseMs: 120_000 });
      const short = await queue.takeOne({ leaseMs: 60_000 });
      const listed = await readAll(queue, 'reserved', 1);
      assert.deepEqual(idsOf(listed), [short.id, long.id]);
      for (const [index, job] of [short, long].entries()) {
        assert.equal(listed[index]!.state, 'reserved');
        assert.equal(listed[index]!.leasedUntil, job.leasedUntil);
        assert.equal(listed[index]!.attempts, 1);
      }
    },
    inspection,
  ),

  queueCase(
    'find shows a job wherever it is',
    async (queue, _, harness) => {
      const inspect = inspectionOf(queue);
      const one = entry({ queue: 'media', body: '{"id":1}', priority: 2 });
      const delayed = entry({ delayMs: 60_000 });
      await queue.push(one, delayed);
      const pending = present(await inspect.find(one.id), 'job');
      assert.deepEqual(
        [pending.id, pending.queue, pending.body, pending.priority, pending.state, pending.attempts],
        [one.id, 'media', '{"id":1}', 2, 'pending', 0],
      );
      assert.ok(Math.abs(pending.availableAt - harness.now()) < 3_000);
      assert.equal((await inspect.find(delayed.id))?.state, 'delayed');
      const job = await queue.takeOne({ queues: ['media'] });
      const reserved = present(await inspect.find(one.id), 'job');
      assert.deepEqual([reserved.state, reserved.attempts, reserved.leasedUntil], ['reserved', 1, job.leasedUntil]);
      accepted(await queue.ack(job));
      assert.equal(await inspect.find(one.id), undefined);
      assert.equal(await inspect.find(entry().id), undefined);
    },
    inspection,
  ),

  queueCase(
    'a removed job is gone, and its neighbours are not',
    async (queue) => {
      const inspect = inspectionOf(queue);
      const [a, b, c] = entries(3);
      const delayed = entry({ delayMs: 60_000 });
      await queue.push(a!, b!, c!, delayed);
      assert.equal(await inspect.remove(b!.id), true);
      assert.equal(await inspect.remove(b!.id), false);
      assert.equal(await inspect.remove(delayed.id), true);
      assert.equal(await inspect.remove(entry().id), false);
      const size = await queue.size();
      assert.deepEqual([size.pending, size.delayed ?? 0], [2, 0]);
      assert.deepEqual(idsOf(await queue.take()), [a!.id, c!.id]);
      await queue.push(b!);
      assert.deepEqual(idsOf(await queue.take()), [b!.id]);
    },
    inspection,
  ),

  queueCase(
    'the holder of a removed job is told that it was cancelled',
    async (queue) => {
      const inspect = inspectionOf(queue);
      await queue.push(...entries(3));
      const [a, b, c] = await queue.take();
      for (const job of [a!, b!]) assert.equal(await inspect.remove(job.id), true);
      refused(await queue.renew(a!), 'cancelled');
      refused(await queue.renew(a!), 'cancelled');
      refused(await queue.ack(a!), 'cancelled');
      refused(await queue.release(b!), 'cancelled');
      accepted(await queue.renew(c!));
      accepted(await queue.ack(c!));
      assert.deepEqual(await queue.take(), []);
      assert.equal((await queue.size()).reserved ?? 0, 0);
    },
    inspection,
    leases,
  ),

  queueCase(
    'queues names every queue that has jobs',
    async (queue) => {
      const inspect = inspectionOf(queue);
      assert.deepEqual([...(await inspect.queues())], []);
      await queue.push(
        entry({ queue: 'pending' }),
        entry({ queue: 'delayed', delayMs: 60_000 }),
        entry({ queue: 'held' }),
      );
      await queue.take({ queues: ['held'] });
      assert.deepEqual([...(await inspect.queues())].sort(), ['delayed', 'held', 'pending']);
      accepted(await queue.ack(await queue.takeOne({ queues: ['pending'] })));
      assert.deepEqual([...(await inspect.queues())].sort(), ['delayed', 'held']);
    },
    inspection,
  ),
];

function inspectionOf(queue: QueueProbe): InspectAbility {
  return present(queue.driver.inspection, 'inspection');
}

async function readAll(queue: QueueProbe, state: JobState, limit: number): Promise<readonly StoredJob[]> {
  const found: StoredJob[] = [];
  let cursor: string | undefined;
  do {
    const page = await inspectionOf(queue).page('default', state, { limit, cursor });
    assert.ok(page.jobs.length <= limit, 'a page keeps to its limit');
    found.push(...page.jobs);
    cursor = page.next;
    assert.ok(found.length < 1_000, 'paging comes to an end');
  } while (cursor !== undefined);
  return found;
}
