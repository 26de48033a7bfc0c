import assert from 'node:assert/strict';
import type { ConformanceCase } from './conformance-case.js';
import { accepted, entries, entry, idsOf, queueCase, refused, sameIds } from './queue-probe.js';

export const settleCases: readonly ConformanceCase[] = [
  queueCase('an acked job is gone', async (queue) => {
    await queue.push(...entries(3));
    const jobs = await queue.take();
    for (const answer of await queue.settle(...jobs.map((job) => ({ kind: 'ack' as const, job })))) accepted(answer);
    assert.deepEqual(await queue.take(), []);
    const size = await queue.size();
    assert.deepEqual([size.pending, size.delayed ?? 0, size.reserved ?? 0], [0, 0, 0]);
  }),

  queueCase('a job cannot be acked twice', async (queue) => {
    await queue.push(entry());
    const job = await queue.takeOne();
    accepted(await queue.ack(job));
    refused(await queue.ack(job), 'lease-lost');
    refused(await queue.release(job), 'lease-lost');
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('of two settlements of one reservation in one call the first counts', async (queue) => {
    await queue.push(entry());
    const job = await queue.takeOne();
    const [first, second] = await queue.settle({ kind: 'ack', job }, { kind: 'release', job, delayMs: 0 });
    accepted(first!);
    refused(second!, 'lease-lost');
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('a released job comes back with the next attempt', async (queue) => {
    const one = entry({ body: 'the same bytes' });
    await queue.push(one);
    const first = await queue.takeOne();
    accepted(await queue.release(first));
    const second = await queue.takeOne();
    assert.equal(second.id, one.id);
    assert.equal(second.body, one.body);
    assert.equal(second.attempts, 2);
    assert.equal(second.stalls, 0);
    assert.notEqual(second.token, first.token);
  }),

  queueCase('a released job waits out its delay', async (queue, _, harness) => {
    await queue.push(entry());
    accepted(await queue.release(await queue.takeOne(), { delayMs: 300 }));
    const size = await queue.size();
    assert.equal(size.delayed ?? 1, 1);
    await harness.advance(450);
    assert.equal((await queue.takeOne()).attempts, 2);
  }),

  queueCase('a released job that is delayed is not taken early', async (queue) => {
    await queue.push(entry());
    accepted(await queue.release(await queue.takeOne(), { delayMs: 60_000 }));
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('the token of a released reservation is refused', async (queue) => {
    await queue.push(entry());
    const stale = await queue.takeOne();
    accepted(await queue.release(stale));
    refused(await queue.ack(stale), 'lease-lost');
    refused(await queue.release(stale), 'lease-lost');
    const job = await queue.takeOne();
    refused(await queue.ack(stale), 'lease-lost');
    refused(await queue.release(stale, { delayMs: 60_000 }), 'lease-lost');
    accepted(await queue.ack(job));
  }),

  queueCase('a made-up token is refused', async (queue) => {
    await queue.push(entry());
    const job = await queue.takeOne();
    for (const token of ['', 'x', `${job.token}0`, job.token.slice(1), "' OR 1=1 --"]) {
      refused(await queue.ack({ ...job, token }), 'lease-lost', 'error');
    }
    refused(await queue.ack({ ...job, id: entry().id }), 'lease-lost');
    accepted(await queue.ack(job));
  }),

  queueCase('`countAttempt: false` gives the pick-up back', async (queue) => {
    await queue.push(entry());
    accepted(await queue.release(await queue.takeOne(), { countAttempt: false }));
    const second = await queue.takeOne();
    assert.equal(second.attempts, 1);
    accepted(await queue.release(second, { countAttempt: true }));
    const third = await queue.takeOne();
    assert.equal(third.attempts, 2);
    accepted(await queue.release(third, { countAttempt: false }));
    assert.equal((await queue.takeOne()).attempts, 2);
  }),

  queueCase('a memo comes back with the next attempt, is kept, replaced and cleared', async (queue) => {
    await queue.push(entry());
    const next = async (memo?: string): Promise<string> => {
      accepted(await queue.release(await queue.takeOne(), memo === undefined ? {} : { memo }));
      const job = await queue.takeOne();
      accepted(await queue.release(job));
      return job.memo ?? '';
    };
    assert.equal(await next(), '');
    assert.equal(await next('{"exceptions":1}'), '{"exceptions":1}');
    assert.equal(await next(), '{"exceptions":1}');
    assert.equal(await next('{"exceptions":2,"note":"it\'s 🎉"}'), '{"exceptions":2,"note":"it\'s 🎉"}');
    assert.equal(await next(''), '');
    assert.equal(await next(), '');
  }),

  queueCase('a memo does not touch the body', async (queue) => {
    await queue.push(entry({ body: 'body' }));
    accepted(await queue.release(await queue.takeOne(), { memo: 'memo' }));
    const job = await queue.takeOne();
    assert.deepEqual([job.body, job.memo], ['body', 'memo']);
  }),

  queueCase('answers of a settle are aligned, and a refused one does not hold up the others', async (queue) => {
    await queue.push(...entries(5));
    const [a, b, c, d, e] = await queue.take();
    accepted(await queue.ack(b!));
    const answers = await queue.settle(
      { kind: 'ack', job: a! },
      { kind: 'ack', job: b! },
      { kind: 'release', job: c!, delayMs: 0 },
      { kind: 'release', job: b!, delayMs: 0 },
      { kind: 'release', job: d!, delayMs: 60_000, countAttempt: false, memo: 'memo' },
      { kind: 'ack', job: e! },
    );
    assert.deepEqual(
      answers.map((answer) => answer.ok),
      [true, false, true, false, true, true],
    );
    assert.deepEqual(idsOf(await queue.take()), [c!.id]);
  }),

  queueCase('500 jobs are settled in one call', async (queue) => {
    const all = entries(500);
    await queue.push(...all);
    const jobs = await queue.take({ limit: 500 });
    const answers = await queue.settle(
      ...jobs.map((job, index) =>
        index % 5 ? { kind: 'ack' as const, job } : { kind: 'release' as const, job, delayMs: 0 },
      ),
    );
    for (const answer of answers) accepted(answer);
    sameIds(
      await queue.take({ limit: 500 }),
      all.filter((_, index) => index % 5 === 0),
    );
  }),
];
