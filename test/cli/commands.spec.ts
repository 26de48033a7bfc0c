import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { FailedJob } from '../../lib/contracts/failed-job-store.js';
import { UnknownConnectionError } from '../../lib/connections/connection-config.js';
import type { OpenApp } from '../../lib/cli/open-app.js';
import { runProgram } from '../../lib/cli/program.js';
import { Recorder } from './recorder.js';

class App {}

const FAILED: FailedJob = {
  id: '6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4',
  connection: 'database',
  queue: 'billing',
  name: 'SendInvoice',
  displayName: 'SendInvoice',
  payload: '{}',
  exception: 'Error: \u001b[31mno\u001b[0m such customer\n    at x.ts:1',
  failedAt: new Date(2026, 4, 14, 10, 0, 5),
};

function fakes() {
  return {
    failed: {
      all: jest.fn(async (_query: object): Promise<FailedJob[]> => [FAILED]),
      count: jest.fn(async () => 1),
      retry: jest.fn(async (id: string) => id === FAILED.id),
      retryAll: jest.fn(
        async (query: { queue?: string }, _told?: (done: number, total: number) => void): Promise<number> =>
          query.queue === 'none' ? 0 : 3,
      ),
      forget: jest.fn(async (id: string) => id === FAILED.id),
      flush: jest.fn(async (_hours?: number) => 7),
    },
    manager: {
      restartWorkers: jest.fn(async (_target?: object) => {}),
      connection: jest.fn((name = 'database') => ({
        name,
        defaultQueue: 'default',
        check: async () => {},
        clear: async (queue: string) => ({ default: 1, many: 12 })[queue],
        size: async () => ({}),
      })),
    },
    worker: {},
    close: jest.fn(async () => {}),
  };
}

async function run(args: string, terminal = {}, app = fakes()) {
  const recorder = new Recorder(terminal);
  const open = jest.fn(async () => app as unknown as OpenApp);
  const list = args === '' ? [] : args.split(' ');
  const output = recorder.output({ json: list.includes('--json'), quiet: list.includes('-q') });
  const code = await runProgram(list, { name: 'nestjs-queue', module: () => App, open, output });
  return { code, app, open, out: recorder.out, err: recorder.err };
}

afterEach(() => {
  delete process.env.NODE_ENV;
  process.env.NODE_ENV = 'test';
});

describe('queue:failed', () => {
  it('prints a table without what could paint', async () => {
    const { code, out } = await run('queue:failed');
    expect(code).toBe(0);
    expect(out).toBe(
      'Failed at            ID                                    Queue             Job          Error\n' +
        '2026-05-14 10:00:05  6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4  database@billing  SendInvoice  Error: no such customer\n',
    );
  });

  it('fits a terminal', async () => {
    const { out } = await run('queue:failed', { isTTY: true, columns: 110 });
    for (const line of stripVTControlCharacters(out).trimEnd().split('\n'))
      expect(line.length).toBeLessThanOrEqual(110);
    expect(out).toContain(FAILED.id);
  });

  it('prints the records as JSON', async () => {
    const { out } = await run('queue:failed --json');
    expect(JSON.parse(out)).toEqual([{ ...FAILED, failedAt: FAILED.failedAt.toISOString() }]);
  });

  it('hands its filters on', async () => {
    const { app } = await run('queue:failed --queue=billing --connection=redis --limit=5');
    expect(app.failed.all).toHaveBeenCalledWith({ queue: 'billing', connection: 'redis', limit: 5 });
  });

  it('refuses a connection that is not there', async () => {
    const app = fakes();
    app.manager.connection.mockImplementation(() => {
      throw new UnknownConnectionError('nope', ['database', 'memory']);
    });
    const { code, out, err } = await run('queue:failed --connection=nope', {}, app);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'ERROR  The [nope] queue connection has not been configured.\n       There are: database, memory.\n',
    );
    expect(app.failed.all).not.toHaveBeenCalled();
  });

  it('says that there are none', async () => {
    const app = fakes();
    app.failed.all.mockResolvedValue([]);
    expect((await run('queue:failed', {}, app)).out).toBe('No failed jobs found.\n');
    expect((await run('queue:failed --json', {}, app)).out).toBe('[]\n');
  });
});

