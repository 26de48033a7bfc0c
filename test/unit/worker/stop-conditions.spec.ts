import { describe, expect, it, jest } from '@jest/globals';
import { exitCodeOf, stopReason, type StopLimits, type WorkerFacts } from '../../../lib/worker/stop-conditions.js';
import type { StopReason } from '../../../lib/contracts/worker-options.js';

const quiet: WorkerFacts = {
  lostConnection: false,
  interrupted: false,
  stuck: false,
  residentMb: () => 100,
  restarted: false,
  idle: false,
  idleForMs: 0,
  elapsedMs: 0,
  taken: 0,
};
const off: StopLimits = { memoryMb: 0, stopWhenEmpty: false, stopWhenEmptyForMs: 0, maxTimeMs: 0, maxJobs: 0 };

/** In the order in which they win: each alone, with what makes it hold. */
const order: [StopReason, Partial<WorkerFacts>, Partial<StopLimits>][] = [
  ['lost_connection', { lostConnection: true }, {}],
  ['interrupted', { interrupted: true }, {}],
  ['timed_out', { stuck: true }, {}],
  ['memory', { residentMb: () => 100 }, { memoryMb: 100 }],
  ['restart_signal', { restarted: true }, {}],
  ['empty', { idle: true }, { stopWhenEmpty: true }],
  ['empty_for', { idle: true, idleForMs: 5 }, { stopWhenEmptyForMs: 5 }],
  ['max_time', { elapsedMs: 7 }, { maxTimeMs: 7 }],
  ['max_jobs', { taken: 3 }, { maxJobs: 3 }],
];

describe('stopReason', () => {
  it('is none while nothing holds, and asks for no memory where that is off', () => {
    const residentMb = jest.fn(() => 1);
    expect(stopReason({ ...quiet, residentMb, idle: true, elapsedMs: 9, taken: 9 }, off)).toBeUndefined();
    expect(residentMb).not.toHaveBeenCalled();
  });

  it.each(order)('%s alone', (reason, facts, limits) => {
    expect(stopReason({ ...quiet, ...facts }, { ...off, ...limits })).toBe(reason);
  });

  it.each(order.map(([reason], at) => [reason, at] as const))('%s before all that come behind it', (reason, at) => {
    let facts = quiet;
    let limits = off;
    for (const [, moreFacts, moreLimits] of order.slice(at)) {
      facts = { ...facts, ...moreFacts };
      limits = { ...limits, ...moreLimits };
    }
    expect(stopReason(facts, limits)).toBe(reason);
  });

  it.each([
    [{ idle: false, idleForMs: 99 }, { stopWhenEmptyForMs: 5 }],
    [{ idle: true, idleForMs: 4 }, { stopWhenEmptyForMs: 5 }],
    [{ idle: false }, { stopWhenEmpty: true }],
    [{ elapsedMs: 6 }, { maxTimeMs: 7 }],
    [{ taken: 2 }, { maxJobs: 3 }],
    [{ residentMb: () => 99.9 }, { memoryMb: 100 }],
  ])('not yet: %p', (facts, limits) => {
    expect(stopReason({ ...quiet, ...facts }, { ...off, ...limits })).toBeUndefined();
  });

  it.each(order.map(([reason]) => reason))('the exit code of %s', (reason) => {
    expect(exitCodeOf(reason)).toBe(reason === 'memory' ? 12 : reason === 'timed_out' ? 1 : 0);
  });
});
