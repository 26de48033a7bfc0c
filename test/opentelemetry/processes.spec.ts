import { afterEach, describe, expect, it } from '@jest/globals';
import type { NotedSpan } from '../fixtures/processes/traced.module.js';
import { LEFT_OUT_OF_SWEEPS, Site, SWEPT_STORES } from '../flows/processes/site.js';

const QUEUES = '--queue=dying,single,bulk,head,step';
/** Attempts that end: that of a worker which was killed has nobody to tell of it. */
const ENDED = 7;

let site: Site | undefined;
if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

afterEach(async () => {
  await site?.close();
  site = undefined;
});

describe.each(SWEPT_STORES)('a web process and its workers on %s', (store) => {
  it('the spans of the workers are linked to that of the request, also those of a worker that comes after a dead one', async () => {
    site = await Site.open({}, store);
    const web = site.start('traced-web', 'web');
    await web.message();
    await web.ended;
    const spans = (by?: string): readonly NotedSpan[] =>
      site!
        .lines('span')
        .filter((line) => by === undefined || line.by === by)
        .map(({ info }) => info as NotedSpan);
    const one = (name: string): NotedSpan => {
      const found = spans().filter((span) => span.name === name);
      expect([name, found.length]).toEqual([name, 1]);
      return found[0]!;
    };
    const processed = (): readonly NotedSpan[] => spans().filter(({ name }) => name.startsWith('process '));

    const dying = site.start('traced-worker', 'dying', ['-q', QUEUES]);
    expect((await dying.ended).signal).toBe('SIGKILL');
    const worker = site.start('traced-worker', 'worker', ['-q', QUEUES]);
    await site.until('every attempt to be told of', () => processed().length === ENDED);
    await worker.end('SIGTERM');

    const request = one('GET /');
    const inWeb = spans('web').filter(({ name }) => name !== 'GET /');
    expect(inWeb.map(({ name }) => name).toSorted()).toEqual(
      ['publish bulk', 'publish dying', 'publish head', 'publish single'].toSorted(),
    );
    for (const span of inWeb) expect([span.trace, span.parent]).toEqual([request.trace, request.span]);

    const linkOf = ({ trace, span }: NotedSpan) => [{ trace, span }];
    for (const queue of ['single', 'dying', 'head'])
      expect(one(`process ${queue}`).links).toEqual(linkOf(one(`publish ${queue}`)));
    expect(one('process dying').attributes).toMatchObject({ 'nestjs_queue.job.attempt': 2 });
    const bulk = spans().filter(({ name }) => name === 'process bulk');
    expect(bulk).toHaveLength(3);
    for (const span of bulk) expect(span.links).toEqual(linkOf(one('publish bulk')));
    // A step is sent by the attempt before it.
    expect(one('process step').links).toEqual(linkOf(one('process head')));

    // Each has a trace of its own, which is what its handler sees.
    const seen = site.lines('handles').map(({ info }) => info as { trace: string; span: string });
    for (const { trace, span, parent } of processed()) {
      expect(parent).toBeUndefined();
      expect(seen).toContainEqual(expect.objectContaining({ trace, span }));
    }
    expect(new Set([request, ...processed()].map(({ trace }) => trace)).size).toBe(1 + ENDED);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);
});
