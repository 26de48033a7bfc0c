import { describe, expect, it } from '@jest/globals';
import { ROOT, start } from './checkout.js';

describe('sample/own-driver', () => {
  it('has each job done by workers on one directory, of which one is killed, and leaves no file', async () => {
    const sample = start('node sample/own-driver/run.mjs', { cwd: ROOT, seconds: 90 });
    const { code, output } = await sample.ended;
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
    expect(output).toMatch(/worker 1 .*SendPostcard .* RUNNING/);
    expect(output).toMatch(/worker [23] .*SendPostcard .* FAIL/);
    expect(output).toContain('\n11 of 11 printed, 0 files left in the queue.\n');
    expect(sample.alive()).toBe(false);
  }, 100_000);
});
