import assert from 'node:assert/strict';
import type { PushEntry } from '../../contracts/queue-driver.js';
import type { ConformanceCase } from './conformance-case.js';
import { hostileText, unkeepableText } from './hostile-text.js';
import { accepted, clearing, entries, entry, inspection, present, queueCase, type QueueProbe } from './queue-probe.js';

/** All within the allowed set of queue names; each looks like something of the store's own. */
const hostileNames: readonly string[] = [
  'default',
  'Default',
  'default:reserved',
  'default:delayed',
  'default:notify',
  '{default}',
  '{}',
  '{default',
  'default}',
  '{a}{b}',
  '.',
  '..',
  '../x',
  '/',
  'a/b',
  'a:b',
  ':',
  '-',
  '--',
  '_',
  '__proto__',
  'constructor',
  '0',
  'null',
  'n'.repeat(128),
];

export const hostileInputCases: readonly ConformanceCase[] = [
  queueCase('queues whose names look like parts of the store do not mix', async (queue) => {
    const all = hostileNames.map((name) => entry({ queue: name, body: name }));
    await queue.push(...all);
    for (const name of hostileNames) {
      assert.equal((await queue.size(name)).pending, 1, `size of ${name}`);
      const jobs = await queue.take({ queues: [name] });
      assert.deepEqual(
        jobs.map((job) => [job.queue, job.body]),
        [[name, name]],
      );
      accepted(await queue.release(jobs[0]!, { delayMs: 60_000 }));
      const size = await queue.size(name);
      assert.deepEqual([size.pending, size.delayed ?? 1, size.reserved ?? 0], [0, 1, 0], `sizes of ${name}`);
    }
  }),

  queueCase(
    'queues whose names look like parts of the store are listed and cleared one by one',
    async (queue) => {
      await queue.push(...hostileNames.map((name) => entry({ queue: name })));
      const inspect = present(queue.driver.inspection, 'inspection');
      assert.deepEqual([...(await inspect.queues())].sort(), [...hostileNames].sort());
      let left = hostileNames.length;
      for (const name of hostileNames) {
        assert.equal((await inspect.page(name, 'pending', { limit: 5 })).jobs.length, 1);
        assert.equal((await present(queue.driver.clearing, 'clearing').clear(name)) ?? 1, 1);
        assert.equal((await inspect.queues()).length, --left);
      }
    },
    inspection,
    clearing,
  ),

  queueCase('hostile bodies come back byte for byte', async (queue) => {
    const all = hostileText.map((body) => entry({ body }));
    all.push(entry({ body: '' }), entry({ body: '{"$t":"Date"}' }), entry({ body: '0' }), entry({ body: '[' }));
    await queue.push(...all);
    await comeBack(queue, all);
  }),

  queueCase('hostile ids name their own job and no other', async (queue) => {
    const all = hostileText.map((id) => entry({ id, body: `the job of ${id}` }));
    await queue.push(...all);
    assert.deepEqual(
      (await queue.tryPush(...all)).map((answer) => (answer.stored ? 'stored' : answer.reason)),
      all.map(() => 'exists'),
    );
    await comeBack(queue, all);
  }),

  queueCase('what cannot be kept is refused by itself, or comes back as it was', async (queue) => {
    for (const text of unkeepableText) {
      const good = entries(2);
      const bad = [entry({ body: text }), entry({ id: text })];
      const answers = await queue.tryPush(good[0]!, bad[0]!, bad[1]!, good[1]!);
      const stored: PushEntry[] = [good[0]!];
      for (const [index, one] of bad.entries()) {
        const answer = answers[index + 1]!;
        if (answer.stored) stored.push(one);
        else assert.equal(answer.reason, 'error');
      }
      assert.deepEqual(
        [answers[0]!.stored, answers[3]!.stored],
        [true, true],
        'good entries beside a bad one are stored',
      );
      await comeBack(queue, [...stored, good[1]!]);
    }
  }),

  queueCase('a queue name outside the allowed set is refused by itself, or kept apart', async (queue) => {
    for (const name of ["'; DROP TABLE jobs; --", 'two words', 'new\nline', '*', 'n'.repeat(300), '']) {
      const good = entries(2);
      const bad = entry({ queue: name });
      const answers = await queue.tryPush(good[0]!, bad, good[1]!);
      assert.deepEqual([answers[0]!.stored, answers[2]!.stored], [true, true]);
      await comeBack(queue, good);
      if (answers[1]!.stored) await comeBack(queue, [bad], name);
      else assert.equal(answers[1]!.reason, 'error');
    }
  }),

  queueCase(
    'a body of a megabyte comes back whole',
    async (queue) => {
      const body = JSON.stringify({ text: 'ü'.repeat(250_000), more: 'x'.repeat(500_000) });
      const one = entry({ body });
      await queue.push(one, entry({ body: 'small' }));
      const jobs = await queue.take();
      assert.ok(jobs[0]!.body === body, 'the large body is the same');
      assert.equal(jobs[1]!.body, 'small');
    },
    (backend) =>
      (backend.queue?.limits.bodyBytes ?? 0) >= 1_048_576 ? undefined : 'the driver takes no bodies of a megabyte',
  ),

  queueCase('hostile memos come back as they were', async (queue) => {
    await queue.push(entry());
    let job = await queue.takeOne();
    for (const memo of hostileText) {
      accepted(await queue.release(job, { memo }));
      job = await queue.takeOne();
      assert.equal(job.memo, memo);
    }
  }),
];

async function comeBack(queue: QueueProbe, wanted: readonly PushEntry[], from = 'default'): Promise<void> {
  const jobs = await queue.take({ queues: [from] });
  assert.deepEqual(
    jobs.map((job) => [job.id, job.body]),
    wanted.map((one) => [one.id, one.body]),
  );
  for (const answer of await queue.settle(...jobs.map((job) => ({ kind: 'ack' as const, job })))) accepted(answer);
}
