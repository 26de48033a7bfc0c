import { describe, expect, it } from '@jest/globals';
import type { Backend } from '../../../lib/contracts/backend.js';
import { conformanceCases, runCase, type Harness } from '../../../lib/testing/conformance/index.js';

const empty: Backend = { close: async () => {} };

function harnessOf(log: string[]): Harness {
  return {
    open: async () => {
      log.push('open');
      return empty;
    },
    advance: async () => {},
    now: () => 0,
    close: async () => void log.push('close'),
  };
}

describe('conformance cases', () => {
  it('have names that are unique within their family', () => {
    for (const cases of Object.values(conformanceCases)) {
      expect(cases.length).toBeGreaterThan(5);
      expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length);
    }
  });

  it('are all skipped with a reason by a backend that has nothing', async () => {
    for (const one of Object.values(conformanceCases).flat()) {
      const { skipped } = await runCase(one, harnessOf([]));
      expect(skipped).toMatch(/^the backend has no (queue driver|.+ store)$/);
    }
  });

  it('are opened and closed once, also when they are skipped or fail', async () => {
    const log: string[] = [];
    const pass = { name: 'passes', run: async () => void log.push('run') };
    expect(await runCase(pass, harnessOf(log))).toEqual({});
    const fail = { name: 'fails', run: () => Promise.reject(new Error('does not hold')) };
    await expect(runCase(fail, harnessOf(log))).rejects.toThrow('does not hold');
    expect(await runCase({ ...fail, needs: () => 'not here' }, harnessOf(log))).toEqual({ skipped: 'not here' });
    expect(log).toEqual(['open', 'run', 'close', 'open', 'close', 'open', 'close']);
  });
});
