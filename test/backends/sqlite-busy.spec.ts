import { afterEach, describe, expect, it } from '@jest/globals';
import { DispatchTimeoutError } from '../../lib/contracts/store-errors.js';
import { job, jobs, request, SqliteFiles } from './sqlite-harness.js';

const files = new SqliteFiles();
afterEach(() => files.close());

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The longest pause between two turns of the event loop until `done`. */
async function longestPause(done: Promise<unknown>): Promise<number> {
  let going = true;
  void done.finally(() => (going = false)).catch(() => {});
  let longest = 0;
  for (let last = performance.now(); going;) {
    await sleep(1);
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  return longest;
}

describe('a SQLite file that another connection has locked', () => {
  it('takes the pushes once it is free, in their order, and meanwhile the event loop goes on', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job()]);
    const free = await files.hold();
    const waiting = jobs(50);
    const pushing = Promise.all(waiting.map((one) => queue.push([one])));
    const pause = longestPause(pushing);
    await sleep(300);
    await free();
    for (const [answer] of await pushing) expect(answer).toEqual({ stored: true });
    expect(await pause).toBeLessThan(250);
    const other = (await files.backend()).queue!;
    const taken = await other.reserve(request({ limit: 100 }));
    expect(taken.slice(1).map((one) => one.id)).toEqual(waiting.map((one) => one.id));
  });

  it('is given up by a push after the dispatch timeout: nothing is stored, then or later', async () => {
    const queue = (await files.backend({ dispatchTimeoutMs: 200 })).queue!;
    const [first, late, next] = jobs(3);
    await queue.push([first!]);
    const free = await files.hold();
    const started = performance.now();
    const error: unknown = await queue.push([late!]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DispatchTimeoutError);
    expect((error as DispatchTimeoutError).outcome).toBeUndefined();
    expect((error as Error).message).toContain('within 200 ms. Nothing was stored.');
    expect(performance.now() - started).toBeLessThan(2_000);
    await free();
    await queue.push([next!]);
    const seen = await (await files.backend()).queue!.reserve(request());
    expect(seen.map((one) => one.id)).toEqual([first!.id, next!.id]);
  });

  it('is not taken for an empty queue: a reserve says that it could not look, and the job is there afterwards', async () => {
    const queue = (await files.backend()).queue!;
    const [one] = jobs(1);
    await queue.push([one!]);
    const free = await files.hold();
    await expect(queue.reserve(request({ waitMs: 100 }))).rejects.toMatchObject({ code: 'ERR_QUEUE_STORE_BUSY' });
    const taking = queue.reserve(request({ waitMs: 5_000 }));
    await sleep(50);
    await free();
    expect((await taking).map((found) => found.id)).toEqual([one!.id]);
  });

  it('does not keep an abort waiting', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job()]);
    const free = await files.hold();
    const abort = new AbortController();
    const taking = queue.reserve(request({ waitMs: 30_000, signal: abort.signal }));
    await sleep(50);
    abort.abort();
    const started = performance.now();
    expect(await taking).toEqual([]);
    expect(performance.now() - started).toBeLessThan(500);
    await free();
    expect(await queue.reserve(request())).toHaveLength(1);
  });

  it('answers a renewal with an error within a sixth of the lease, and takes the next', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job()]);
    const taken = await queue.reserve(request({ leaseMs: 30_000 }));
    const free = await files.hold();
    const [refused] = await queue.leases!.renew(taken, 1_200);
    expect(refused).toMatchObject({ ok: false, reason: 'error', error: { code: 'ERR_QUEUE_STORE_BUSY' } });
    await free();
    expect(await queue.leases!.renew(taken, 30_000)).toEqual([{ ok: true }]);
    expect(await queue.settle([{ kind: 'ack', job: taken[0]! }])).toEqual([{ ok: true }]);
    expect((await (await files.backend()).queue!.size(['default']))[0]).toMatchObject({ pending: 0, reserved: 0 });
  });

  it('keeps a first use waiting, not failing', async () => {
    const other = await files.raw();
    other.exec('PRAGMA journal_mode = WAL');
    other.exec('BEGIN IMMEDIATE');
    const queue = (await files.backend()).queue!;
    const pushing = queue.push([job()]);
    await sleep(100);
    other.exec('COMMIT');
    expect(await pushing).toEqual([{ stored: true }]);
  });

  it('writes of many handles at once are all kept', async () => {
    const queues = await Promise.all(Array.from({ length: 6 }, async () => (await files.backend()).queue!));
    const all = jobs(300);
    const answers = await Promise.all(all.map((one, index) => queues[index % 6]!.push([one])));
    expect(answers.flat().filter((answer) => !answer.stored)).toEqual([]);
    expect((await queues[0]!.size(['default']))[0]!.pending).toBe(300);
  });
});

describe('a large bulk', () => {
  it('gives the event loop its turns', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job()]);
    const pushing = queue.push(jobs(10_000));
    const pause = await longestPause(pushing);
    expect((await pushing).filter((answer) => !answer.stored)).toEqual([]);
    expect(pause).toBeLessThan(250);
  });

  it('of single pushes, each awaited, gives them too', async () => {
    const queue = (await files.backend()).queue!;
    const pushing = (async () => {
      for (const one of jobs(2_000)) await queue.push([one]);
    })();
    expect(await longestPause(pushing)).toBeLessThan(200);
  });
});
