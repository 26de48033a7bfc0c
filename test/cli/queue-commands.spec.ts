import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Job, Queueable, QueueBusy } from 'nestjs-queue';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { closeApps, openApp, STORES, until, type Opened } from '../flows/open-app.js';
import { temporaryFolder } from './processes.js';
import { runCommand } from './run-command.js';

@Job()
class Send extends Queueable {
  constructor(readonly to: string) {
    super();
  }

  handle(): void {}
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const NO_CONNECTION = /^ERROR {2}The \[nope\] queue connection has not been configured\.\n {7}There are: .*\n$/;

afterEach(() => closeApps());

const open = (store: 'memory' | 'database' = 'memory', options = {}): Promise<Opened> =>
  openApp(store, { providers: [Send], options });

describe.each(STORES)('queue:pause and queue:resume on %s', (store) => {
  it('a queue, by itself, on its connection and with no name at all', async () => {
    const at = await open(store);
    expect(await runCommand(at, 'queue:pause emails')).toEqual({
      code: 0,
      out: `Job processing on queue [${store}:emails] has been paused.\n`,
      err: '',
    });
    expect((await runCommand(at, 'queue:pause memory:a:b --json')).out).toBe(
      '{"connection":"memory","queue":"a:b","paused":true}\n',
    );
    expect((await runCommand(at, `queue:pause ${store}:`)).out).toContain(`[${store}:default]`);
    expect(await at.manager.pausedQueues(store, ['emails', 'default', 'other'])).toEqual(['emails', 'default']);

    await at.bus.dispatch(new Send('Ada')).onQueue('emails');
    await at.drain({ queues: ['emails'] });
    expect(await at.manager.connection().size('emails')).toMatchObject({ pending: 1 });
    expect((await runCommand(at, 'queue:continue emails')).out).toBe(
      `Job processing on queue [${store}:emails] has been resumed.\n`,
    );
    await at.drain({ queues: ['emails'] });
    expect(await at.manager.connection().size('emails')).toMatchObject({ total: 0 });
  });

  it('a connection, and all; each is taken back by itself', async () => {
    const at = await open(store);
    const paused = () => Promise.all(['memory', 'database'].map((name) => at.manager.isPaused(name, 'any')));
    await at.manager.pause(store, 'emails');
    expect((await runCommand(at, 'queue:pause --connection=memory')).out).toBe(
      'Job processing on all queues of [memory] has been paused.\n',
    );
    expect(await paused()).toEqual([true, false]);
    expect((await runCommand(at, 'queue:pause --all')).out).toBe('Job processing on all queues has been paused.\n');
    expect(await paused()).toEqual([true, true]);
    expect((await runCommand(at, 'queue:resume --all --json')).out).toBe('{"all":true,"paused":false}\n');
    expect(await paused()).toEqual([true, false]);
    expect((await runCommand(at, 'queue:resume --connection=memory --json')).out).toBe(
      '{"connection":"memory","paused":false}\n',
    );
    expect(await paused()).toEqual([false, false]);
    expect(await at.manager.isPaused(store, 'emails')).toBe(true);
  });

  it('says what stays paused, and shows it', async () => {
    const at = await open(store);
    await runCommand(at, 'queue:pause emails');
    await runCommand(at, 'queue:pause --all');
    expect(await runCommand(at, 'queue:resume emails')).toEqual({
      code: 0,
      out: `Job processing on queue [${store}:emails] has been resumed.\n`,
      err: `It stays paused with its connection, or with all: queue:resume --connection=${store}, or queue:resume --all.\n`,
    });
    expect((await runCommand(at, 'queue:monitor emails')).out).toMatch(/ OK, paused\n$/);
    await runCommand(at, 'queue:resume --all');
    expect((await runCommand(at, 'queue:resume emails')).err).toBe('');
    expect((await runCommand(at, 'queue:monitor emails')).out).toMatch(/ OK\n$/);
  });

  it('what is forwarded is paused where its jobs are', async () => {
    const at = await open(store);
    at.manager.forward('mails', 'emails');
    expect((await runCommand(at, 'queue:pause mails')).out).toContain(`[${store}:emails]`);
    expect(await at.manager.pausedQueues(store, ['emails', 'mails'])).toEqual(['emails', 'mails']);
    await at.bus.dispatch(new Send('Ada')).onQueue('mails');
    await at.drain({ queues: ['mails'] });
    expect(await at.manager.connection().size('mails')).toMatchObject({ pending: 1 });
  });
});

describe('queue:pause', () => {
  it.each([
    ['', /^ERROR {2}No queue was named\.\n {7}Name a queue.*--all\.\n$/],
    ['emails --all', /^ERROR {2}More than one/],
    ['emails --connection=memory', /^ERROR {2}More than one/],
    ['nope:emails', NO_CONNECTION],
    ['--connection=nope', NO_CONNECTION],
    ['memory:*', /^ERROR {2}The queue name "\*" cannot be used\.\n/],
  ])('refuses "%s"', async (args, expected) => {
    const at = await open();
    for (const command of ['queue:pause', 'queue:resume']) {
      const { code, out, err } = await runCommand(at, `${command} ${args}`);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(expected);
    }
    expect(at.names()).toEqual([]);
  });

  it('names the tables that are missing', async () => {
    const folder = temporaryFolder();
    try {
      const dataSource = { type: 'better-sqlite3', database: join(folder.path, 'empty.sqlite') };
      const connections = { database: { driver: 'database', dataSource, migrate: false } };
      const at = await open('database', { connections });
      for (const command of ['queue:pause emails', 'queue:restart', 'queue:monitor default', 'queue:inspect']) {
        const { code, err } = await runCommand(at, command);
        expect([command, code]).toEqual([command, 1]);
        expect(err).toMatch(/^ERROR {2}.*(table|migrat).*\n {7}.*queue:install.*\n$/i);
      }
      await closeApps();
    } finally {
      folder.remove();
    }
  });
});

describe('queue:restart', () => {
  it('ends the workers of one queue, or of one connection, and no others', async () => {
    const at = await open();
    const ended: string[] = [];
    const work = (name: string, connection: string, queue: string) =>
      at.workers
        .work({ connection, queues: [queue], sleep: '50ms' })
        .then((reason) => void ended.push(`${name} ${reason}`));
    const all = [
      work('emails', 'memory', 'emails'),
      work('other', 'memory', 'other'),
      work('far', 'database', 'emails'),
    ];
    await until(() => at.workers.status().filter(({ state }) => state === 'running').length === 3, 'three workers');
    await runCommand(at, 'queue:restart --queue=emails');
    await until(() => ended.length === 1, 'the first end');
    await runCommand(at, 'queue:restart --connection=database');
    await until(() => ended.length === 2, 'the second end');
    expect(ended).toEqual(['emails restart_signal', 'far restart_signal']);
    await runCommand(at, 'queue:restart');
    await Promise.all(all);
    expect(ended).toHaveLength(3);
    expect((await runCommand(at, 'queue:restart --connection=nope')).err).toMatch(NO_CONNECTION);
  }, 15_000);
});

describe('queue:monitor', () => {
  async function filled(): Promise<Opened> {
    const at = await open();
    for (const to of ['Ada', 'Bea', 'Cai']) await at.bus.dispatch(new Send(to)).onQueue('emails');
    await at.bus.dispatch(new Send('Dan')).onQueue('emails').delay('1h');
    await at.bus.dispatch(new Send('Eve')).onConnection('database');
    return at;
  }

  it('tells sizes by queue, commas and repeats welcome, and alerts from --max on', async () => {
    const at = await filled();
    const { code, out, err } = await runCommand(
      at,
      'queue:monitor emails,,database:default emails memory:emails --max=4',
    );
    expect([code, err]).toEqual([0, '']);
    const shown = out.split('\n').map((line) => line.replace(/ {2,}/g, ' | '));
    expect(shown).toEqual([
      'Queue | Pending | Delayed | Reserved | Total | Oldest | Status',
      expect.stringMatching(/^memory:emails \| 3 \| 1 \| 0 \| 4 \| \d+s \| ALERT$/),
      expect.stringMatching(/^database:default \| 1 \| 0 \| 0 \| 1 \| \d+s \| OK$/),
      '',
    ]);
    expect(at.seen.filter((event) => event instanceof QueueBusy)).toEqual([new QueueBusy('memory', 'emails', 4)]);
  });

  it('as JSON has every key', async () => {
    const at = await filled();
    const { out } = await runCommand(at, 'queue:monitor emails none --max=4 --json');
    expect(JSON.parse(out)).toEqual([
      {
        connection: 'memory',
        queue: 'emails',
        pending: 3,
        delayed: 1,
        reserved: 0,
        total: 4,
        oldestPendingAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        status: 'alert',
      },
      {
        connection: 'memory',
        queue: 'none',
        pending: 0,
        delayed: 0,
        reserved: 0,
        total: 0,
        oldestPendingAt: null,
        status: 'ok',
      },
    ]);
  });

  it('ends with 1 for an alert only where that was asked for', async () => {
    const at = await filled();
    expect((await runCommand(at, 'queue:monitor emails --max=4')).code).toBe(0);
    expect((await runCommand(at, 'queue:monitor emails --max=4 --exit-code')).code).toBe(1);
    expect((await runCommand(at, 'queue:monitor emails --max=5 --exit-code')).code).toBe(0);
    expect((await runCommand(at, 'queue:monitor emails --exit-code')).code).toBe(0);
  });

  it('paints the alert on a terminal', async () => {
    const at = await filled();
    const { out } = await runCommand(at, 'queue:monitor emails none --max=4', { isTTY: true, columns: 100 });
    expect(out).toContain('\u001b[31mALERT\u001b[39m');
    expect(out).toContain('\u001b[32mOK\u001b[39m');
  });

  it.each([
    ['queue:monitor', /^ERROR {2}Missing required argument 'queues'\n/],
    ['queue:monitor ,', /^ERROR {2}No queue was named\.\n/],
    ['queue:monitor nope:emails', NO_CONNECTION],
    ['queue:monitor emails --max=0', /^ERROR {2}Option '--max <n>' argument '0' is invalid\.\n/],
  ])('%s is refused', async (args, expected) => {
    const { code, out, err } = await runCommand(await open(), args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(expected);
  });

  it('raises QueueBusy for the queues it can reach, though another connection is gone', async () => {
    const at = await filled();
    const gone = at.manager.connection('database');
    gone.check = () => Promise.reject(new Error('The database is away. Start it.'));
    expect(await runCommand(at, 'queue:monitor emails database:default --max=1')).toMatchObject({
      code: 1,
      err: 'ERROR  The database is away.\n       Start it.\n',
    });
    await until(() => at.seen.some((event) => event instanceof QueueBusy), 'QueueBusy');
  });
});

describe.each(STORES)('queue:inspect on %s', (store) => {
  it('pages through a queue', async () => {
    const at = await open(store);
    const ids: string[] = [];
    for (const to of ['Ada', 'Bea', 'Cai']) ids.push((await at.bus.dispatch(new Send(to)).onQueue('emails'))!.id);
    const first = await runCommand(at, 'queue:inspect --queue=emails --limit=2');
    const lines = first.out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^Due since +ID +Job +Attempts +Age$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(1, 4))).toEqual(
      ids.slice(0, 2).map((id) => [id, 'Send', '0']),
    );
    expect([first.code, first.err]).toEqual([0, 'There may be more: --page=2\n']);
    const second = await runCommand(at, `queue:inspect ${store} --queue=emails --limit=2 --page=2 --json`);
    expect(JSON.parse(second.out)).toEqual([
      {
        id: ids[2],
        queue: 'emails',
        name: 'Send',
        attempts: 0,
        payload: expect.objectContaining({ uuid: ids[2], displayName: 'Send' }),
        createdAt: expect.stringMatching(/Z$/),
      },
    ]);
    expect((await runCommand(at, 'queue:inspect --queue=emails --page=9')).out).toBe(
      `No pending jobs found in the [emails] queue of [${store}] on page 9.\n`,
    );
    expect((await runCommand(at, 'queue:inspect --json')).out).toBe('[]\n');
  });

  it('tells delayed jobs from those that a worker has', async () => {
    const at = await open(store);
    const later = await at.bus.dispatch(new Send('later')).delay('1h');
    const driver = await at.manager.connection().queue();
    const now = await at.bus.dispatch(new Send('now'));
    const { signal } = new AbortController();
    await driver.reserve({ queues: ['default'], limit: 1, leaseMs: 60_000, waitMs: 0, signal });
    expect((await runCommand(at, 'queue:inspect --state=delayed')).out).toMatch(
      new RegExp(`^Due at .*\\n\\S+ \\S+ +${later!.id} `),
    );
    expect((await runCommand(at, 'queue:inspect --state=reserved')).out).toMatch(
      new RegExp(`^Leased until .*\\n\\S+ \\S+ +${now!.id} +Send +1 `),
    );
    expect((await runCommand(at, 'queue:inspect --state=pending')).out).toBe(
      `No pending jobs found in the [default] queue of [${store}].\n`,
    );
  });

  it('shows one job whole', async () => {
    const at = await open(store);
    const { id } = (await at.bus.dispatch(new Send('\u001b[31mAda\u009b')).onQueue('emails').delay('1h'))!;
    const { code, out } = await runCommand(at, `queue:inspect --id=${id}`);
    expect(code).toBe(0);
    const [head, body] = out.split('\n\n') as [string, string];
    expect(Object.fromEntries(head.split('\n').map((line) => line.split(/ {2,}/)))).toEqual({
      ID: id,
      Job: 'Send',
      Queue: `${store}:emails`,
      State: 'delayed',
      Attempts: '0',
      'Created at': expect.any(String),
      'Due at': expect.any(String),
    });
    expect(JSON.parse(body)).toMatchObject({ uuid: id, name: 'Send' });
    // oxlint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\u001b\u009b]/);
    const json = JSON.parse((await runCommand(at, `queue:inspect --id=${id} --json`)).out) as object;
    expect(json).toMatchObject({ id, queue: 'emails', name: 'Send', attempts: 0, payload: { uuid: id } });
  });

  it('shows a body that cannot be read', async () => {
    const at = await open(store);
    const id = await at.manager.connection().pushRaw('not \u001b[31mJSON');
    const { out } = await runCommand(at, `queue:inspect --id=${id}`);
    expect(out).toContain('(unreadable)');
    expect(out).toMatch(/\n\n"not \\u001b\[31mJSON"\n$/);
  });
});

