import assert from 'node:assert/strict';
import type { ReservedJob } from '../../contracts/queue-driver.js';
import { eventually, promptly, settle } from './bounded-wait.js';
import { sharing, type ConformanceCase } from './conformance-case.js';
import { accepted, entries, entry, idsOf, queueCase, sameIds } from './queue-probe.js';

export const waitingCases: readonly ConformanceCase[] = [
  queueCase('a reserve that finds jobs does not wait', async (queue) => {
    await queue.push(entry());
    const jobs = await promptly(queue.driver.reserve(queue.request({ waitMs: 60_000 })), 'the answer of a reserve');
    assert.equal(jobs.length, 1);
  }),

  queueCase('a reserve that finds nothing answers when its time is over', async (queue, _, harness) => {
    const waiting = queue.driver.reserve(queue.request({ waitMs: Math.min(300, queue.driver.limits.waitMs) }));
    assert.deepEqual(await eventually(waiting, harness, 3_000, 'the end of the wait'), []);
  }),

  queueCase('a waiting reserve is woken by a push', async (queue, _, harness) => {
    const one = entry({ queue: 'low' });
    const waiting = queue.driver.reserve(queue.request({ queues: ['high', 'low'], waitMs: 20_000 }));
    await settle();
    await queue.push(one);
    assert.deepEqual(idsOf(await eventually(waiting, harness, 2_500, 'the wake-up by a push')), [one.id]);
  }),

  queueCase('a waiting reserve is woken by a release', async (queue, _, harness) => {
    await queue.push(entry());
    const job = await queue.takeOne();
    const waiting = queue.driver.reserve(queue.request({ waitMs: 20_000 }));
    await settle();
    accepted(await queue.release(job));
    assert.deepEqual(idsOf(await eventually(waiting, harness, 2_500, 'the wake-up by a release')), [job.id]);
  }),

  queueCase(
    'a waiting reserve is woken by a push of another handle',
    async (queue, _, harness) => {
      const other = await queue.another();
      const one = entry();
      const waiting = queue.driver.reserve(queue.request({ waitMs: 20_000 }));
      await settle();
      await other.push(one);
      assert.deepEqual(idsOf(await eventually(waiting, harness, 5_000, 'the wake-up by another handle')), [one.id]);
    },
    sharing,
  ),

  queueCase('a waiting reserve gets a delayed job when it becomes due', async (queue, _, harness) => {
    const waiting = queue.driver.reserve(queue.request({ waitMs: 20_000 }));
    await settle();
    const one = entry({ delayMs: 300 });
    await queue.push(one);
    assert.deepEqual(idsOf(await eventually(waiting, harness, 3_000, 'the delivery of a delayed job')), [one.id]);
  }),

  queueCase('a waiting reserve gets a job whose lease runs out', async (queue, _, harness) => {
    await queue.push(entry());
    const lost = await queue.takeOne({ leaseMs: 1_000 });
    const waiting = queue.driver.reserve(queue.request({ waitMs: 20_000 }));
    const [job] = await eventually(waiting, harness, 7_000, 'the return of a job whose lease ran out');
    assert.equal(job?.id, lost.id);
    assert.equal(job?.stalls, 1);
  }),

  queueCase('each of several waiting reserves gets jobs of its own', async (queue, _, harness) => {
    const jobs = entries(5);
    const request = queue.request({ limit: 1, waitMs: 20_000 });
    const waiting = jobs.map(() => queue.driver.reserve(request));
    await settle();
    for (const one of jobs) await queue.push(one);
    const taken = await eventually(Promise.all(waiting), harness, 5_000, 'the wake-up of all who wait');
    sameIds(taken.flat(), jobs);
  }),

  queueCase('an abort ends the wait at once, with an answer', async (queue) => {
    const abort = new AbortController();
    const waiting = queue.driver.reserve(queue.request({ waitMs: 60_000, signal: abort.signal }));
    await settle();
    abort.abort(new Error('the worker stops'));
    assert.deepEqual(await promptly(waiting, 'the end of an aborted wait'), []);
  }),

  queueCase('an aborted wait loses no job', async (queue) => {
    const jobs = entries(40);
    const taken: ReservedJob[] = [];
    for (const [index, one] of jobs.entries()) {
      const abort = new AbortController();
      const waiting = queue.driver.reserve(queue.request({ limit: 1, waitMs: 60_000, signal: abort.signal }));
      if (index % 4 < 2) await new Promise(setImmediate);
      const pushing = queue.push(one);
      if (index % 2) await pushing;
      abort.abort();
      await pushing;
      taken.push(...(await promptly(waiting, 'the end of an aborted wait')));
    }
    taken.push(...(await queue.take()));
    sameIds(taken, jobs);
  }),

  queueCase('close wakes who waits, and may be called twice', async (queue) => {
    const waiting = queue.driver.reserve(queue.request({ waitMs: 60_000 }));
    await settle();
    await promptly(queue.backend.close(), 'the close');
    assert.deepEqual(await promptly(waiting, 'the end of a wait on a closed backend'), []);
    await promptly(queue.backend.close(), 'the second close');
  }),
];
