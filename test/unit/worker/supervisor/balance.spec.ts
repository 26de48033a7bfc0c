import { describe, expect, it } from '@jest/globals';
import {
  demand,
  evenly,
  step,
  targets,
  type BalanceRules,
  type PoolLoad,
} from '../../../../lib/worker/supervisor/balance.js';

const RULES: BalanceRules = { strategy: 'time', concurrency: 1, minProcesses: 1, maxProcesses: 10, clearMs: 3_000 };

function load(given: Partial<PoolLoad> = {}): PoolLoad {
  const busy = given.busy ?? 0;
  return { processes: 1, waiting: 0, busiest: busy, jobMs: undefined, late: 0, ...given, busy };
}

describe('the demand of a pool, in slots', () => {
  it('is what was busy lately and a little more where nothing waits, and never more than there is', () => {
    expect(demand(load({ processes: 4, busiest: 2 }), RULES)).toBeCloseTo(2.4);
    expect(demand(load({ processes: 4, busiest: 4 }), RULES)).toBe(4);
    expect(demand(load({ processes: 4 }), RULES)).toBe(0);
  });

  it('is everything that runs and waits by size, and while nobody knows how long a job takes', () => {
    const some = load({ processes: 2, busy: 2, waiting: 7, jobMs: 1 });
    expect(demand(some, { ...RULES, strategy: 'size' })).toBe(9);
    expect(demand({ ...some, jobMs: undefined }, RULES)).toBe(9);
  });

  it('is by time what clears the backlog soon, and no more than there are jobs', () => {
    // 600 jobs of 100 ms are a minute of work for one slot: 20 slots do it in 3 s.
    expect(demand(load({ busy: 1, waiting: 600, jobMs: 100 }), RULES)).toBe(20);
    expect(demand(load({ busy: 1, waiting: 2, jobMs: 60_000 }), RULES)).toBe(3);
  });

  it('adds nothing by time for a backlog that is soon done', () => {
    const soon = load({ processes: 2, busy: 2, waiting: 100, jobMs: 10 });
    expect(demand(soon, RULES)).toBe(2);
    expect(demand(soon, { ...RULES, strategy: 'size' })).toBe(102);
  });

  it('believes the age of what waits, where the estimate says that it is soon done, and all slots are full', () => {
    const old = load({ processes: 2, busy: 2, waiting: 10, jobMs: 10, late: 2 });
    expect(demand(old, RULES)).toBe(3);
    expect(demand({ ...old, late: 1 }, RULES)).toBe(2);
    expect(demand({ ...old, busy: 1 }, RULES)).toBeLessThanOrEqual(2);
  });
});

describe('the processes of each pool', () => {
  it('are counted by slots: none is added while those of the present ones suffice', () => {
    const many = { ...RULES, concurrency: 10, strategy: 'size' as const };
    expect(targets([load({ busy: 4, waiting: 6 })], many)).toEqual([1]);
    expect(targets([load({ busy: 4, waiting: 7 })], many)).toEqual([2]);
  });

  it('are the least where there is nothing to do', () => {
    expect(targets([load({ processes: 5 }), load({ processes: 3 })], { ...RULES, minProcesses: 2 })).toEqual([2, 2]);
  });

  it('share what may be had by need, each with its least', () => {
    const rules = { ...RULES, strategy: 'size' as const };
    expect(targets([load({ waiting: 600 }), load({ waiting: 200 }), load()], rules)).toEqual([6, 3, 1]);
    expect(targets([load({ waiting: 900 }), load({ waiting: 900 })], { ...rules, maxProcesses: 3 })).toEqual([2, 1]);
  });

  it('stay as they are where their shares are hardly nearer to other numbers', () => {
    const rules = { ...RULES, strategy: 'size' as const, maxProcesses: 4 };
    const unlike = (processes: readonly number[], waiting: number) => [
      load({ processes: processes[0]!, waiting: 100 }),
      load({ processes: processes[1]!, waiting }),
    ];
    // 2.6 and 1.4: whoever has them the one way or the other keeps them.
    expect(targets(unlike([2, 2], 26), rules)).toEqual([2, 2]);
    expect(targets(unlike([3, 1], 26), rules)).toEqual([3, 1]);
    expect(targets(unlike([2, 2], 2), rules)).toEqual([3, 1]);
  });

  it('never exceed what may be had, however much waits', () => {
    for (let pools = 1; pools <= 5; pools++) {
      for (let seed = 1; seed < 40; seed++) {
        const loads = Array.from({ length: pools }, (_, at) =>
          load({ processes: 1 + (seed % 3), waiting: (seed * (at + 7) * 31) % 97, busy: at, jobMs: seed * 40 }),
        );
        const found = targets(loads, RULES);
        expect(found.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(10);
        expect(Math.min(...found)).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

describe('a step', () => {
  const limits = { maxProcesses: 10, maxShift: 1 };
  const present = (...counts: number[]) => counts.map((processes) => load({ processes }));

  it('adds to the pool that lacks most, and takes from the one that has most too many', () => {
    expect(step(present(1, 1, 5, 4), [2, 4, 2, 2], 11, { ...limits, maxProcesses: 20 })).toEqual({
      add: [0, 1, 0, 0],
      remove: [0, 0, 1, 0],
    });
  });

  it('shifts as many as it may', () => {
    const { add, remove } = step(present(1, 6), [5, 2], 7, { ...limits, maxShift: 3 });
    expect([add, remove]).toEqual([
      [3, 0],
      [0, 3],
    ]);
  });

  it('adds nothing before there is room: what is ending counts', () => {
    expect(step(present(1, 8), [5, 4], 10, limits)).toEqual({ add: [0, 0], remove: [0, 1] });
    expect(step(present(1, 8), [5, 4], 9, limits)).toEqual({ add: [1, 0], remove: [0, 1] });
  });

  it('does nothing where all is well', () => {
    expect(step(present(2, 2), [2, 2], 4, limits)).toEqual({ add: [0, 0], remove: [0, 0] });
  });
});

it('shares out evenly, earlier pools first', () => {
  expect(evenly(10, 3)).toEqual([4, 3, 3]);
  expect(evenly(3, 3)).toEqual([1, 1, 1]);
});