describe('queue:retry', () => {
  it('sends those it knows, names those it does not, and ends in 1', async () => {
    const { code, out, err } = await run(`queue:retry ${FAILED.id} nope`);
    expect([code, out]).toEqual([1, 'Pushed 1 failed job back onto the queue.\n']);
    expect(err).toBe('ERROR  Unable to find failed job with ID [nope].\n       See what there is with queue:failed\n');
  });

  it('goes on behind an id that could not be sent', async () => {
    const app = fakes();
    app.failed.retry.mockRejectedValueOnce(new Error('The connection gone is not configured.'));
    const { code, out, err } = await run(`queue:retry first ${FAILED.id}`, {}, app);
    expect([code, out]).toEqual([1, 'Pushed 1 failed job back onto the queue.\n']);
    expect(err).toContain('The connection gone is not configured.');
  });

  it('all', async () => {
    const { code, out, app } = await run('queue:retry all');
    expect([code, out]).toEqual([0, 'Pushed 3 failed jobs back onto the queue.\n']);
    expect(app.failed.retryAll).toHaveBeenCalledWith({}, expect.any(Function));
  });

  it('all of a queue', async () => {
    const { app } = await run('queue:retry --queue=billing');
    expect(app.failed.retryAll).toHaveBeenCalledWith({ queue: 'billing' }, expect.any(Function));
    const { code, err } = await run('queue:retry --queue=none');
    expect(code).toBe(1);
    expect(err).toContain('Unable to find failed jobs for queue [none].');
  });

  it('says that there are none', async () => {
    const app = fakes();
    app.failed.retryAll.mockResolvedValue(0);
    expect(await run('queue:retry all', {}, app)).toMatchObject({ code: 0, out: 'No retryable jobs found.\n' });
  });

  it('says what to name where nothing was named, and boots nothing for it', async () => {
    const { code, out, err, open } = await run('queue:retry');
    expect([code, out, err]).toEqual([
      0,
      'No retryable jobs found.\n',
      'None was named: give ids, or all, or --queue=NAME.\n',
    ]);
    expect(open).not.toHaveBeenCalled();
    expect(await run('queue:retry --json -q')).toMatchObject({ out: '{"retried":0,"failed":[]}\n', err: '' });
  });

  it('as JSON', async () => {
    const { out } = await run(`queue:retry ${FAILED.id} nope --json`);
    expect(JSON.parse(out)).toEqual({ retried: 1, failed: ['nope'] });
  });

  it('refuses ids together with a queue', async () => {
    const { code, app, open } = await run('queue:retry x --queue=billing');
    expect([code, open.mock.calls.length, app.failed.retryAll.mock.calls.length]).toEqual([1, 0, 0]);
  });

  it.each(['x all', 'all x', 'all x --queue=billing'])('refuses %s: one of the two was not meant', async (args) => {
    const { code, err, open } = await run(`queue:retry ${args}`);
    expect([code, open.mock.calls.length]).toEqual([1, 0]);
    expect(err).toMatch(/^ERROR {2}Ids and all were both given\.\n/);
  });

  it('shows a bar on a terminal where it takes long, and nothing else of it anywhere', async () => {
    const slow = () => {
      const app = fakes();
      app.failed.retryAll.mockImplementation(async (_query, told) => {
        told?.(1, 200);
        await new Promise((resolve) => setTimeout(resolve, 350));
        told?.(100, 200);
        return 200;
      });
      return app;
    };
    const watched = await run('queue:retry all', { isTTY: true, columns: 80 }, slow());
    expect(watched.err).toBe('\r\u001b[K\u001b[32m██████░░░░░░  50%\u001b[39m  100/200\r\u001b[K');
    expect(watched.out).toBe('Pushed 200 failed jobs back onto the queue.\n');
    expect((await run('queue:retry all', {}, slow())).err).toBe('');
    expect((await run('queue:retry all --json', { isTTY: true }, slow())).err).toBe('');
    expect((await run('queue:retry all -q', { isTTY: true }, slow())).err).toBe('');
  });
});

