import { describe, expect, it } from '@jest/globals';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { batchPlanText, hasHooks, readBatchPlan, type BatchPlan } from '../../../lib/job/batch-plan.js';

const job = (uuid: string): JobEnvelope => ({ v: 1, uuid, name: 'Job', displayName: 'Job', data: {}, createdAt: 1 });
const EMPTY: BatchPlan = { allowFailures: false, given: {}, callbacks: {} };

describe('what a batch is to do', () => {
  it('comes back as it was written', () => {
    const plan: BatchPlan = {
      connection: 'redis',
      queue: 'imports',
      allowFailures: true,
      given: { rows: 3 },
      callbacks: { before: [job('a')], progress: [job('b')], finally: [job('c'), job('d')] },
      chain: { rest: [job('e')], catch: [job('f')], queue: 'deploy' },
      parent: { batchId: 'outer', jobId: 'member' },
    };
    expect(readBatchPlan(batchPlanText(plan))).toEqual(plan);
  });

  it.each([
    '',
    'no JSON',
    '[]',
    'null',
    '3',
    '{"callbacks":3,"given":[],"chain":[],"parent":"x","queue":7}',
    '{"chain":{"rest":[1]}}',
  ])('is nothing where the store gives %s', (text) => {
    expect(readBatchPlan(text)).toEqual(EMPTY);
  });

  it('leaves out callbacks that are no jobs, and moments that there are not', () => {
    const text = JSON.stringify({
      callbacks: { catch: [job('a'), null, 1, { uuid: 'b' }], never: [job('c')], __proto__: [] },
    });
    expect(readBatchPlan(text).callbacks).toEqual({ catch: [job('a')] });
  });

  it('has hooks where something is sent for each end of a member', () => {
    expect(hasHooks({ ...EMPTY, callbacks: { catch: [job('a')], failure: [job('b')] } })).toBe(false);
    expect(hasHooks({ ...EMPTY, allowFailures: true, callbacks: { failure: [job('b')] } })).toBe(true);
    expect(hasHooks({ ...EMPTY, callbacks: { progress: [job('b')] } })).toBe(true);
  });
});
