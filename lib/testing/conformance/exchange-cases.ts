import assert from 'node:assert/strict';
import type { ReserveRequest, Settlement } from '../../contracts/queue-driver.js';
import { promptly } from './bounded-wait.js';
import type { ConformanceCase } from './conformance-case.js';
import {
  accepted,
  atomically,
  entries,
  entry,
  exchange,
  idsOf,
  present,
  queueCase,
  refused,
  sameIds,
  type QueueProbe,
} from './queue-probe.js';

export const exchangeCases: readonly ConformanceCase[] = [
  queueCase(
    'an exchange settles what is finished and takes what is due',
    async (queue) => {
      const all = entries(4);
      await queue.push(...all);
      const [a, b] = await queue.take({ limit: 2 });
      const answer = await trade(queue, [
        { kind: 'ack', job: a! },
        { kind: 'release', job: b!, delayMs: 60_000 },
      ]);
      answer.settled.forEach(accepted);
      assert.equal(answer.settled.length, 2);
      assert.deepEqual(idsOf(answer.jobs), idsOf(all.slice(2)));
      assert.deepEqual(
        answer.jobs.map((job) => [job.attempts, job.stalls]),
        [
          [1, 0],
          [1, 0],
        ],
      );
      for (const job of answer.jobs) accepted(await queue.ack(job));
    },
    exchange,
  ),

  queueCase(
    'an exchange without settlements takes, one with limit 0 only hands in',
    async (queue) => {
      await queue.push(...entries(2));
      const taken = await trade(queue, [], { limit: 1 });
      assert.deepEqual([taken.settled.length, taken.jobs.length], [0, 1]);
      const handed = await trade(queue, [{ kind: 'ack', job: taken.jobs[0]! }], { limit: 0 });
      accepted(handed.settled[0]!);
      assert.deepEqual(handed.jobs, []);
      assert.equal((await queue.take()).length, 1);
    },
    exchange,
  ),

  queueCase(
    'an exchange never waits',
    async (queue) => {
      const answer = await promptly(trade(queue, [], { waitMs: 60_000 }), 'the answer of an exchange');
      assert.deepEqual(answer, { settled: [], jobs: [] });
    },
    exchange,
  ),

  queueCase(
    'a stale settlement in an exchange is refused while the rest goes through',
    async (queue) => {
      await queue.push(...entries(4));
      const [a, b, c] = await queue.take({ limit: 3 });
      accepted(await queue.ack(b!));
      const answer = await trade(queue, [
        { kind: 'ack', job: a! },
        { kind: 'ack', job: b! },
        { kind: 'ack', job: c! },
      ]);
      accepted(answer.settled[0]!);
      refused(answer.settled[1]!, 'lease-lost');
      accepted(answer.settled[2]!);
      assert.equal(answer.jobs.length, 1);
      const size = await queue.size();
      assert.deepEqual([size.pending, size.reserved ?? 1], [0, 1]);
    },
    exchange,
  ),

  queueCase(
    'an exchange keeps to the order of queues and to the limit',
    async (queue) => {
      const low = entries(2, { queue: 'low' });
      const high = entry({ queue: 'high' });
      await queue.push(...low, high);
      const answer = await trade(queue, [], { queues: ['high', 'low'], limit: 2 });
      assert.deepEqual(idsOf(answer.jobs), [high.id, low[0]!.id]);
    },
    exchange,
  ),

  queueCase(
    'effects ride on an exchange',
    async (queue) => {
      await queue.push(entry());
      const job = await queue.takeOne();
      const next = entry();
      const answer = await trade(queue, [{ kind: 'ack', job, effects: { push: [next] } }]);
      accepted(answer.settled[0]!);
      // Whether a follow-up is taken in the very trip that stored it is the store's choice.
      sameIds([...answer.jobs, ...(await queue.take())], [next]);
    },
    exchange,
    atomically('push'),
  ),

  queueCase(
    'many exchanges at once give each job once and settle each once',
    async (queue) => {
      const all = entries(120);
      await queue.push(...all);
      const taken: string[] = [];
      const work = async (): Promise<void> => {
        let answer = await trade(queue, [], { limit: 5 });
        while (answer.jobs.length > 0) {
          taken.push(...idsOf(answer.jobs));
          answer = await trade(
            queue,
            answer.jobs.map((job) => ({ kind: 'ack', job })),
            { limit: 5 },
          );
          answer.settled.forEach(accepted);
        }
      };
      await Promise.all([work(), work(), work(), work(), work(), work()]);
      await work();
      assert.deepEqual(taken.sort(), idsOf(all).sort());
      const size = await queue.size();
      assert.deepEqual([size.pending, size.reserved ?? 0], [0, 0]);
    },
    exchange,
  ),
];

function trade(queue: QueueProbe, settlements: readonly Settlement[], request: Partial<ReserveRequest> = {}) {
  return present(queue.driver.exchange, 'exchange').call(queue.driver, settlements, queue.request(request));
}
