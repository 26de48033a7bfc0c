import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from './checkout.js';

describe('bench/overhead', () => {
  it('shows less than 15 µs of our own CPU a job, on the memory driver at concurrency 100', async () => {
    // Measured on the built package, as users run it. CPU time, best of the rounds: other processes on the machine do not count.
    const { stdout } = await promisify(execFile)(process.execPath, ['bench/overhead.mjs', '--json', '--jobs=20000'], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const { rows } = JSON.parse(stdout) as { rows: Record<string, { best: number }> };
    expect(Object.keys(rows)).toEqual(['bulk', 'dispatch', 'process']);
    for (const { best } of Object.values(rows)) {
      expect(best).toBeGreaterThan(0.1);
      expect(best).toBeLessThan(15);
    }
  }, 120_000);
});
