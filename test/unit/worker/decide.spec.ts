import { describe, expect, it } from '@jest/globals';
import { backoffFor, decide, refusal, type AttemptLimits } from '../../../lib/worker/decide.js';
import { JobStalledError, MaxAttemptsExceededError } from '../../../lib/worker/worker-errors.js';

const limits = (more: Partial<AttemptLimits> = {}): AttemptLimits => ({
  displayName: 'Job',
  tries: 3,
  backoff: [],
  failOnTimeout: false,
  maxStalls: 3,
  ...more,
});
const error = new Error('broken');
const thrown = { error };
const release = { kind: 'release', delayMs: 70 } as const;
const postponed = { ...release, countAttempt: false } as const;
const failing = { kind: 'fail', error: new Error('by hand') } as const;
const removal = { kind: 'delete' } as const;
const NOW = 1_000;

describe('refusal', () => {
  it.each([
    // attempts, stalls, limits, refused
    [1, 0, {}, undefined],
    [3, 0, {}, undefined],
    [4, 0, {}, MaxAttemptsExceededError],
    [1_000, 0, { tries: 0 }, undefined],
    [4, 1, {}, undefined],
    [2, 1, { tries: 1 }, undefined],
    [3, 1, { tries: 1 }, MaxAttemptsExceededError],
    [4, 3, { tries: 1 }, undefined],
    [5, 4, { tries: 1 }, JobStalledError],
    [5, 4, { tries: 0 }, JobStalledError],
    [2, 1, { maxStalls: 0 }, JobStalledError],
    [1, 0, { maxStalls: 0 }, undefined],
    // Until the very millisecond, whatever the tries.
    [99, 0, { tries: 1, retryUntil: NOW }, undefined],
    [1, 0, { tries: 0, retryUntil: NOW - 1 }, MaxAttemptsExceededError],
  ] as const)('attempt %p after %p stalls with %p: %p', (attempts, stalls, more, refused) => {
    const found = refusal({ attempts, stalls, now: NOW }, limits(more));
    expect(found?.constructor).toBe(refused);
  });
});

describe('decide', () => {
  const after = (facts: object, more: Partial<AttemptLimits> = {}) =>
    decide({ attempts: 1, stalls: 0, now: NOW, exceptions: 0, ...facts }, limits(more));
  const done = { kind: 'done' };
  const failed = { kind: 'failed', error };
  const again = (delayMs = 0) => ({ kind: 'retry', delayMs, error });
  const released = { kind: 'retry', delayMs: 70 };

  it.each([
    ['nothing said', {}, {}, done],
    ['a delete', { intent: removal }, {}, done],
    ['a delete, then a throw', { intent: removal, thrown, exceptions: 1 }, { tries: 1 }, done],
    ['a failure by hand', { intent: failing }, {}, { kind: 'failed', error: failing.error }],
    ['a failure by hand, then a throw', { intent: failing, thrown }, {}, { kind: 'failed', error: failing.error }],
    ['a release', { intent: release }, {}, released],
    ['a release on the last try', { intent: release, attempts: 3 }, {}, released],
    ['a postponement', { intent: postponed }, {}, { ...released, countAttempt: false }],
    ['a postponement, then a throw', { intent: postponed, thrown }, {}, { ...released, countAttempt: false }],
    ['a release, then a throw', { intent: release, thrown, exceptions: 1 }, {}, released],
    ['a release, then a throw on the last try', { intent: release, thrown, attempts: 3 }, {}, failed],
    ['a throw', { thrown, exceptions: 1 }, {}, again()],
    ['a throw, with delays', { thrown, exceptions: 1 }, { backoff: [5, 9] }, again(5)],
    ['the second throw', { thrown, attempts: 2 }, { backoff: [5, 9] }, again(9)],
    ['a throw behind a stall', { thrown, attempts: 2, stalls: 1 }, { backoff: [5, 9] }, again(5)],
    ['a throw on the last try', { thrown, attempts: 3 }, {}, failed],
    ['a throw, the tries spent but for a stall', { thrown, attempts: 3, stalls: 1 }, {}, again()],
    ['a throw without a limit of tries', { thrown, attempts: 99 }, { tries: 0 }, again()],
    ['a throw before retryUntil, past the tries', { thrown, attempts: 9 }, { retryUntil: NOW + 1 }, again()],
    ['a throw at retryUntil', { thrown }, { tries: 0, retryUntil: NOW }, failed],
    ['fewer exceptions than allowed', { thrown, exceptions: 1 }, { maxExceptions: 2 }, again()],
    ['as many exceptions as allowed', { thrown, exceptions: 2 }, { maxExceptions: 2, tries: 0 }, failed],
    ['a timeout', { thrown, timedOut: true }, {}, again()],
    ['a timeout that fails', { thrown, timedOut: true }, { failOnTimeout: true }, failed],
    ['a throw that is no timeout', { thrown }, { failOnTimeout: true }, again()],
  ] as const)('%s', (_, facts, more, outcome) => {
    expect(after(facts, more)).toEqual(outcome);
  });
});

describe('backoffFor', () => {
  it.each([
    [1, [], 0],
    [1, [7], 7],
    [9, [7], 7],
    [1, [1, 5, 10], 1],
    [2, [1, 5, 10], 5],
    [3, [1, 5, 10], 10],
    [4, [1, 5, 10], 10],
    [0, [1, 5, 10], 1],
  ])('attempt %p of %p: %p', (attempt, list, delay) => {
    expect(backoffFor(attempt, list)).toBe(delay);
  });
});
