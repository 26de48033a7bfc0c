import { cpSync, renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChangingApp } from './changing-app.js';

let app: ChangingApp;
beforeEach(async () => {
  app = await ChangingApp.open();
}, 60_000);
afterEach(() => app.close());

describe('queue:work --watch', () => {
  it('lets its jobs end, then starts anew; what changes meanwhile counts once, and no job is lost or run twice', async () => {
    const worker = app.run('queue:work', 'database', '--watch', app.folder);
    await app.dispatch('Walk', 'long', 2_500);
    await app.noted('start', 'long');
    app.write(2);
    await app.until('its end to be near', () => app.notes('interrupted', 'long').length === 1);
    await app.dispatch('Walk', 'next');
    app.write(3);
    const next = await app.noted('end', 'next');
    const long = await app.noted('end', 'long');
    expect([long.version, next.version]).toEqual([1, 3]);
    expect(next.pid).not.toBe(long.pid);
    const jobs = app.notes().filter(({ job }) => job !== undefined);
    expect(jobs.map(({ what, job }) => `${what} ${job}`)).toEqual([
      'start long',
      'interrupted long',
      'end long',
      'start next',
      'end next',
    ]);
    expect([app.boots(1), app.boots(2), app.boots(3)]).toEqual([1, 0, 1]);
    expect(worker.said('code.js changed: the worker is started anew.')).toBe(1);

    worker.signal('SIGTERM');
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    expect(worker.err).not.toContain('ERROR');
  }, 60_000);

  it('waits for the next change while the build is broken or away', async () => {
    const worker = app.run('queue:work', 'database', '--watch');
    await app.until('the first start', () => app.boots(1) === 1);
    app.put('code.js', 'export const version = ;\n');
    await app.until('the complaint', () => worker.said('The worker could not start. Waiting for a change.') === 1);
    app.write(2);
    await app.until('the second start', () => app.boots(2) === 1);

    // As a build that begins with an empty folder.
    cpSync(app.folder, app.aside, { recursive: true });
    rmSync(app.folder, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 600));
    await app.dispatch('Walk', 'meanwhile');
    expect(await app.noted('end', 'meanwhile')).toMatchObject({ version: 2 });
    renameSync(app.aside, app.folder);
    await app.until('the third start', () => app.boots(2) === 2);
    app.write(4);
    await app.until('the fourth start', () => app.boots(4) === 1);
    expect(worker.said('could not start')).toBe(1);
    expect(worker.said('is started anew')).toBe(4);
  }, 60_000);

  it('hands back a job that outlasts the grace', async () => {
    const worker = app.runOwn('worker.js', 'database', '--watch', '--grace=1', '--quiet');
    await app.dispatch('Walk', 'stubborn', 20_000);
    const first = await app.noted('start', 'stubborn');
    app.write(2);
    await app.until('a second start of it', () => app.notes('start', 'stubborn').length === 2);
    expect(app.notes('start', 'stubborn').map(({ version }) => version)).toEqual([1, 2]);
    expect(() => process.kill(first.pid, 0)).toThrow('ESRCH');
    expect(worker.err).not.toContain('anew');
  }, 60_000);

  it('ends with 0 after the job when SIGINT reaches the whole group', async () => {
    // As `nest start --no-shell` starts it.
    const worker = app.runOwn('queue', '"queue:work"', '"database"', '"--watch"', '"--quiet"');
    await app.dispatch('Walk', 'running', 2_000);
    await app.noted('start', 'running');
    worker.signalAll('SIGINT');
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    expect(app.notes('end', 'running')).toHaveLength(1);
    expect(app.notes('interrupted')).toHaveLength(1);
  }, 60_000);

  it('starts anew behind queue:restart and behind a crash; one that is done waits for a change', async () => {
    const worker = app.run('queue:work', 'database', '--watch', '--sleep=0.2');
    await app.until('the first start', () => app.boots(1) === 1);
    await app.run('queue:restart').ended;
    await app.until('the second start', () => app.boots(1) >= 3 && worker.said('It is started anew.') === 1);
    await app.dispatch('Leave', 'leaver');
    await app.noted('end', 'leaver');
    expect(worker.said('The worker ended with 3. It is started anew.')).toBe(1);

    const done = app.run('queue:work', 'database', '--watch', '--stop-when-empty');
    await app.until('its end', () => done.said('The worker has ended. Waiting for a change.') === 1);
    app.write(2);
    await app.until('its second end', () => done.said('The worker has ended. Waiting for a change.') === 2);
    done.signal('SIGTERM');
    expect(await done.ended).toEqual({ code: 0, signal: null });
  }, 60_000);

  it('names a path at which there is nothing', async () => {
    const worker = app.run('queue:work', '--watch', 'database');
    expect(await worker.ended).toEqual({ code: 1, signal: null });
    expect(worker.err).toMatch(
      /^ERROR {2}There is nothing to watch at .*database\.\n {7}.*A connection is named before/,
    );
  }, 60_000);
});
