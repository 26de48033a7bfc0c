import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChangingApp, type Group } from './changing-app.js';

let app: ChangingApp;
beforeEach(async () => {
  app = await ChangingApp.open();
}, 60_000);
afterEach(() => app.close());

const lines = (group: Group): Record<string, unknown>[] =>
  group.out
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('queue:listen', () => {
  it('runs each job in a process of its own, with the code as it is then, and ends with 0 on SIGTERM', async () => {
    const listener = app.run('queue:listen', 'database', '--json');
    await app.dispatch('Walk', 'first');
    await app.noted('end', 'first');
    await app.dispatch('Walk', 'second');
    await app.noted('end', 'second');
    await app.until('a process that waits for a third', () => app.boots(1) >= 3);

    // The process that waits has loaded the code before it was changed.
    app.write(2);
    await app.until('another one in its place', () => app.boots(2) >= 1);
    await app.dispatch('Walk', 'third');
    await app.noted('end', 'third');

    const starts = app.notes('start');
    expect(starts.map(({ job, version }) => [job, version])).toEqual([
      ['first', 1],
      ['second', 1],
      ['third', 2],
    ]);
    expect(new Set(starts.map(({ pid }) => pid)).size).toBe(3);
    await app.until('its line', () => lines(listener).length === 6);
    expect(lines(listener).map(({ status }) => status)).toEqual(Array(3).fill(['starting', 'success']).flat());

    listener.signal('SIGTERM');
    expect(await listener.ended).toEqual({ code: 0, signal: null });
    // Not the beginning and the end of a worker for every job.
    expect(listener.err).toBe('');
  }, 60_000);

  it('kills a process whose job overruns --timeout, and ends with 1; the job comes back by its lease', async () => {
    const listener = app.runOwn('queue.js', 'queue:listen', 'database', '--timeout=1', '--quiet');
    await app.dispatch('PatientWalk', 'patient', 1_500);
    await app.dispatch('Around', 'within', 1_500);
    await app.dispatch('Walk', 'long', 2_000);
    expect(await listener.ended).toEqual({ code: 1, signal: null });
    expect(listener.err).toMatch(/ERROR {2}Walk ran for more than 1 seconds: its process was killed/);
    expect(listener.err).toMatch(/^ {7}The job runs again when its lease has run out\./m);
    // A timeout of its own beats the listener's, also while it runs a job without one inside itself.
    expect(app.notes('end').map(({ job }) => job)).toEqual(['patient', 'within']);
    const { pid } = await app.noted('start', 'long');
    expect(gone(pid)).toBe(true);

    app.run('queue:work', 'database', '--quiet');
    await app.noted('end', 'long');
    expect(app.notes('start', 'long').map(({ attempt }) => attempt)).toEqual([1, 2]);
  }, 60_000);

  it('kills one whose job blocks it, too', async () => {
    const listener = app.run('queue:listen', 'database', '--timeout=1', '--quiet');
    await app.dispatch('Spin', 'spin', 60_000);
    expect(await listener.ended).toEqual({ code: 1, signal: null });
    expect(app.notes('end')).toEqual([]);
  }, 60_000);

  it('says once that the code is broken, and goes on when it is mended; a job that takes its process along is not lost', async () => {
    const listener = app.runOwn('queue.js', 'queue:listen', 'database');
    await app.dispatch('Leave', 'leaver');
    await app.until('a second pick-up', () => app.notes('end', 'leaver').length === 1);
    expect(listener.said('The process of the last job ended with 3.')).toBe(1);

    app.put('code.js', 'export const version = ;\n');
    await app.until('the complaint', () => listener.said('could not start') === 1);
    // The second try comes after a second.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(listener.said('SyntaxError')).toBe(1);
    expect(listener.said('could not start')).toBe(1);

    app.write(3);
    await app.until('the news', () => listener.said('The application starts again.') === 1);
    await app.dispatch('Walk', 'after');
    expect(await app.noted('end', 'after')).toMatchObject({ version: 3 });
    listener.signal('SIGTERM');
    expect(await listener.ended).toEqual({ code: 0, signal: null });
  }, 60_000);

  it('of an entry file with fixed arguments does not start itself', async () => {
    const listener = app.runOwn('fixed.js');
    await app.dispatch('Walk', 'only');
    await app.noted('end', 'only');
    listener.signal('SIGTERM');
    expect(await listener.ended).toEqual({ code: 0, signal: null });
    expect(listener.err).toBe('');
  }, 60_000);

  it.each([
    ['queue:listen', ['nowhere'], 'The [nowhere] queue connection has not been configured.'],
    ['queue:listen', ['database', '--queue=no name'], 'The queue name "no name" cannot be used.'],
    ['queue:work', ['nowhere', '--watch'], 'The [nowhere] queue connection has not been configured.'],
  ])('%s %j ends with 1, since no other process would fare better', async (command, args, complaint) => {
    const listener = app.run(command, ...args);
    expect(await listener.ended).toEqual({ code: 1, signal: null });
    expect(listener.said(complaint)).toBe(1);
  });

  it('ends with 12 when it is larger than --memory', async () => {
    const listener = app.run('queue:listen', 'database', '--memory=1', '--quiet');
    await app.dispatch('Walk', 'only');
    expect(await listener.ended).toEqual({ code: 12, signal: null });
    expect(app.notes('end')).toHaveLength(1);
  }, 60_000);
});

function gone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