describe('deleting', () => {
  it('queue:forget', async () => {
    expect(await run(`queue:forget ${FAILED.id}`)).toMatchObject({
      code: 0,
      out: 'Failed job deleted successfully.\n',
    });
    const unknown = await run('queue:forget nope');
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/^ERROR {2}No failed job matches the given ID\.\n {7}\S.*\n$/);
  });

  it('queue:flush', async () => {
    expect(await run('queue:flush')).toMatchObject({ code: 0, out: 'All failed jobs deleted successfully.\n' });
    const { app, out } = await run('queue:flush --hours=0 --json');
    expect(app.failed.flush).toHaveBeenCalledWith(0);
    expect(JSON.parse(out)).toEqual({ deleted: 7 });
    expect((await run('queue:flush --hours=48')).out).toBe('Deleted 7 jobs that failed 48 hours ago or earlier.\n');
    const one = fakes();
    one.failed.flush.mockResolvedValue(1);
    expect((await run('queue:flush --hours=1', {}, one)).out).toBe(
      'Deleted 1 job that failed 1 hour ago or earlier.\n',
    );
  });

  it('queue:clear', async () => {
    expect(await run('queue:clear')).toMatchObject({ code: 0, out: 'Cleared 1 job from the [default] queue\n' });
    const { out, app } = await run('queue:clear redis --queue=many,,default,many');
    expect(out).toBe('Cleared 12 jobs from the [many] queue\nCleared 1 job from the [default] queue\n');
    expect(app.manager.connection).toHaveBeenCalledWith('redis');
    expect(JSON.parse((await run('queue:clear --queue=many --json')).out)).toEqual([
      { connection: 'database', queue: 'many', cleared: 12 },
    ]);
    expect((await run('queue:clear --queue=')).code).toBe(1);
  });

  it.each(['queue:flush', 'queue:clear'])('%s is refused in production where nobody can be asked', async (command) => {
    process.env.NODE_ENV = 'production';
    const { code, err, app } = await run(command);
    expect(code).toBe(1);
    expect(err).toContain('--force');
    expect(app.failed.flush).not.toHaveBeenCalled();
    expect((await run(`${command} --force`)).code).toBe(0);
  });
});

describe('queue:restart', () => {
  it('leaves the mark', async () => {
    const { out, app } = await run('queue:restart');
    expect(out).toBe('Broadcasting queue restart signal.\n');
    expect(app.manager.restartWorkers.mock.calls).toEqual([[{}]]);
  });

  it('may leave it for one connection, or one queue', async () => {
    const one = await run('queue:restart --connection=redis --queue=emails --json');
    expect(one.app.manager.restartWorkers.mock.calls).toEqual([[{ connection: 'redis', queue: 'emails' }]]);
    expect(JSON.parse(one.out)).toEqual({ restarted: true, connection: 'redis', queue: 'emails' });
  });
});

describe('the command line', () => {
  it.each([
    ['queue:wrk', /^ERROR {2}Unknown command 'queue:wrk'\n {7}Did you mean queue:work\? See nestjs-queue --help\n$/],
    [
      'queue:work --tires=3',
      /^ERROR {2}Unknown option '--tires=3'\n {7}Did you mean --tries\? See nestjs-queue queue:work --help\n$/,
    ],
    [
      'queue:work --tries=x',
      /^ERROR {2}Option '--tries <n>' argument 'x' is invalid\.\n {7}Give a whole number, 0 or more\.\n$/,
    ],
    [
      'queue:work --tries',
      /^ERROR {2}Option '--tries <n>' argument missing\n {7}See nestjs-queue queue:work --help\n$/,
    ],
    ['queue:forget', /^ERROR {2}Missing required argument 'id'\n {7}See nestjs-queue queue:forget --help\n$/],
    ['queue:restart now', /^ERROR {2}Too many arguments/],
  ])('%s is refused in two lines, with nothing booted', async (args, expected) => {
    const { code, out, err, open } = await run(args);
    expect(err).toMatch(expected);
    expect([code, out, open.mock.calls.length]).toEqual([1, '', 0]);
  });

  it('closes the application, also behind an error', async () => {
    expect((await run('queue:failed')).app.close).toHaveBeenCalledTimes(1);
    expect((await run('queue:forget nope')).app.close).toHaveBeenCalledTimes(1);
  });

  it('says little when quiet', async () => {
    expect(await run('queue:restart -q')).toMatchObject({ code: 0, out: '', err: '' });
  });

  it('prints what a boot throws', async () => {
    const recorder = new Recorder();
    const open = () => Promise.reject(new Error('No database. Start one.'));
    const code = await runProgram(['queue:failed'], { name: 'n', module: () => App, open, output: recorder.output() });
    expect([code, recorder.err]).toEqual([1, 'ERROR  No database.\n       Start one.\n']);
  });
});
