import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site, SITE_STORES } from './site.js';

let site: Site;

describe.each(SITE_STORES)('on %s, two workers of one name on one machine', (store) => {
  beforeEach(async () => {
    site = await Site.open({ RETRY_AFTER: '1' }, store);
  }, 60_000);
  afterEach(() => site.close());

  it('share nothing: what one dies with is taken over, what the other holds is not; and neither ends what the other has', async () => {
    const producer = await site.producer();
    const flags = ['--name=the-one', '--sleep=200ms'];
    const dying = await site.worker('dying', ...flags);
    const [lost] = await producer.dispatch(['Nap', 60_000]);
    await site.seen('start', lost!, 'dying');
    const frozen = await site.worker('frozen', ...flags);
    const [taken] = await producer.dispatch(['Stroll', 2_500]);
    await site.seen('start', taken!, 'frozen');
    const steady = await site.worker('steady', ...flags, '--concurrency=3');
    const [kept] = await producer.dispatch(['Stroll', 2_500]);
    await site.seen('start', kept!, 'steady');

    await dying.end('SIGKILL');
    frozen.kill('SIGSTOP');
    await site.seen('start', lost!, 'steady');
    await site.seen('start', taken!, 'steady');
    frozen.kill('SIGCONT');
    await site.seen('lease-lost', taken!, 'frozen');
    for (const id of [lost, taken, kept]) await site.seen('processed', id!, 'steady');

    const startsOf = (id: string): readonly string[] => site.lines('start', id).map(({ by }) => by);
    expect([startsOf(lost!), startsOf(taken!), startsOf(kept!)]).toEqual([
      ['dying', 'steady'],
      ['frozen', 'steady'],
      ['steady'],
    ]);
    expect(site.lines('processed')).toHaveLength(3);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    for (const worker of [frozen, steady]) expect(await worker.end('SIGTERM')).toMatchObject({ code: 0 });
  }, 60_000);
});
