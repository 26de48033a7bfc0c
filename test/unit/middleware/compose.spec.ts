import { describe, expect, it } from '@jest/globals';
import type { JobContext } from '../../../lib/contracts/job-context.js';
import type { JobMiddleware } from '../../../lib/contracts/job-middleware.js';
import { NextCalledTwiceError, runThrough } from '../../../lib/middleware/compose.js';

const context = {} as JobContext;
const job = {};
const one = (handle: JobMiddleware['handle']): JobMiddleware => ({ handle });
const pause = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('runThrough', () => {
  it('runs the first one outermost and gives what the handler returned', async () => {
    const lines: string[] = [];
    const wrap = (name: string) =>
      one(async (given, next, about) => {
        expect([given, about]).toEqual([job, context]);
        lines.push(`${name} in`);
        await next();
        lines.push(`${name} out`);
      });
    const returned = await runThrough([wrap('a'), wrap('b')], job, context, () => {
      lines.push('handler');
      return 42;
    });
    expect(returned).toBe(42);
    expect(lines).toEqual(['a in', 'b in', 'handler', 'b out', 'a out']);
    expect(await runThrough([], job, context, () => 'bare')).toBe('bare');
  });

  it('without next the handler is not reached, and there is no answer', async () => {
    let reached = false;
    const skip = one(async () => {});
    expect(await runThrough([skip], job, context, () => (reached = true))).toBeUndefined();
    expect(reached).toBe(false);
  });

  it('a second next is refused; the handler runs once', async () => {
    let runs = 0;
    const twice = one(async (_job, next) => {
      await next();
      await next();
    });
    await expect(runThrough([twice], job, context, () => (runs += 1))).rejects.toThrow(NextCalledTwiceError);
    expect(runs).toBe(1);
  });

  it.each([
    ['throws', () => one(() => Promise.reject(new Error('before')))],
    [
      'throws at once',
      () =>
        one(() => {
          throw new Error('before');
        }),
    ],
  ])('one that %s before next keeps the handler from running', async (_, make) => {
    let reached = false;
    await expect(runThrough([make()], job, context, () => (reached = true))).rejects.toThrow('before');
    expect(reached).toBe(false);
  });

  it('one may swallow what the handler throws, or throw something else', async () => {
    const broken = () => Promise.reject(new Error('inner'));
    const swallow = one((_job, next) => next().catch(() => {}));
    expect(await runThrough([swallow], job, context, broken)).toBeUndefined();
    const other = one((_job, next) =>
      next().catch(() => {
        throw new Error('outer');
      }),
    );
    await expect(runThrough([other, one((_job, next) => next())], job, context, broken)).rejects.toThrow('outer');
  });

  it('a next that is not waited for is waited for all the same', async () => {
    let ended = false;
    const careless = one((_job, next) => void next());
    await runThrough([careless], job, context, async () => {
      await pause();
      ended = true;
    });
    expect(ended).toBe(true);
    const failing = runThrough([careless], job, context, async () => {
      await pause();
      throw new Error('late');
    });
    await expect(failing).rejects.toThrow('late');
  });

  it('one that gives up on its next does not end the attempt before the handler has ended', async () => {
    let ended = false;
    const impatient = one((_job, next) => Promise.race([next(), Promise.reject(new Error('too slow'))]));
    const failing = runThrough([impatient], job, context, async () => {
      await pause();
      ended = true;
      throw new Error('nobody listens to this one');
    });
    await expect(failing).rejects.toThrow('too slow');
    expect(ended).toBe(true);
  });
});
