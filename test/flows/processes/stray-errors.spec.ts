import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site } from './site.js';

const STRAYS = ['rejection', 'callback', 'dispatch'] as const;

let site: Site;
beforeEach(async () => {
  site = await Site.open();
}, 60_000);
afterEach(() => site.close());

describe('an error that nothing handles', () => {
  it('fails the job that left it behind, and nobody else', async () => {
    const producer = await site.producer();
    const worker = await site.worker('worker', '--concurrency=4');
    const [sibling, ...careless] = await producer.dispatch(
      ['Nap', 1_000],
      ...STRAYS.map((stray) => ['Careless', stray] as const),
    );
    for (const id of careless) {
      await site.seen('processed', id);
      expect(site.lines(undefined, id).map(({ what, attempt, info }) => [what, attempt, info])).toEqual([
        ['start', 1, expect.any(String)],
        // The handler itself was not cut short.
        ['end', 1, expect.any(String)],
        ['exception', 1, 'UnhandledRejectionError'],
        ['released-after-exception', 1, undefined],
        ['start', 2, expect.any(String)],
        ['end', 2, expect.any(String)],
        ['processed', 2, undefined],
      ]);
    }
    await site.seen('processed', sibling!);
    expect(site.lines('start', sibling)).toHaveLength(1);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    expect(worker.running).toBe(true);
    expect(await worker.end('SIGTERM')).toMatchObject({ code: 0 });
  }, 60_000);

  it('and that no job owns ends a worker process with 1, after its jobs', async () => {
    const producer = await site.producer();
    const worker = await site.worker('worker');
    const [running] = await producer.dispatch(['Nap', 1_000]);
    await site.seen('start', running!);
    const [next] = await producer.dispatch(['Tick']);
    const ended = await worker.end('SIGURG');
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(ended.err).toContain('no job of mine');
    expect(site.lines('processed').map(({ id }) => id)).toEqual([running]);
    expect(site.lines('start', next)).toEqual([]);
    expect(await site.left()).toEqual({ jobs: 1, failed: 0 });
  }, 60_000);

  it("and that no job owns is left to Node in an application's process, in-app worker or not", async () => {
    for (const worker of ['false', '{}']) {
      const app = site.start('in-app', `app ${worker}`, [], { env: { IN_APP_WORKER: worker } });
      if (worker === 'false') await new Promise((resolve) => setTimeout(resolve, 1_500));
      else await site.working(`app ${worker}`, app);
      const ended = await app.end('SIGURG');
      expect(ended).toMatchObject({ code: 1, signal: null });
      expect(ended.err).toContain('Error: no job of mine');
    }
  }, 60_000);

  it('and that no job owns goes to a listener of the application, where it has one', async () => {
    const app = site.start('in-app', 'app', [], { env: { IN_APP_WORKER: '{}', LISTENS: 'unhandledRejection' } });
    await site.working('app', app);
    app.kill('SIGURG');
    await site.until('what the listener wrote', (lines) => lines.some(({ what }) => what === 'heard'));
    expect(site.lines('heard')).toMatchObject([{ info: 'no job of mine' }]);
    expect(app.running).toBe(true);
  }, 60_000);

  it('a callback that throws ends the application, though it listens to rejections', async () => {
    const app = site.start('in-app', 'app', [], { env: { IN_APP_WORKER: '{}', LISTENS: 'unhandledRejection' } });
    await site.working('app', app);
    const ended = await app.end('SIGWINCH');
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(ended.err).toContain('no callback of mine');
  }, 60_000);

  it('a dispatch that nobody awaits and that is refused', async () => {
    const producer = await site.producer();
    producer.child.send({ kind: 'unawaited' });
    const ended = await producer.child.ended;
    expect(ended).toMatchObject({ code: 1, signal: null });
    expect(ended.err).toContain('Holder.held');
  }, 60_000);
});
