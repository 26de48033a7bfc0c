import assert from 'node:assert/strict';
import type { BatchProgress } from '../../contracts/batch-store.js';
import type { Settlement } from '../../contracts/queue-driver.js';
import { due, ended, flagsOf, plainBatch, progressOf } from './batch-probe.js';
import { sharing, type ConformanceCase } from './conformance-case.js';
import { atomically, batchStore, entries, exchange, idsOf, present, queueCase } from './queue-probe.js';

/** Members of one batch whose ends are handed in together. */
export const membersTogetherCases: readonly ConformanceCase[] = [
  ...([false, true] as const).map((exchanged) =>
    queueCase(
      `members of a batch that is under way end together${exchanged ? ' in an exchange' : ''}: each counts by what it was before`,
      async (queue, backend) => {
        const batches = present(backend.batches, 'batch store');
        const jobs = entries(14);
        const ids = idsOf(jobs);
        await batches.create({ ...plainBatch, id: 'a', memberIds: ids });
        await queue.push(...jobs);
        const taken = await queue.take({ limit: 14 });
        const together = async (...places: number[]): Promise<readonly (BatchProgress | undefined)[]> => {
          const settlements = places.map((at): Settlement => {
            const job = taken.find(({ id }) => id === ids[at])!;
            return { kind: 'ack', job, effects: ended('a', job) };
          });
          const settled = exchanged
            ? (
                await queue.driver.exchange!(settlements, {
                  queues: ['default'],
                  limit: 1,
                  leaseMs: 60_000,
                  waitMs: 0,
                  signal: new AbortController().signal,
                })
              ).settled
            : await queue.driver.settle(settlements);
          return settled.map(progressOf);
        };
        const counts = async () => {
          const { endedJobs, pendingJobs, failedJobs } = present(await batches.find('a'), 'batch');
          return [endedJobs, pendingJobs, failedJobs];
        };
        assert.deepEqual(flagsOf(await together(0, 1)), { started: 1, finished: 0, cancelled: 0 });
        await together(2, 3);
        assert.deepEqual(await counts(), [4, 10, 0]);
        await batches.recordEnd('a', { jobId: ids[4]!, outcome: 'done' });
        await batches.recordEnd('a', { jobId: ids[5]!, outcome: 'failed', alsoEnded: [ids[6]!] });
        await batches.confirm('a', ['catch']);
        assert.deepEqual(await counts(), [7, 9, 1]);
        const mixed = await together(4, 5, 6, 7);
        assert.deepEqual(flagsOf(mixed), { started: 0, finished: 0, cancelled: 0 });
        assert.deepEqual(await counts(), [8, 6, 0]);
        const last = await together(8, 9, 10, 11, 12, 13);
        assert.deepEqual(flagsOf(last), { started: 0, finished: 1, cancelled: 0 });
        due(
          present(
            last.find((one) => one?.finished),
            'progress',
          ),
          'then',
          'finally',
        );
        assert.deepEqual(await counts(), [14, 0, 0]);
        const page = present(await batches.members('a', { limit: 20 }), 'members');
        assert.deepEqual(new Set(page.members.map(({ state }) => state)), new Set(['done']));
      },
      batchStore,
      atomically('member'),
      ...(exchanged ? [exchange] : []),
    ),
  ),
  queueCase(
    'members of one batch that end in many hands at once are counted exactly, and one end finishes it',
    async (queue, backend) => {
      const batches = present(backend.batches, 'batch store');
      const jobs = entries(240);
      await batches.create({ ...plainBatch, id: 'a', memberIds: idsOf(jobs) });
      await queue.push(...jobs);
      const handles = await Promise.all(Array.from({ length: 6 }, () => queue.another()));
      const hands = await Promise.all(
        handles.map(async (handle) => {
          const told: (BatchProgress | undefined)[] = [];
          for (;;) {
            const taken = await handle.take({ limit: 8 });
            if (taken.length === 0) return told;
            const settled = await handle.driver.settle(
              taken.map((job) => ({ kind: 'ack', job, effects: ended('a', job) })),
            );
            told.push(...settled.map(progressOf));
          }
        }),
      );
      assert.deepEqual(flagsOf(hands.flat()), { started: 1, finished: 1, cancelled: 0 });
      const batch = present(await batches.find('a'), 'batch');
      assert.deepEqual([batch.endedJobs, batch.pendingJobs, batch.failedJobs], [240, 0, 0]);
    },
    batchStore,
    atomically('member'),
    sharing,
  ),
];
