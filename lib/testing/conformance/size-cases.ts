import assert from 'node:assert/strict';
import type { QueueSize } from '../../contracts/queue-driver.js';
import type { ConformanceCase } from './conformance-case.js';
import { accepted, clearing, entries, entry, leases, present, queueCase, refused } from './queue-probe.js';

export const sizeCases: readonly ConformanceCase[] = [
  queueCase('sizes of many queues are aligned with the question', async (queue) => {
    await queue.push(
      ...entries(3, { queue: 'a' }),
      ...entries(2, { queue: 'b', delayMs: 60_000 }),
      entry({ queue: 'b' }),
      ...entries(2, { queue: 'c' }),
    );
    await queue.take({ queues: ['c'], limit: 1 });
    const sizes = await queue.driver.size(['c', 'nobody', 'a', 'b', 'a']);
    assert.equal(sizes.length, 5);
    counts(sizes[0]!, 1, 0, 1);
    counts(sizes[1]!, 0, 0, 0);
    counts(sizes[2]!, 3, 0, 0);
    counts(sizes[3]!, 1, 2, 0);
    counts(sizes[4]!, 3, 0, 0);
  }),

  queueCase('a job moves from delayed to pending to reserved to gone', async (queue, _, harness) => {
    await queue.push(entry({ delayMs: 1_000 }));
    counts(await queue.size(), 0, 1, 0);
    await harness.advance(1_200);
    counts(await queue.size(), 1, 0, 0);
    const job = await queue.takeOne();
    counts(await queue.size(), 0, 0, 1);
    accepted(await queue.release(job));
    counts(await queue.size(), 1, 0, 0);
    accepted(await queue.ack(await queue.takeOne()));
    counts(await queue.size(), 0, 0, 0);
  }),

  queueCase('the oldest pending job counts from when it could be taken', async (queue, _, harness) => {
    const none = await queue.size();
    assert.equal(none.oldestPendingAt, undefined);
    const pushedAt = harness.now();
    await queue.push(entry({ delayMs: 60_000 }));
    assert.equal((await queue.size()).oldestPendingAt, undefined);
    await queue.push(entry());
    await harness.advance(300);
    await queue.push(entry());
    const { oldestPendingAt } = await queue.size();
    // A store that cannot tell says so.
    if (oldestPendingAt === undefined) return;
    assert.ok(Math.abs(oldestPendingAt - pushedAt) < 2_000, `${oldestPendingAt} is not about ${pushedAt}`);
    await queue.take({ limit: 1 });
    const next = await queue.size();
    assert.ok((next.oldestPendingAt ?? 0) >= oldestPendingAt + 200, 'the next one became available later');
    await queue.take();
    assert.equal((await queue.size()).oldestPendingAt, undefined);
  }),

  queueCase(
    'clear removes every job of its queue, reserved ones too, and tells how many',
    async (queue) => {
      const clear = present(queue.driver.clearing, 'clearing');
      await queue.push(...entries(3), ...entries(2, { delayMs: 60_000 }), ...entries(2, { queue: 'other' }));
      await queue.take({ limit: 1 });
      assert.equal((await clear.clear('default')) ?? 5, 5);
      counts(await queue.size(), 0, 0, 0);
      assert.deepEqual(await queue.take(), []);
      assert.equal((await queue.take({ queues: ['other'] })).length, 2);
      assert.equal((await clear.clear('default')) ?? 0, 0);
      assert.equal((await clear.clear('nobody')) ?? 0, 0);
    },
    clearing,
  ),

  queueCase(
    'the holder of a job that was cleared is refused',
    async (queue) => {
      const clear = present(queue.driver.clearing, 'clearing');
      await queue.push(...entries(2));
      const [a, b] = await queue.take();
      await clear.clear('default');
      refused(await queue.ack(a!), 'lease-lost', 'cancelled');
      refused(await queue.release(b!), 'lease-lost', 'cancelled');
      refused(await queue.release(a!), 'lease-lost', 'cancelled');
      assert.deepEqual(await queue.take(), []);
    },
    clearing,
  ),

  queueCase(
    'the lease of a job that was cleared cannot be renewed',
    async (queue) => {
      await queue.push(entry());
      const job = await queue.takeOne();
      await present(queue.driver.clearing, 'clearing').clear('default');
      refused(await queue.renew(job), 'lease-lost', 'cancelled');
    },
    clearing,
    leases,
  ),

  queueCase(
    'a cleared queue takes jobs again, under the same ids',
    async (queue) => {
      const one = entry();
      await queue.push(one);
      const lost = await queue.takeOne();
      await present(queue.driver.clearing, 'clearing').clear('default');
      await queue.push(one);
      refused(await queue.ack(lost), 'lease-lost', 'cancelled');
      const job = await queue.takeOne();
      assert.deepEqual([job.id, job.attempts, job.stalls], [one.id, 1, 0]);
      accepted(await queue.ack(job));
    },
    clearing,
  ),
];

function counts(size: QueueSize, pending: number, delayed: number, reserved: number): void {
  // What a store cannot know it leaves out.
  const found = [size.pending, size.delayed ?? delayed, size.reserved ?? reserved];
  assert.deepEqual(found, [pending, delayed, reserved], 'pending, delayed, reserved');
}
