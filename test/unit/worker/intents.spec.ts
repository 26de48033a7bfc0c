import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import type { ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { AttemptContext } from '../../../lib/job/job-context.js';
import { decide } from '../../../lib/worker/decide.js';

type Action = 'release' | 'fail' | 'delete';
const limits = { displayName: 'Job', tries: 3, backoff: [7], failOnTimeout: false, maxStalls: 3 };

/** What comes of an attempt whose handler acts so, one after the other, and then returns or throws. */
function ended(actions: readonly Action[], throws: boolean, later: readonly Action[], attempts: number) {
  const warnings: string[] = [];
  const services = { now: () => 0, warn: (line: string) => void warnings.push(line), findBatch: async () => null };
  const context = new AttemptContext('memory', { id: 'a', attempts } as ReservedJob, undefined, services);
  const act = (action: Action): void => {
    if (action === 'release') context.release(5);
    if (action === 'fail') context.fail('by hand');
    if (action === 'delete') context.delete();
  };
  actions.forEach(act);
  const { intent } = context;
  const thrown = throws ? { thrown: { error: new Error('thrown') } } : {};
  const facts = { attempts, stalls: 0, now: 0, exceptions: 0 };
  const outcome = decide({ ...facts, ...thrown, ...(intent ? { intent } : {}) }, limits);
  context.close();
  later.forEach(act);
  return { outcome, intent, after: context.intent, warnings };
}

describe('what a handler does about its job', () => {
  const actions = fc.array(fc.constantFrom<Action>('release', 'fail', 'delete'), { maxLength: 6 });

  it('comes to one end: that of its first action, whatever follows', () => {
    fc.assert(
      fc.property(actions, fc.boolean(), actions, fc.integer({ min: 1, max: 3 }), (first, throws, later, attempts) => {
        const { outcome, intent, after } = ended(first, throws, later, attempts);
        expect(intent?.kind).toBe(first[0]);
        // Nothing that is done behind its end is heeded.
        expect(after).toBe(intent);
        const last = throws && attempts === 3;
        const kinds = { fail: 'failed', delete: 'done', release: last ? 'failed' : 'retry' } as const;
        const without = throws ? (last ? 'failed' : 'retry') : 'done';
        expect(outcome.kind).toBe(first[0] === undefined ? without : kinds[first[0]]);
        expect(outcome).toMatchObject(
          first[0] === 'release' && outcome.kind === 'retry' ? { delayMs: 5_000 } : { kind: outcome.kind },
        );
      }),
    );
  });

  it('warns of an action that comes too late to count', () => {
    expect(ended(['delete', 'release'], false, [], 1).warnings).toHaveLength(1);
    expect(ended(['fail', 'fail'], false, [], 1).outcome).toMatchObject({ kind: 'failed' });
  });
});
