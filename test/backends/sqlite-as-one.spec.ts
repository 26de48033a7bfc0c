import { afterEach, describe, expect, it } from '@jest/globals';
import type { PushEntry } from '../../lib/contracts/queue-driver.js';
import { job, request, SqliteFiles } from './sqlite-harness.js';

const files = new SqliteFiles();
afterEach(() => files.close());

const many = (count: number, over: Partial<PushEntry> = {}): PushEntry[] =>
  Array.from({ length: count }, () => job(over));
const ids = (all: readonly { readonly id: string }[]): string[] => all.map(({ id }) => id);

describe('many rows in one statement', () => {
  it('are stored in the order given, with what each of them says', async () => {
    const queue = (await files.backend()).queue!;
    const given = [
      ...many(137, { body: '{"n":1}' }),
      ...many(60, { queue: 'other' }),
      ...many(61, { priority: 5 }),
      ...many(62, { delayMs: 3_600_000 }),
      ...many(3, { body: 'a\0b\ud800' }),
    ];
    const results = await queue.push(given);
    expect(results).toEqual(given.map(() => ({ stored: true })));
    const taken = await queue.reserve(request({ limit: 1_000 }));
    expect(ids(taken)).toEqual(ids([...given.slice(197, 258), ...given.slice(0, 137), ...given.slice(320)]));
    expect(taken.slice(0, 61).every(({ priority }) => priority === 5)).toBe(true);
    expect(taken.at(-1)!.body).toBe('a\0b\ud800');
    expect(ids(await queue.reserve(request({ queues: ['other'], limit: 1_000 })))).toEqual(ids(given.slice(137, 197)));
    expect(await queue.size(['default'])).toMatchObject([{ pending: 0, delayed: 62, reserved: 201 }]);
  });

  it('are stored one by one where an id is there, so that each has its own answer', async () => {
    const queue = (await files.backend()).queue!;
    const known = job();
    await queue.push([known]);
    const given = [...many(70), known, ...many(70)];
    given.push(given[3]!, { ...job(), body: 7 as unknown as string });
    const results = await queue.push(given);
    expect(results.slice(0, 70).every(({ stored }) => stored)).toBe(true);
    expect(results[70]).toEqual({ stored: false, reason: 'exists' });
    expect(results.slice(71, 141).every(({ stored }) => stored)).toBe(true);
    expect(results[141]).toEqual({ stored: false, reason: 'exists' });
    expect(results[142]).toMatchObject({ stored: false, reason: 'error' });
    expect(await queue.size(['default'])).toMatchObject([{ pending: 141 }]);
  });

  it('are acknowledged one by one where one of them is not held any more', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push(many(80));
    const taken = await queue.reserve(request({ limit: 80 }));
    const acks = taken.map((one, at) => ({ kind: 'ack' as const, job: at === 40 ? { ...one, token: 'stolen' } : one }));
    const results = await queue.settle(acks);
    expect(results.map(({ ok }, at) => ok === (at !== 40)).every(Boolean)).toBe(true);
    expect(results[40]).toEqual({ ok: false, reason: 'lease-lost' });
    expect(await queue.size(['default'])).toMatchObject([{ pending: 0, reserved: 1 }]);
    expect(await queue.settle([{ kind: 'ack', job: taken[40]! }])).toEqual([{ ok: true }]);
  });
});
