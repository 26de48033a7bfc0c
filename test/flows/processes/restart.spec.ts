import { beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import { Site, SITE_STORES } from './site.js';

describe.each(SITE_STORES)('on %s', (store) => {
  let site: Site;
  beforeEach(async () => {
    site = await Site.open({}, store);
  }, 60_000);
  afterEach(() => site.close());

  it('queue:restart during a long job: it ends, then its worker with 0; one that starts afterwards stays', async () => {
    const producer = await site.producer();
    // A mark of an earlier time is nobody's business.
    await producer.order({ kind: 'restart' });
    const busy = await site.worker('busy');
    const idle = await site.worker('idle', '--queue=other');
    const [id] = await producer.dispatch(['Nap', 4_000]);
    await site.seen('start', id!);
    await producer.order({ kind: 'restart' });
    const [left] = await producer.dispatch(['Tick']);

    expect(await idle.ended).toMatchObject({ code: 0, signal: null });
    expect(await busy.ended).toMatchObject({ code: 0, signal: null });
    expect(site.lines(undefined, id).map(({ what }) => what)).toEqual(['start', 'end', 'processed']);
    expect(site.lines('worker-stopping').map(({ info }) => info)).toEqual(['restart_signal', 'restart_signal']);
    expect(site.lines('start', left)).toEqual([]);

    const next = await site.worker('next');
    await site.seen('processed', left!);
    // Longer than it leaves the marks unread.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect(next.running).toBe(true);
    expect(await next.end('SIGTERM')).toMatchObject({ code: 0 });
  }, 60_000);
});
