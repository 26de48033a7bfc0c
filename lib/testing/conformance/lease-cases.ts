import assert from 'node:assert/strict';
import type { ConformanceCase } from './conformance-case.js';
import { accepted, entries, entry, leases, present, queueCase, refused } from './queue-probe.js';

export const leaseCases: readonly ConformanceCase[] = [
  queueCase('a job whose lease ran out comes back with an attempt and a stall more', async (queue) => {
    const one = entry({ body: 'the same bytes' });
    await queue.push(one);
    const lost = await queue.takeAndStall();
    const job = await queue.takeOne();
    assert.equal(job.id, lost.id);
    assert.equal(job.body, one.body);
    assert.equal(job.attempts, 2);
    assert.equal(job.stalls, 1);
    assert.notEqual(job.token, lost.token);
    accepted(await queue.release(job));
    const next = await queue.takeOne();
    assert.deepEqual([next.attempts, next.stalls], [3, 1]);
  }),

  queueCase('a worker that lost its lease can neither ack nor release', async (queue) => {
    await queue.push(entry());
    const lost = await queue.takeAndStall();
    const job = await queue.takeOne();
    refused(await queue.ack(lost), 'lease-lost');
    refused(await queue.release(lost), 'lease-lost');
    refused(await queue.release(lost, { delayMs: 60_000, memo: 'from the dead' }), 'lease-lost');
    assert.deepEqual(await queue.take(), []);
    accepted(await queue.release(job));
    assert.equal((await queue.takeOne()).memo ?? '', '');
  }),

  queueCase(
    'a worker that lost its lease cannot renew it',
    async (queue) => {
      await queue.push(entry());
      const lost = await queue.takeAndStall();
      const job = await queue.takeOne();
      refused(await queue.renew(lost), 'lease-lost');
      accepted(await queue.renew(job));
      accepted(await queue.ack(job));
      refused(await queue.renew(job), 'lease-lost');
    },
    leases,
  ),

  queueCase(
    'a renewed lease keeps the job',
    async (queue, _, harness) => {
      await queue.push(entry());
      const job = await queue.takeOne({ leaseMs: 1_000 });
      for (let round = 0; round < 4; round++) {
        await harness.advance(400);
        accepted(await queue.renew(job, 1_000));
        assert.deepEqual(await queue.take(), []);
      }
      accepted(await queue.ack(job));
    },
    leases,
  ),

  queueCase(
    'a renewed lease ends `leaseMs` after the renewal',
    async (queue, _, harness) => {
      await queue.push(...entries(2));
      const [long, short] = await queue.take({ leaseMs: 1_000 });
      accepted(await queue.renew(long!, 60_000));
      accepted(await queue.renew(short!, 1_000));
      await harness.advance(1_250);
      const back = await queue.takeOne();
      assert.deepEqual([back.id, back.stalls], [short!.id, 1]);
      assert.deepEqual(await queue.take(), []);
    },
    leases,
  ),

  queueCase(
    'answers of a renewal are aligned, and a refused one does not hold up the others',
    async (queue) => {
      await queue.push(...entries(4));
      const jobs = await queue.take();
      accepted(await queue.ack(jobs[1]!));
      const made = { ...jobs[2]!, token: 'made up' };
      const answers = await present(queue.driver.leases, 'leases').renew([jobs[0]!, jobs[1]!, made, jobs[3]!], 60_000);
      assert.deepEqual(
        answers.map((answer) => (answer.ok ? 'ok' : answer.reason)),
        ['ok', 'lease-lost', 'lease-lost', 'ok'],
      );
      assert.deepEqual(await present(queue.driver.leases, 'leases').renew([], 60_000), []);
    },
    leases,
  ),

  queueCase('every lost lease is a stall, whoever had it', async (queue) => {
    await queue.push(entry());
    for (let stalls = 0; stalls < 3; stalls++) {
      const job = await queue.takeAndStall();
      assert.deepEqual([job.attempts, job.stalls], [stalls + 1, stalls]);
    }
    const job = await queue.takeOne();
    assert.deepEqual([job.attempts, job.stalls], [4, 3]);
    accepted(await queue.release(job, { countAttempt: false }));
    const next = await queue.takeOne();
    assert.deepEqual([next.attempts, next.stalls], [4, 3]);
  }),

  queueCase('a memo survives a stall', async (queue) => {
    await queue.push(entry());
    accepted(await queue.release(await queue.takeOne(), { memo: 'one exception' }));
    await queue.takeAndStall();
    assert.equal((await queue.takeOne()).memo, 'one exception');
  }),

  queueCase('a lost lease brings back its own job alone', async (queue, _, harness) => {
    await queue.push(...entries(3));
    const [short] = await queue.take({ limit: 1, leaseMs: 1_000 });
    await queue.take({ limit: 2, leaseMs: 60_000 });
    await harness.advance(1_250);
    const back = await queue.take();
    assert.deepEqual(
      back.map((job) => job.id),
      [short!.id],
    );
  }),

  queueCase('a job whose lease ran out is found beside many that wait', async (queue) => {
    await queue.push(entry({ id: 'a-lost-one', queue: 'busy' }));
    await queue.takeAndStall({ queues: ['busy'] });
    await queue.push(...entries(100, { queue: 'busy' }));
    const jobs = await queue.take({ queues: ['busy'], limit: 101 });
    assert.equal(jobs.length, 101);
    assert.equal(jobs.filter((job) => job.id === 'a-lost-one' && job.stalls === 1).length, 1);
  }),
];