describe('queue:inspect', () => {
  it('finds nothing where nothing is kept', async () => {
    expect(await runCommand(await open(), 'queue:inspect sync')).toEqual({
      code: 0,
      out: 'No pending jobs found in the [default] queue of [sync].\n',
      err: '',
    });
  });

  it.each([
    [
      `--id=${UNKNOWN}`,
      new RegExp(`^ERROR {2}Unable to find a job with ID \\[${UNKNOWN}\\] on the \\[memory\\] connection`),
    ],
    [`--id=${UNKNOWN} --page=2`, /^ERROR {2}--page does not go with --id\.\n/],
    [
      '--state=done',
      /^ERROR {2}Option '--state <state>' argument 'done' is invalid\.\n {7}Allowed choices are pending, delayed, reserved\.\n/,
    ],
    ['--page=0', /^ERROR {2}Option '--page <n>' argument '0' is invalid\./],
    ['--queue=a,b', /^ERROR {2}The queue name "a,b" cannot be used\./],
    ['nope', NO_CONNECTION],
  ])('refuses %s', async (args, expected) => {
    const { code, out, err } = await runCommand(await open(), `queue:inspect ${args}`);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(expected);
  });
});

describe('queue:retry', () => {
  it('of many tells how far it is, and sends every one', async () => {
    const at = await open('database');
    const store = await at.app.get<QueueRuntime>(QUEUE_RUNTIME).connections.failed();
    const failed = Array.from({ length: 250 }, (_, n) => ({
      id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      connection: 'database',
      queue: n % 2 === 0 ? 'even' : 'odd',
      name: 'Send',
      displayName: 'Send',
      payload: '{}',
      exception: 'Error: no',
      failedAt: new Date(Date.UTC(2026, 4, 14, 10, 0, 0, n)),
    }));
    await store.record(failed);
    const told: [number, number][] = [];
    expect(await at.failed.retryAll({ queue: 'even' }, (done, total) => void told.push([done, total]))).toBe(125);
    expect(told.at(-1)).toEqual([125, 125]);
    expect(told.length).toBeGreaterThan(1);
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b));
    expect(await runCommand(at, 'queue:retry all')).toEqual({
      code: 0,
      out: 'Pushed 125 failed jobs back onto the queue.\n',
      err: '',
    });
    expect(await at.failed.count()).toBe(0);
    const sizes = await Promise.all(['even', 'odd'].map((queue) => at.manager.connection().size(queue)));
    expect(sizes.map(({ total }) => total)).toEqual([125, 125]);
  });
});
