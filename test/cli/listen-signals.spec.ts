import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ChangingApp } from './changing-app.js';

let app: ChangingApp;
beforeEach(async () => {
  app = await ChangingApp.open();
}, 60_000);
afterEach(() => app.close());

describe('a signal to queue:listen', () => {
  it.each(['it alone', 'the whole group'])(
    'lets the job end when it reaches %s',
    async (whom) => {
      const listener = app.run('queue:listen', 'database', '--quiet');
      await app.dispatch('Walk', 'running', 2_000);
      await app.dispatch('Walk', 'next');
      await app.noted('start', 'running');
      if (whom === 'it alone') listener.signal('SIGINT');
      else listener.signalAll('SIGINT');
      // The producer has a group of its own.
      expect(await listener.ended).toEqual({ code: 0, signal: null });
      expect(app.notes('end').map(({ job }) => job)).toEqual(['running']);
      expect(app.notes('interrupted')).toHaveLength(1);
      expect(app.notes('start', 'next')).toEqual([]);
    },
    60_000,
  );

  it('hands the job back at once when another comes a second later', async () => {
    const listener = app.run('queue:listen', 'database', '--quiet');
    await app.dispatch('Walk', 'running', 20_000);
    const { pid } = await app.noted('start', 'running');
    listener.signalAll('SIGINT');
    await app.noted('interrupted', 'running');
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(listener.running).toBe(true);
    listener.signalAll('SIGINT');
    expect(await listener.ended).toEqual({ code: 1, signal: null });
    expect(gone(pid)).toBe(true);
    app.run('queue:work', 'database', '--quiet');
    await app.until('another start', () => app.notes('start').length === 2);
    // Not killed: it would count.
    expect(app.notes('start').map(({ attempt }) => attempt)).toEqual([1, 1]);
  }, 60_000);

  it('pauses on SIGUSR2, beyond the present process, and goes on at SIGCONT', async () => {
    const listener = app.run('queue:listen', 'database', '--quiet');
    await app.dispatch('Walk', 'running', 1_000);
    await app.noted('start', 'running');
    listener.signal('SIGUSR2');
    await app.until('the next process', () => app.boots(1) === 2);
    await app.dispatch('Walk', 'next');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(app.notes('start', 'next')).toEqual([]);
    listener.signal('SIGCONT');
    await app.noted('end', 'next');
  }, 60_000);

  it('that it cannot hear leaves no process behind: the one that waits ends by itself', async () => {
    const listener = app.run('queue:listen', 'database', '--quiet');
    const { pid } = await app.noted('boot');
    listener.signal('SIGKILL');
    expect(await listener.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await app.until('the end of its process', () => gone(pid));
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
