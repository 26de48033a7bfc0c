import { describe, expect, it } from '@jest/globals';

interface Stats {
  readonly median: (values: number[]) => number;
  readonly percentile: (values: number[], share: number) => number;
  readonly ratioWithinRounds: (values: number[], references: (number | undefined)[]) => number;
  readonly bestPerRound: (series: number[][], better: 'higher' | 'lower') => (number | undefined)[];
  readonly slope: (points: [number, number][]) => number;
}
interface Verdict {
  readonly reached: number;
  readonly met: boolean;
}
interface Cell {
  readonly id: string;
}
interface Entry {
  readonly peer: string;
  readonly row: string;
  readonly round: number;
  readonly values?: Record<string, number>;
  readonly checks?: Record<string, number>;
  readonly error?: string;
}
interface ResultsModule {
  Results: new (entries: Entry[]) => {
    median: (peer: string, row: string, metric: string) => number;
    ratio: (peer: string, row: string, metric: string, reference: string) => number;
    judge: (target: object, better: string) => Verdict | undefined;
    faults: () => { peer: string; rows: string[]; text: string }[];
  };
}
interface PlanModule {
  readonly plan: (rows: object[], peers: object[], rounds: number) => { row: Cell; peer: Cell; round: number }[];
}
interface FormatModule {
  readonly figure: (value: number) => string;
  readonly markdownTable: (head: string[], rows: string[][]) => string;
}
interface PayloadModule {
  readonly payload: (number: number, bytes?: number) => object;
}
interface NodesModule {
  readonly isAtLeast: (version: string, needed: string) => boolean;
}
interface FlagsModule {
  readonly parseFlags: (argv: string[]) => Record<string, unknown>;
}

/** The benchmark is plain JavaScript: what is used of it here is typed here. */
async function load<T>(name: string): Promise<T> {
  return (await import(`../../../bench/lib/${name}.mjs`)) as T;
}

const { median, percentile, ratioWithinRounds, bestPerRound, slope } = await load<Stats>('stats');
const { Results } = await load<ResultsModule>('results');

const cell = (peer: string, round: number, rate: number): Entry => ({
  peer,
  row: 'process.c10',
  round,
  values: { rate },
  checks: { dup: 0, lost: 0 },
});

describe('bench: statistics', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('gives a percentile that so many values do not exceed', () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(percentile(values, 0.5)).toBe(100);
    expect(percentile(values, 0.99)).toBe(198);
    expect(percentile([7], 0.99)).toBe(7);
  });

  it('compares within a round, so that a slow round counts for both', () => {
    // The quotient of the medians would be 1.
    expect(ratioWithinRounds([100, 20, 10], [50, 10, 20])).toBe(2);
    expect(ratioWithinRounds([100, 20], [50, undefined])).toBe(2);
  });

  it('takes the best peer of each round, whichever way is better', () => {
    const series = [
      [1, 9],
      [4, 2],
    ];
    expect(bestPerRound(series, 'higher')).toEqual([4, 9]);
    expect(bestPerRound(series, 'lower')).toEqual([1, 2]);
    expect(bestPerRound([[]], 'higher')).toEqual([]);
  });

  it('finds the slope of a line with noise on it', () => {
    expect(
      slope([
        [0, 11],
        [1, 12],
        [2, 15],
        [3, 16],
      ]),
    ).toBeCloseTo(1.8);
  });
});

describe('bench: results', () => {
  const results = new Results([
    cell('ours', 0, 30),
    cell('ours', 1, 8),
    cell('peer', 0, 10),
    cell('peer', 1, 4),
    { peer: 'peer', row: 'latency', round: 0, error: 'node:internal\n\nTypeError: it broke\n    at x' },
    { peer: 'ours', row: 'latency', round: 0, values: {}, checks: { dup: 2, lost: 0 } },
  ]);

  it('judges a ratio by the rounds', () => {
    const target = {
      peer: 'ours',
      row: 'process.c10',
      metric: 'rate',
      kind: 'at least',
      value: 2.5,
      against: { name: 'the peer', peers: ['peer'] },
    };
    expect(results.judge(target, 'higher')).toEqual({ reached: 2.5, met: true });
    expect(results.judge({ ...target, value: 2.6 }, 'higher')).toEqual({ reached: 2.5, met: false });
  });

  it('judges "no less than" by the worst round', () => {
    const target = { peer: 'ours', row: 'process.c10', metric: 'rate', kind: 'no less than', value: 8 };
    expect(results.judge(target, 'higher')).toEqual({ reached: 8, met: true });
  });

  it('has no verdict where nothing was measured', () => {
    const target = { peer: 'ours', row: 'rss', metric: 'filled', kind: 'under', value: 130 };
    expect(results.judge(target, 'lower')).toBeUndefined();
  });

  it('names cells that failed, and jobs that ran twice', () => {
    expect(results.faults()).toEqual([
      { peer: 'peer', rows: ['latency'], text: 'TypeError: it broke' },
      { peer: 'ours', rows: ['latency'], text: 'dup 2' },
    ]);
  });
});

describe('bench: plan', () => {
  it('runs the peers of a row one after another, each round beginning with another one', async () => {
    const { plan } = await load<PlanModule>('plan');
    const peers = [
      { id: 'a', family: 'sqlite' },
      { id: 'b', family: 'sqlite' },
      { id: 'c', family: 'memory', rows: ['process'] },
    ];
    const rows = [{ id: 'process.c1' }, { id: 'storage', once: true, families: ['sqlite'] }];
    const order = plan(rows, peers, 2).map(({ row, peer, round }) => `${row.id} ${peer.id} ${round}`);
    expect(order).toEqual([
      'process.c1 a 0',
      'process.c1 b 0',
      'process.c1 c 0',
      'process.c1 b 1',
      'process.c1 c 1',
      'process.c1 a 1',
      'storage a 0',
      'storage b 0',
    ]);
  });
});

describe('bench: text', () => {
  it('writes figures with the digits that mean something', async () => {
    const { figure } = await load<FormatModule>('format');
    expect([25_158.4, 61.94, 5.318, Number.NaN].map(figure)).toEqual(['25,158', '61.9', '5.32', '-']);
  });

  it('pads its tables', async () => {
    const { markdownTable } = await load<FormatModule>('format');
    expect(markdownTable(['row', 'ours'], [['dispatch', '1']])).toBe(
      '| row      | ours |\n| -------- | ---: |\n| dispatch |    1 |',
    );
  });

  it('makes payloads of exactly so many bytes', async () => {
    const { payload } = await load<PayloadModule>('payload');
    for (const bytes of [25, 1_000, 10_000]) expect(JSON.stringify(payload(123_456, bytes))).toHaveLength(bytes);
  });

  it('compares versions by number', async () => {
    const { isAtLeast } = await load<NodesModule>('nodes');
    expect(isAtLeast('v22.18.0', '22.18.0')).toBe(true);
    expect(isAtLeast('v22.9.1', '22.18.0')).toBe(false);
    expect(isAtLeast('v24.0.0', '22.18.0')).toBe(true);
    expect(isAtLeast('v20.20.2', '22.18.0')).toBe(false);
  });

  it('refuses a flag that it does not know', async () => {
    const { parseFlags } = await load<FlagsModule>('flags');
    expect(() => parseFlags(['--round=2'])).toThrow(/--round=2.*\n[^]*--rounds/);
    expect(() => parseFlags(['--rounds=none'])).toThrow('--rounds takes a number above 0, not [none].');
    expect(parseFlags(['--quick'])).toMatchObject({ rounds: 1, seconds: 0.5 });
  });
});
