import { describe, expect, it } from '@jest/globals';
import { InvalidQueueNameError } from '../../../lib/connections/queue-name.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';
import { resolveWorkerOptions } from '../../../lib/worker/resolved-options.js';
import type { WorkerOptions } from '../../../lib/contracts/worker-options.js';

const connection = { defaultQueue: 'own', prefetch: 2 };
const resolve = (given: WorkerOptions = {}) => resolveWorkerOptions(given, connection);

describe('resolveWorkerOptions', () => {
  it('has Laravel’s defaults, but for memory and concurrency', () => {
    expect(resolve()).toEqual({
      given: {},
      queues: ['own'],
      name: 'default',
      concurrency: 1,
      prefetch: 2,
      tries: 1,
      backoff: [],
      timeoutMs: 60_000,
      sleepMs: 3_000,
      restMs: 0,
      maxJobs: 0,
      maxTimeMs: 0,
      memoryMb: 0,
      stopWhenEmpty: false,
      stopWhenEmptyForMs: 0,
      force: false,
      graceMs: 25_000,
      timeoutGraceMs: 5_000,
      maxStalls: 3,
      unknownJobTries: 3,
      watchdog: true,
      stopOnLostConnection: false,
      exitWhenStuck: false,
    });
  });

  it('turns durations into milliseconds', () => {
    expect(resolve({ timeout: '2m', sleep: 0.5, rest: '10ms', backoff: [1, '5s'] })).toMatchObject({
      timeoutMs: 120_000,
      sleepMs: 500,
      restMs: 10,
      backoff: [1_000, 5_000],
    });
    expect(resolve({ backoff: 3 }).backoff).toEqual([3_000]);
  });

  it('trims queue names, drops empty and repeated ones', () => {
    expect(resolve({ queues: [' high', 'low ', '', 'high'] }).queues).toEqual(['high', 'low']);
    expect(resolve({ queues: ['', ' '] }).queues).toEqual(['own']);
    expect(() => resolve({ queues: ['no spaces'] })).toThrow(InvalidQueueNameError);
  });

  it.each([
    'concurrency',
    'prefetch',
    'tries',
    'maxJobs',
    'maxStalls',
    'unknownJobTries',
    'memory',
    'timeout',
    'sleep',
    'rest',
    'maxTime',
    'stopWhenEmptyFor',
    'grace',
    'timeoutGrace',
    'backoff',
  ])('refuses a %s that cannot be, by name', (key) => {
    for (const value of [-1, Number.NaN, Infinity, 'soon', {}, true]) {
      expect(() => resolve({ [key]: value })).toThrow(InvalidOptionError);
      expect(() => resolve({ [key]: value })).toThrow(`Worker option ${key}`);
    }
  });

  it('refuses what it does not know', () => {
    expect(() => resolve({ maxTries: 3 } as WorkerOptions)).toThrow('"maxTries" is not known');
  });
});
