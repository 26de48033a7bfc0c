import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site } from './site.js';

const LOCKED_MS = 2_500;

let site: Site;
beforeEach(async () => {
  site = await Site.open({ RETRY_AFTER: '10' });
}, 60_000);
afterEach(() => site.close());

describe('while another process holds the write lock', () => {
  it('dispatches wait, workers wait without blocking, and nothing is lost or run twice', async () => {
    const producer = await site.producer();
    const worker = await site.worker('worker', '--concurrency=2');
    const [first] = await producer.dispatch(['Nap', 500]);
    await site.seen('start', first!);
    const holder = await site.held(LOCKED_MS);
    const heldAt = Date.now();
    const dispatched = await producer.order({ kind: 'dispatch', jobs: Array.from({ length: 5 }, () => ['Tick']) });
    expect(dispatched.errors).toEqual([]);
    expect(dispatched.took).toBeGreaterThan(LOCKED_MS - 500);
    await holder.ended;

    // It ended during the lock, and was accepted after it.
    expect((await site.seen('end', first!)).at - heldAt).toBeLessThan(LOCKED_MS);
    for (const id of [first!, ...dispatched.ids]) {
      await site.seen('processed', id);
      expect(site.lines('start', id)).toHaveLength(1);
    }
    expect(await worker.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    const [block] = site.lines('longest-block').filter((line) => line.by === 'worker');
    expect(block!.info).toBeLessThan(1_000);
  }, 60_000);

  it('for longer than a lease: a job that ended meanwhile has one result, and runs again where that is not its own', async () => {
    const lease = { RETRY_AFTER: '1' };
    const producer = await site.producer('producer', lease);
    const worker = site.start('worker', 'worker', ['-q', '--sleep=200ms'], { env: lease });
    await site.working('worker', worker);
    const [id] = await producer.dispatch(['Nap', 1_500]);
    await site.seen('start', id!);
    const holder = await site.held(LOCKED_MS);
    await holder.ended;
    await site.seen('processed', id!);
    await site.until('an empty queue', async () => (await site.left()).jobs === 0);
    expect(await worker.end('SIGTERM')).toMatchObject({ code: 0 });

    const count = (what: string): number => site.lines(what, id).length;
    expect(site.lines('aborted', id)).toMatchObject([{ attempt: 1, info: 'LeaseLostError' }]);
    // Whether its result or the search for lost leases gets the file first is open.
    expect(count('start')).toBeLessThanOrEqual(2);
    expect([count('processed'), count('lease-lost')]).toEqual([1, count('start') - 1]);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 60_000);

  it('a worker that is told to end does so, though its last result cannot be handed in; that job runs again', async () => {
    const producer = await site.producer();
    const worker = await site.worker('worker', '--grace=2s');
    const [id] = await producer.dispatch(['Nap', 1_000]);
    await site.seen('start', id!);
    const holder = await site.held(30_000);
    const ended = await worker.end('SIGTERM');
    expect(ended.signal).toBe(null);
    // Its grace, five seconds for a store that does not answer, and what a busy machine adds.
    expect(ended.took).toBeLessThan(10_000);
    expect(holder.running).toBe(true);
    expect(site.lines('processed')).toEqual([]);
    expect((await site.left()).jobs).toBe(1);
  }, 60_000);

  it('a dispatch rejects at its deadline, and nothing of it is stored', async () => {
    const producer = await site.producer('producer', { DISPATCH_TIMEOUT: '0.7' });
    const [before] = await producer.dispatch(['Tick']);
    const holder = await site.held(LOCKED_MS);
    const refused = await producer.order({ kind: 'dispatch', jobs: [['Tick'], ['Tick']] });
    expect(refused.ids).toEqual([]);
    expect(refused.errors).toHaveLength(2);
    for (const error of refused.errors) expect(error).toMatch(/^ERR_QUEUE_DISPATCH_TIMEOUT: /);
    expect(refused.took).toBeGreaterThan(600);
    expect(refused.took).toBeLessThan(2_000);
    await holder.ended;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await site.rows<{ id: string }>('SELECT id FROM jobs')).toEqual([{ id: before }]);
  }, 60_000);

  it('a worker that ends when the queue is empty does not take a locked store for an empty one', async () => {
    const producer = await site.producer();
    const ids = await producer.dispatch(['Tick'], ['Tick']);
    const holder = await site.held(LOCKED_MS);
    const worker = site.start('worker', 'worker', ['-q', '--stop-when-empty']);
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
    expect(holder.running).toBe(false);
    expect(site.lines('processed').map(({ id }) => id)).toEqual(ids);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 60_000);
});
