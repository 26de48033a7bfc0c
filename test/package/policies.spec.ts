import { beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeRedis, freshRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ROOT, type Running, start } from './checkout.js';

const POLICIES = [
  'rate limit',
  'no overlap',
  'unique',
  'debounced',
  'afterCommit, within',
  'circuit breaker',
  'encrypted',
  'chain',
  'call with catch',
];

/** Two real workers and the process that dispatches, started as a reader of the sample does. */
function play(env: { REDIS_URL: string }): Running {
  return start('node sample/policies/run.mjs', { cwd: ROOT, seconds: 90, env });
}

/** What a run has shown in the end, and all of its output where it did not get through. */
async function shown(sample: Running): Promise<object> {
  const { code, output } = await sample.ended;
  const rows = [...output.matchAll(/^ {2}(kept|BROKEN) +([^:]+): /gm)].map(([, verdict, policy]) => [policy, verdict]);
  return {
    code,
    rows,
    said: [
      /\n9 policies, 9 kept\. [\d.]+ s in all\.\n/,
      /unique: .*\n +asked by (?:office and worker [12]|worker [12] and office): 19 skipped, 1 run\n/,
      /jobs wait; one of them in the store:\n +\{.*"name":"ChargeCard".*"encrypted":true,/,
    ].map((text) => text.test(output)),
    cardNumber: output.includes('4111 1111'),
    left: sample.alive(),
    output: code === 0 ? '' : output,
  };
}

const ALL_KEPT = {
  code: 0,
  rows: POLICIES.map((policy) => [policy, 'kept']),
  said: [true, true, true],
  cardNumber: false,
  left: false,
  output: '',
};

describe('sample/policies', () => {
  let onSqlite: Running;

  // Both runs go side by side, as soon as one of them has built the sample.
  beforeAll(async () => {
    onSqlite = play({ REDIS_URL: '' });
    while (!onSqlite.output().includes('== ') && onSqlite.alive()) await sleep(50);
  }, 60_000);

  describeRedis('on Redis, with an outbox', () => {
    it(
      'keeps every policy over two workers',
      async () => {
        const redis = await freshRedis();
        expect(await shown(play({ REDIS_URL: redis.url }))).toEqual(ALL_KEPT);
        await redis.drop();
      },
      100_000 + START_LIMIT_MS,
    );
  });

  describe('on SQLite', () => {
    it('keeps every policy over two workers', async () => {
      expect(await shown(onSqlite)).toEqual(ALL_KEPT);
    }, 100_000);
  });
});
