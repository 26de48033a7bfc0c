import assert from 'node:assert/strict';
import type { ConformanceCase } from './conformance-case.js';
import { accepted, entries, entry, idsOf, queueCase } from './queue-probe.js';

export const orderCases: readonly ConformanceCase[] = [
  queueCase('jobs that are due alike are taken in the order of their pushes', async (queue) => {
    const first = entries(20);
    const second = entries(20);
    await queue.push(...first);
    await queue.push(...second);
    assert.deepEqual(idsOf(await queue.take({ limit: 15 })), idsOf(first.slice(0, 15)));
    assert.deepEqual(idsOf(await queue.take()), idsOf([...first.slice(15), ...second]));
  }),

  queueCase('earlier queues are emptied before later ones', async (queue) => {
    const low = entries(3, { queue: 'low' });
    const high = entries(3, { queue: 'high' });
    await queue.push(...low, ...high);
    assert.deepEqual(idsOf(await queue.take({ queues: ['high', 'low'], limit: 4 })), idsOf([...high, low[0]!]));
    assert.deepEqual(idsOf(await queue.take({ queues: ['high', 'low'] })), idsOf(low.slice(1)));
  }),

  queueCase('a queue comes before a priority', async (queue) => {
    const first = entry({ queue: 'high', priority: -5 });
    const second = entry({ queue: 'low', priority: 5 });
    await queue.push(second, first);
    assert.deepEqual(idsOf(await queue.take({ queues: ['high', 'low'] })), [first.id, second.id]);
  }),

  queueCase('only the queues that are asked for are served', async (queue) => {
    const one = entry({ queue: 'mine' });
    await queue.push(entry({ queue: 'other' }), one);
    assert.deepEqual(idsOf(await queue.take({ queues: ['mine', 'nobody'] })), [one.id]);
  }),

  queueCase('a higher priority goes first; without one it is 0', async (queue) => {
    const [low, plain, high, higher] = [
      entry({ priority: -1 }),
      entry(),
      entry({ priority: 5 }),
      entry({ priority: 10 }),
    ];
    const alsoHigh = entry({ priority: 5 });
    await queue.push(plain, higher, high, low, alsoHigh);
    const jobs = await queue.take();
    assert.deepEqual(idsOf(jobs), idsOf([higher, high, alsoHigh, plain, low]));
    assert.deepEqual(
      jobs.map((job) => job.priority),
      [10, 5, 5, 0, -1],
    );
  }),

  queueCase('any number of priorities is kept in order', async (queue) => {
    const jobs = Array.from({ length: 40 }, (_, index) => entry({ priority: ((index * 7) % 40) - 20 }));
    await queue.push(...jobs);
    const taken = await queue.take();
    assert.deepEqual(
      taken.map((job) => job.priority),
      Array.from({ length: 40 }, (_, index) => 19 - index),
    );
  }),

  queueCase('within a priority what could be taken earlier goes first', async (queue, _, harness) => {
    const late = entry({ delayMs: 150 });
    const early = entry({ delayMs: 50 });
    const middle = entry({ delayMs: 100 });
    await queue.push(late, early, middle);
    await harness.advance(200);
    const fresh = entry();
    await queue.push(fresh);
    assert.deepEqual(idsOf(await queue.take()), idsOf([early, middle, late, fresh]));
  }),

  queueCase('a priority comes before the time', async (queue, _, harness) => {
    const early = entry();
    await queue.push(early);
    await harness.advance(20);
    const urgent = entry({ priority: 1, delayMs: 20 });
    await queue.push(urgent);
    await harness.advance(100);
    assert.deepEqual(idsOf(await queue.take()), [urgent.id, early.id]);
  }),

  queueCase('a released job keeps its id and goes by the time it became available', async (queue, _, harness) => {
    const [first, second] = entries(2);
    await queue.push(first!, second!);
    const job = await queue.takeOne();
    assert.equal(job.id, first!.id);
    await harness.advance(20);
    accepted(await queue.release(job));
    await harness.advance(20);
    const third = entry();
    await queue.push(third);
    assert.deepEqual(idsOf(await queue.take()), [second!.id, first!.id, third.id]);
  }),

  queueCase('a released job keeps its priority', async (queue, _, harness) => {
    const [urgent, plain] = [entry({ priority: 1 }), entry()];
    await queue.push(plain, urgent);
    const job = await queue.takeOne();
    await harness.advance(20);
    accepted(await queue.release(job));
    assert.deepEqual(idsOf(await queue.take()), [urgent.id, plain.id]);
  }),
];
