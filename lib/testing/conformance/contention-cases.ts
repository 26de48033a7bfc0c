import assert from 'node:assert/strict';
import { eventually, settle } from './bounded-wait.js';
import { sharing, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
import { accepted, entries, entry, idsOf, queueCase, sameIds } from './queue-probe.js';

const holding: Requirement = (_, harness) =>
  harness.holdWrites ? undefined : 'no writer can keep the others out of this store';

export const contentionCases: readonly ConformanceCase[] = [
  queueCase(
    'a push that meets a busy store is not lost, nor is any behind it',
    async (queue, _, harness) => {
      const met = entries(3);
      const free = await held(harness);
      const pushing = Promise.all(met.map((one) => queue.tryPush(one)));
      await settle();
      await free();
      const answers = await eventually(pushing, harness, 5_000, 'the push after the store was freed');
      assert.deepEqual(
        answers,
        met.map(() => [{ stored: true }]),
      );
      const behind = entries(5);
      for (const one of behind) await queue.push(one);
      // Another handle sees only what was really written.
      sameIds(await (await queue.another()).take(), [...met, ...behind]);
    },
    sharing,
    holding,
  ),

  queueCase(
    'a settlement that meets a busy store is not lost, nor is any behind it',
    async (queue, _, harness) => {
      await queue.push(...entries(3));
      const [a, b, c] = await queue.take();
      const free = await held(harness);
      const acking = queue.ack(a!);
      await settle();
      await free();
      accepted(await eventually(acking, harness, 5_000, 'the ack after the store was freed'));
      accepted(await queue.release(b!));
      accepted(await queue.ack(c!));
      const other = await queue.another();
      assert.deepEqual(idsOf(await other.take()), [b!.id]);
      const size = await other.size();
      assert.deepEqual([size.pending, size.reserved ?? 1], [0, 1]);
    },
    sharing,
    holding,
  ),

  queueCase(
    'a reserve that meets a busy store answers once it is free',
    async (queue, _, harness) => {
      await queue.push(entry());
      const free = await held(harness);
      const taking = queue.driver.reserve(queue.request({ waitMs: 10_000 }));
      await settle();
      await free();
      assert.equal((await eventually(taking, harness, 8_000, 'the reserve after the store was freed')).length, 1);
      assert.deepEqual(await (await queue.another()).take(), []);
    },
    sharing,
    holding,
  ),
];

async function held(harness: Harness): Promise<() => Promise<void>> {
  if (!harness.holdWrites) assert.fail('no writer can keep the others out of this store');
  return harness.holdWrites();
}
