import assert from 'node:assert/strict';
import type { RateLimit, RateLimiterStore } from '../../contracts/rate-limiter-store.js';
import { all, reopened, sharing, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
import { hostileText } from './hostile-text.js';
import { present } from './queue-probe.js';

const limiter: Requirement = (backend) => (backend.limits ? undefined : 'the backend has no rate limiter store');
const perMinute = (max: number, key = 'key'): RateLimit => ({ key, max, windowMs: 60_000 });

/** What every rate limiter store must do. */
export const rateLimiterStoreCases: readonly ConformanceCase[] = [
  limitCase('a window allows as many hits as it says', async (limits) => {
    const answers = [];
    for (let hit = 0; hit < 5; hit++) answers.push(await limits.take([perMinute(3)]));
    assert.deepEqual(
      answers.map((answer) => [answer.allowed, answer.remaining]),
      [
        [true, 2],
        [true, 1],
        [true, 0],
        [false, 0],
        [false, 0],
      ],
    );
    for (const answer of answers) {
      if (answer.allowed) assert.equal(answer.retryAfterMs, 0);
      else assert.ok(answer.retryAfterMs > 50_000 && answer.retryAfterMs <= 60_000, String(answer.retryAfterMs));
    }
  }),

  limitCase('a window is fixed: it starts with its first hit and ends after its length', async (limits, harness) => {
    const limit = { key: 'key', max: 2, windowMs: 1_000 };
    assert.equal((await limits.take([limit])).allowed, true);
    await harness.advance(600);
    assert.equal((await limits.take([limit])).allowed, true);
    const refused = await limits.take([limit]);
    assert.equal(refused.allowed, false);
    assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= 400, String(refused.retryAfterMs));
    await harness.advance(550);
    // The second hit was 550 ms ago: a sliding window would still count it.
    const fresh = await limits.take([limit]);
    assert.deepEqual([fresh.allowed, fresh.remaining], [true, 1]);
    assert.equal((await limits.take([limit])).allowed, true);
    assert.equal((await limits.take([limit])).allowed, false);
  }),

  limitCase('a refusal does not lengthen the window', async (limits, harness) => {
    const limit = { key: 'key', max: 1, windowMs: 600 };
    await limits.take([limit]);
    await harness.advance(300);
    assert.equal((await limits.take([limit])).allowed, false);
    await harness.advance(400);
    assert.equal((await limits.take([limit])).allowed, true);
  }),

  limitCase('keys are counted apart', async (limits) => {
    assert.equal((await limits.take([perMinute(1, 'a')])).allowed, true);
    assert.equal((await limits.take([perMinute(1, 'b')])).allowed, true);
    assert.equal((await limits.take([perMinute(1, 'a')])).allowed, false);
  }),

  limitCase('of several limits either all are hit or none', async (limits) => {
    const wide = perMinute(10, 'wide');
    const tight = perMinute(1, 'tight');
    assert.deepEqual(await limits.take([wide, tight]), { allowed: true, retryAfterMs: 0, remaining: 0 });
    for (let hit = 0; hit < 5; hit++) {
      assert.equal((await limits.take([wide, tight])).allowed, false);
      assert.equal((await limits.take([tight, wide])).allowed, false);
    }
    assert.equal((await limits.take([wide])).remaining, 8);
  }),

  limitCase('the retry waits for the last of the refusing windows, and for no other', async (limits) => {
    const short = { key: 'short', max: 1, windowMs: 20_000 };
    const long = { key: 'long', max: 1, windowMs: 40_000 };
    const open = { key: 'open', max: 5, windowMs: 600_000 };
    await limits.take([short, long, open]);
    const both = await limits.take([short, long, open]);
    assert.ok(both.retryAfterMs > 30_000 && both.retryAfterMs <= 40_000, String(both.retryAfterMs));
    const one = await limits.take([short, open]);
    assert.ok(one.retryAfterMs > 10_000 && one.retryAfterMs <= 20_000, String(one.retryAfterMs));
  }),

  limitCase('peek answers the same question and takes nothing', async (limits) => {
    for (let look = 0; look < 5; look++) {
      assert.deepEqual(await limits.peek([perMinute(2)]), { allowed: true, retryAfterMs: 0, remaining: 2 });
    }
    await limits.take([perMinute(2)]);
    assert.deepEqual(await limits.peek([perMinute(2)]), { allowed: true, retryAfterMs: 0, remaining: 1 });
    await limits.take([perMinute(2)]);
    const full = await limits.peek([perMinute(2), perMinute(5, 'open')]);
    assert.deepEqual([full.allowed, full.remaining], [false, 0]);
    assert.ok(full.retryAfterMs > 50_000 && full.retryAfterMs <= 60_000);
    assert.equal((await limits.peek([perMinute(5, 'open')])).remaining, 5);
  }),

  limitCase('peek does not start a window', async (limits, harness) => {
    const limit = { key: 'key', max: 1, windowMs: 1_000 };
    await limits.peek([limit]);
    await harness.advance(700);
    await limits.take([limit]);
    await harness.advance(600);
    assert.equal((await limits.take([limit])).allowed, false);
  }),

  limitCase('remaining is never negative, also when the limit was lowered', async (limits) => {
    for (let hit = 0; hit < 4; hit++) await limits.take([perMinute(5)]);
    const lowered = await limits.take([perMinute(2)]);
    assert.deepEqual([lowered.allowed, lowered.remaining], [false, 0]);
    assert.equal((await limits.peek([perMinute(2)])).remaining, 0);
  }),

  limitCase('clear opens the windows it names', async (limits) => {
    for (const key of ['a', 'b', 'c']) await limits.take([perMinute(1, key)]);
    await limits.clear(['a', 'b', 'nobody']);
    await limits.clear([]);
    assert.equal((await limits.take([perMinute(1, 'a')])).allowed, true);
    assert.equal((await limits.take([perMinute(1, 'b')])).allowed, true);
    assert.equal((await limits.take([perMinute(1, 'c')])).allowed, false);
  }),

  limitCase('many who ask at once get exactly as many hits as there are', async (limits) => {
    const asked = Array.from({ length: 100 }, () => limits.take([perMinute(30, 'a'), perMinute(50, 'b')]));
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((answer) => answer.allowed).length, 30);
    assert.equal((await limits.peek([perMinute(50, 'b')])).remaining, 20);
  }),

  limitCase(
    'two handles count in one window',
    async (limits, harness) => {
      const other = present((await reopened(harness)).limits, 'rate limiter store');
      const asked = Array.from({ length: 40 }, (_, index) => (index % 2 ? limits : other).take([perMinute(15)]));
      const answers = await Promise.all(asked);
      assert.equal(answers.filter((answer) => answer.allowed).length, 15);
    },
    sharing,
  ),

  limitCase('hostile keys are counted apart', async (limits) => {
    for (const key of hostileText) assert.equal((await limits.take([perMinute(1, key)])).allowed, true, key);
    for (const key of hostileText) assert.equal((await limits.take([perMinute(1, key)])).allowed, false, key);
    await limits.clear(hostileText);
    for (const key of hostileText) assert.equal((await limits.take([perMinute(1, key)])).allowed, true, key);
  }),
];

function limitCase(
  name: string,
  run: (limits: RateLimiterStore, harness: Harness) => Promise<void>,
  ...requirements: readonly Requirement[]
): ConformanceCase {
  return {
    name,
    needs: all([limiter, ...requirements]),
    run: (backend, harness) => run(present(backend.limits, 'rate limiter store'), harness),
  };
}
