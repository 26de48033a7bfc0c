import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site, type Producer } from './site.js';

let site: Site;
let producer: Producer;
beforeEach(async () => {
  site = await Site.open({ RETRY_AFTER: '2' });
  producer = await site.producer();
}, 60_000);
afterEach(() => site.close());

describe('a handler that never settles and does not block', () => {
  it('is left behind by a worker that ends its others and exits 1; what it does later has no effect', async () => {
    const worker = await site.worker('worker', '--timeout=1500ms', '--timeout-grace=500ms', '--concurrency=2');
    const [stuck] = await producer.dispatch(['Stuck']);
    await site.seen('start', stuck!);
    // Begun late enough to run on when the other one is given up, and long enough for that one to act after its end.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    const [beside] = await producer.dispatch(['Nap', 1_300]);
    await site.seen('failed', stuck!);
    const [next] = await producer.dispatch(['Tick']);
    const ended = await worker.ended;
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(site.lines('worker-stopping').map(({ info }) => info)).toEqual(['timed_out']);
    await site.worker('next');
    await site.seen('processed', next!, 'next');

    expect(site.lines(undefined, stuck).map(({ what, attempt, info }) => [what, attempt, info])).toEqual([
      ['start', 1, undefined],
      ['timed-out', 1, 1.5],
      ['failed', 1, 'TimeoutExceededError'],
      ['exception', 1, 'TimeoutExceededError'],
      // It did act, while its worker still ran.
      ['late', 1, undefined],
    ]);
    expect(site.lines('processed', beside)).toMatchObject([{ by: 'worker' }]);
    expect(await site.left()).toEqual({ jobs: 0, failed: 1 });
  }, 60_000);
});
