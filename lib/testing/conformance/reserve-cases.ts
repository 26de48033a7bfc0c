import assert from 'node:assert/strict';
import type { ReservedJob } from '../../contracts/queue-driver.js';
import { promptly } from './bounded-wait.js';
import { sharing, type ConformanceCase } from './conformance-case.js';
import { accepted, entries, entry, idsOf, queueCase, sameIds, type QueueProbe } from './queue-probe.js';

export const reserveCases: readonly ConformanceCase[] = [
  queueCase('the limit is honoured', async (queue) => {
    await queue.push(...entries(5));
    const jobs = await queue.driver.reserve(queue.request({ limit: 1 }));
    assert.equal(jobs.length, 1);
    assert.equal((await queue.take({ limit: 2 })).length, 2);
    assert.equal((await queue.take({ limit: 10 })).length, 2);
  }),

  queueCase('a reserved job is not given to anyone else', async (queue) => {
    await queue.push(entry());
    await queue.takeOne();
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('every reservation has a token of its own and a lease', async (queue, _, harness) => {
    await queue.push(...entries(50));
    const jobs = await queue.take({ leaseMs: 30_000 });
    assert.equal(new Set(jobs.map((job) => job.token)).size, 50);
    for (const job of jobs) {
      assert.ok(job.token.length >= 16, 'a token holds 128 bits');
      assert.ok(Math.abs(job.leasedUntil - harness.now() - 30_000) < 3_000, 'the lease ends leaseMs from now');
    }
    const again = jobs[0]!;
    accepted(await queue.release(again));
    assert.notEqual((await queue.takeOne()).token, again.token);
  }),

  queueCase('a delayed job is never early', async (queue, _, harness) => {
    const delayMs = 200;
    const one = entry({ delayMs });
    const start = performance.now();
    await queue.push(one);
    for (let passed = 0; ; passed += 40) {
      const jobs = await queue.take();
      const elapsed = Math.max(performance.now() - start, passed);
      if (jobs.length > 0) {
        assert.ok(elapsed >= delayMs - 1, `taken after ${elapsed} of ${delayMs} ms`);
        assert.equal(jobs[0]!.id, one.id);
        return;
      }
      assert.ok(passed < 5_000, 'a delayed job becomes due');
      await harness.advance(40);
    }
  }),

  queueCase('a delay of many days is kept', async (queue, _, harness) => {
    // More than 2^31 ms, which a timer would take for 1 ms.
    await queue.push(entry({ delayMs: Math.min(60 * 86_400_000, queue.driver.limits.delayMs) }));
    await harness.advance(50);
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('200 concurrent reservers get each job once', async (queue) => {
    const jobs = entries(200);
    await queue.push(...jobs);
    const request = queue.request({ limit: 1 });
    const taken = (await Promise.all(jobs.map(() => queue.driver.reserve(request)))).flat();
    // A reserver may find the row it looked at locked by another and come back empty; what is left is there for the next.
    taken.push(...(await queue.take({ limit: 200 })));
    sameIds(taken, jobs);
    assert.equal(new Set(taken.map((job) => job.token)).size, 200);
  }),

  queueCase(
    'two handles never share a job',
    async (queue) => {
      const other = await queue.another();
      const jobs = entries(200);
      await queue.push(...jobs);
      const taken = (await Promise.all([queue, other, queue, other].map(takeAllInSmallSteps))).flat();
      taken.push(...(await queue.take()), ...(await other.take()));
      sameIds(taken, jobs);
    },
    sharing,
  ),

  queueCase(
    'what one handle reserved another can settle with the token',
    async (queue) => {
      const other = await queue.another();
      await queue.push(entry());
      accepted(await other.ack(await queue.takeOne()));
      assert.deepEqual(await queue.take(), []);
    },
    sharing,
  ),

  queueCase(
    'pushes of two handles at once are all kept',
    async (queue) => {
      const other = await queue.another();
      const jobs = entries(60);
      const pushes = jobs.map((one, index) => (index % 2 ? queue : other).tryPush(one));
      for (const [answer] of await Promise.all(pushes)) assert.deepEqual(answer, { stored: true });
      sameIds(await (await queue.another()).take(), jobs);
    },
    sharing,
  ),

  queueCase('a signal that has aborted already loses no job', async (queue) => {
    const jobs = entries(3);
    await queue.push(...jobs);
    const request = queue.request({ waitMs: 60_000, signal: AbortSignal.abort() });
    const taken = await promptly(queue.driver.reserve(request), 'the answer of an aborted reserve');
    sameIds([...taken, ...(await queue.take())], jobs);
    const none = queue.driver.reserve({ ...request, queues: ['empty'] });
    assert.deepEqual(await promptly(none, 'the answer of an aborted reserve'), []);
  }),

  queueCase('jobs of unlike queues, priorities and delays are all delivered', async (queue, _, harness) => {
    const jobs = Array.from({ length: 90 }, (_, index) =>
      entry({ queue: ['a', 'b', 'c'][index % 3]!, priority: index % 5, delayMs: (index % 4) * 40 }),
    );
    await queue.push(...jobs);
    await harness.advance(200);
    const taken = await queue.take({ queues: ['c', 'a', 'b'] });
    sameIds(taken, jobs);
    assert.deepEqual(idsOf(await queue.take({ queues: ['a', 'b', 'c'] })), []);
  }),
];

async function takeAllInSmallSteps(queue: QueueProbe): Promise<readonly ReservedJob[]> {
  const taken: ReservedJob[] = [];
  for (;;) {
    const jobs = await queue.take({ limit: 3 });
    if (jobs.length === 0) return taken;
    taken.push(...jobs);
    await new Promise(setImmediate);
  }
}
