import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Race, Round } from '../../fixtures/processes/batch-racers.js';
import { Site, SITE_STORES, type Child } from './site.js';

/** The whole number is for a run by itself, `SWEEP=full`: the machine has other specs to run. */
const ROUNDS = process.env['SWEEP'] === 'full' ? 500 : 120;
const LIMIT_MS = 240_000;

describe.each(SITE_STORES)('on %s', (store) => {
  const count = ROUNDS;
  let site: Site;
  let racers: Child;
  beforeAll(async () => {
    site = await Site.open({}, store);
    racers = site.start('batch-racers', 'left');
    await racers.message();
  }, 120_000);
  afterAll(() => site.close());

  async function raced(race: Race): Promise<readonly Round[]> {
    racers.send({ race, rounds: count } as never);
    return racers.message<readonly Round[]>();
  }

  /** How often each came first. */
  function tell(race: string, rounds: readonly Round[], first: (round: Round) => string): void {
    const won = new Map<string, number>();
    for (const round of rounds) won.set(first(round), (won.get(first(round)) ?? 0) + 1);
    console.info(`${store}, ${race}: ${[...won].map(([who, times]) => `${who} ${times}`).join(', ')}`);
    // Who always loses has not raced.
    expect(won.size).toBeGreaterThan(1);
  }

  it(
    'the last two members of a batch end at the same moment in two processes',
    async () => {
      const rounds = await raced('end');
      expect(rounds).toHaveLength(count);
      for (const [number, { ran, finishes, finishedAt, cancelledAt, ...stands }] of rounds.entries()) {
        const [failed, called] = OF_KIND[number % OF_KIND.length]!;
        expect({
          number,
          ...stands,
          ran: ran.toSorted(),
          finished: finishedAt !== undefined,
          cancelled: cancelledAt !== undefined,
          finishes: sum(finishes),
        }).toEqual({
          number,
          total: 2,
          pending: failed,
          failed,
          ran: called,
          finished: true,
          cancelled: CANCELLED.has(number % OF_KIND.length),
          cancellations: CANCELLED.has(number % OF_KIND.length) ? 1 : 0,
          finishes: 1,
        });
      }
      tell('the last two members', rounds, ({ finishes: [left] }) => (left === 1 ? 'left last' : 'right last'));
      expect(await site.left()).toEqual({ jobs: 0, failed: rounds.reduce((sum, one) => sum + one.failed, 0) });
    },
    LIMIT_MS,
  );

  it(
    'cancel() meets the end of the last member',
    async () => {
      const rounds = await raced('cancel');
      expect(rounds).toHaveLength(count);
      for (const [number, { ran, finishes, finishedAt, cancelledAt, ...stands }] of rounds.entries()) {
        const then = ran.includes('then');
        expect({ number, ...stands, ran: ran.toSorted(), finishes: sum(finishes) }).toEqual({
          number,
          total: 1,
          pending: 0,
          failed: 0,
          ran: then ? ['finally', 'then'] : ['finally'],
          finishes: 1,
          cancellations: 1,
        });
        // Either it succeeded and was cancelled afterwards, or it was cancelled and did not succeed.
        const [first, second] = then ? [finishedAt!, cancelledAt!] : [cancelledAt!, finishedAt!];
        expect(first).toBeLessThanOrEqual(second);
      }
      tell('cancel() and the end', rounds, ({ ran }) => (ran.includes('then') ? 'end first' : 'cancel() first'));
    },
    LIMIT_MS,
  );

  it(
    'add() from outside meets the end of the last member',
    async () => {
      const rounds = await raced('add');
      expect(rounds).toHaveLength(count);
      for (const [number, { ran, added, finishes, finishedAt, ...stands }] of rounds.entries()) {
        expect(finishedAt).toBeDefined();
        expect({
          number,
          ...stands,
          finishes: sum(finishes),
          ran: [...ran.slice(0, -2), ...ran.slice(-2).toSorted()],
        }).toEqual({
          number,
          total: added ? 2 : 1,
          pending: 0,
          failed: 0,
          // Callbacks come behind all members.
          ran: [...(added ? ['added'] : []), 'finally', 'then'],
          finishes: 1,
          cancellations: 0,
        });
      }
      tell('add() and the end', rounds, ({ added }) => (added ? 'add() first' : 'end first'));
    },
    LIMIT_MS,
  );
});

/** As `KINDS` of the racers: how many members fail, and what is called. */
const OF_KIND: readonly (readonly [failed: number, called: readonly string[]])[] = [
  [0, ['finally', 'then']],
  [1, ['catch', 'finally']],
  [1, ['catch', 'finally']],
  [2, ['catch', 'finally']],
  [0, ['finally', 'progress', 'progress', 'then']],
];
const CANCELLED: ReadonlySet<number> = new Set([2, 3]);

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
