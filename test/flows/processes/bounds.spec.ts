import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Wanted } from '../../fixtures/processes/producer.js';
import { Site, SITE_STORES } from './site.js';

/** What a worker is given, what its jobs are, how many of them it works, why it ends, and with which exit code. */
const BOUNDS: readonly (readonly [flag: string, jobs: readonly Wanted[], worked: number, why: string, code: number])[] =
  [
    ['--memory=300', [['Hog', 300], ['Tick'], ['Tick']], 1, 'memory', 12],
    ['--max-jobs=2', [['Tick'], ['Stroll', 300], ['Tick']], 2, 'max_jobs', 0],
    ['--max-time=1', [['Stroll', 2_500], ['Tick'], ['Tick']], 1, 'max_time', 0],
  ];

let site: Site;

describe.each(SITE_STORES.filter((store) => store === 'sqlite' || store === 'redis'))(
  'on %s, a worker with a bound of its own',
  (store) => {
    beforeEach(async () => {
      site = await Site.open({}, store);
    }, 60_000);
    afterEach(() => site.close());

    it.each(BOUNDS)(
      '%s lets its job end, takes no other, and ends',
      async (flag, jobs, worked, why, code) => {
        const producer = await site.producer();
        const ids: string[] = [];
        for (const job of jobs) ids.push(...(await producer.dispatch(job)));
        const worker = await site.worker('worker', flag);
        expect(await worker.ended).toMatchObject({ code, signal: null });
        expect(site.lines('worker-stopping').map(({ info }) => info)).toEqual([why]);
        expect(site.lines('processed').map(({ id }) => id)).toEqual(ids.slice(0, worked));
        expect(site.lines('start')).toHaveLength(worked);
        expect(await site.left()).toEqual({ jobs: jobs.length - worked, failed: 0 });
        // Another one goes on with what is left.
        await site.worker('next');
        for (const id of ids) await site.seen('processed', id);
        expect(site.lines('start')).toHaveLength(jobs.length);
      },
      60_000,
    );
  },
);
