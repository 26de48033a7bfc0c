import { describe, expect, it } from '@jest/globals';
import { recordFailure, type FailureTarget } from '../../../lib/completion/record-failure.js';
import { FailedHookTimeoutError, runFailedHook } from '../../../lib/completion/run-failed-hook.js';
import type { FailedJob, FailedJobStore } from '../../../lib/contracts/failed-job-store.js';
import type { JobContext } from '../../../lib/contracts/job-context.js';
import type { ReservedJob, SettleResult } from '../../../lib/contracts/queue-driver.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

const context = {
  id: 'id',
  name: 'Send',
  displayName: 'Send it',
  connection: 'redis',
  queue: 'high',
  batchId: 'batch',
} as JobContext;
const reserved = { id: 'id', body: '{"as":"it stood"}' } as ReservedJob;
const failedAt = new Date(5);
const job = { context, reserved, error: new RangeError('far'), failedAt };
const record = {
  id: 'id',
  connection: 'redis',
  queue: 'high',
  name: 'Send',
  displayName: 'Send it',
  payload: '{"as":"it stood"}',
  exception: expect.stringContaining('RangeError: far'),
  failedAt,
  batchId: 'batch',
};

function target(answer: SettleResult | undefined, more: Partial<FailureTarget> = {}) {
  const calls: string[] = [];
  const recorded: FailedJob[] = [];
  const store = {
    record: async (failures: readonly FailedJob[]) => {
      calls.push('record');
      recorded.push(...failures);
    },
  } as unknown as FailedJobStore;
  const leases = answer && {
    renew: async () => {
      calls.push('renew');
      return [answer];
    },
  };
  return { calls, recorded, to: { store, withAck: false, leases, leaseMs: 1_000, ...more } };
}

describe('recordFailure', () => {
  it('renews the lease, then records', async () => {
    const { calls, recorded, to } = target({ ok: true });
    expect(await recordFailure(job, to)).toBeUndefined();
    expect(calls).toEqual(['renew', 'record']);
    expect(recorded).toEqual([record]);
  });

  it.each(['lease-lost', 'cancelled'] as const)(
    'records nothing for a job that is someone else’s: %s',
    async (reason) => {
      const { calls, to } = target({ ok: false, reason });
      expect(await recordFailure(job, to)).toBe('lost');
      expect(calls).toEqual(['renew']);
    },
  );

  it('records where it is not known whether the lease was renewed, and where leases cannot be', async () => {
    const unknown = target({ ok: false, reason: 'error' });
    await recordFailure(job, unknown.to);
    const none = target(undefined);
    await recordFailure(job, none.to);
    expect([unknown.calls, none.calls]).toEqual([['renew', 'record'], ['record']]);
  });

  it('leaves it to the ack where that is one write', async () => {
    const { calls, to } = target({ ok: true }, { withAck: true });
    expect(await recordFailure(job, to)).toEqual({ failure: record });
    expect(calls).toEqual([]);
  });

  it('rejects where the store does not take it', async () => {
    const { to } = target({ ok: true });
    const store = { record: () => Promise.reject(new Error('full')) } as unknown as FailedJobStore;
    await expect(recordFailure(job, { ...to, store })).rejects.toThrow('full');
  });
});

describe('runFailedHook', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws at once',
      () => {
        throw new Error('no');
      },
    ],
  ])('never rejects where the hook %s', async (_, hook) => {
    const errors: unknown[] = [];
    await runFailedHook(hook, 'Job', new FakeClock(), (error) => void errors.push(error));
    expect(errors).toEqual([new Error('no')]);
  });

  it('leaves a hook behind that does not end in thirty seconds', async () => {
    const clock = new FakeClock(0);
    const errors: unknown[] = [];
    const running = runFailedHook(
      () => new Promise(() => {}),
      'Job',
      clock,
      (error) => void errors.push(error),
    );
    await clock.advance(29.9);
    expect(errors).toEqual([]);
    await clock.advance(0.2);
    await running;
    expect(errors).toEqual([expect.any(FailedHookTimeoutError)]);
  });
});
