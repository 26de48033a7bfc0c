import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { memoryBackend } from '../../lib/backends/memory/memory-backend.js';
import { MemoryStore } from '../../lib/backends/memory/memory-store.js';
import type { BackendContext } from '../../lib/contracts/backend.js';
import { neverAborted } from '../../lib/support/abort.js';
import type { Harness } from '../../lib/testing/conformance/index.js';
import { FakeClock } from '../../lib/testing/fake-clock.js';
import { describeConformance } from '../support/conformance.js';
import { runModel, type ModelStep } from '../support/queue-model.js';

describeConformance('memory', memoryHarness);

function memoryHarness(): Harness {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const opened: { close(): Promise<void> }[] = [];
  const open = async () => {
    const backend = memoryBackend({ store }, contextOf(clock));
    opened.push(backend);
    return backend;
  };
  return {
    open,
    reopen: open,
    advance: (ms) => clock.advance(ms / 1_000),
    now: () => clock.now(),
    close: async () => {
      for (const backend of opened) await backend.close();
    },
  };
}

function contextOf(clock: FakeClock): BackendContext {
  return {
    connection: 'memory',
    clock,
    dispatchTimeoutMs: 5_000,
    run: () => Promise.reject(new Error('the memory backend runs no jobs')),
    afterResponse: () => {},
    dataSource: () => undefined,
    warn: () => {},
  };
}

describe('memory driver against a model', () => {
  const step: fc.Arbitrary<ModelStep> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('push'),
        priority: fc.integer({ min: 0, max: 2 }),
        delayMs: fc.nat(40),
      }),
    },
    fc.record({ kind: fc.constant('pass'), ms: fc.nat(30) }),
    fc.record({ kind: fc.constant('claim'), limit: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant('ack'), which: fc.nat() }),
    fc.record({ kind: fc.constant('release'), which: fc.nat(), delayMs: fc.nat(40) }),
    fc.record({ kind: fc.constant('renew'), which: fc.nat(), leaseMs: fc.integer({ min: 1, max: 90 }) }),
    fc.record({ kind: fc.constant('remove'), which: fc.nat() }),
  );

  it('claims in the order of a sorted list, whatever is pushed, released, stalled or removed in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), async (steps) => {
        const harness = memoryHarness();
        const { queue } = await harness.open();
        const { claims, left } = await runModel(queue!, harness, steps);
        expect(claims.map((claim) => claim.taken)).toEqual(claims.map((claim) => claim.wanted));
        expect(await queue!.size(['q'])).toMatchObject([left]);
      }),
      { numRuns: 100 },
    );
  });

  it('takes what is pushed while the clock is set back, once each', async () => {
    let now = 1_000_000;
    const store = new MemoryStore({ now: () => now, elapsed: () => now, after: () => () => {} });
    const { queue } = memoryBackend({ store }, contextOf(new FakeClock()));
    for (const step of [0, -5_000, 10, -20_000, 60_000]) {
      now += step;
      await queue!.push([{ id: `at ${now}`, queue: 'q', body: '', delayMs: 0 }]);
    }
    const request = { queues: ['q'], limit: 10, leaseMs: 50, waitMs: 0, signal: neverAborted };
    const jobs = await queue!.reserve(request);
    expect(jobs.map((job) => job.id)).toEqual(['at 975010', 'at 995000', 'at 995010', 'at 1000000', 'at 1035010']);
  });

  it('refuses what comes after its close with one clear line', async () => {
    const backend = await memoryHarness().open();
    await backend.close();
    await expect(backend.queue!.push([])).rejects.toThrow('The [memory] connection is closed');
  });
});
