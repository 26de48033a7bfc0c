import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LiveTable } from '../../lib/cli/live-table.js';
import type { OpenApp } from '../../lib/cli/open-app.js';
import { runProgram } from '../../lib/cli/program.js';
import { workerArguments } from '../../lib/cli/spawn-worker.js';
import { SupervisedWorker } from '../../lib/cli/supervised-worker.js';
import { isTrouble, noteJson, noteLine, STATUS_COLUMNS } from '../../lib/cli/supervisor-lines.js';
import { table } from '../../lib/cli/table.js';
import { resolveConnections } from '../../lib/connections/connection-config.js';
import type { JobContext } from '../../lib/contracts/job-context.js';
import { JobAttempted, JobProcessing, WorkerStopping } from '../../lib/contracts/queue-events.js';
import type { PoolNote } from '../../lib/worker/supervisor/pool.js';
import { queueLoads } from '../../lib/worker/supervisor/queue-loads.js';
import { resolveSupervisors, type SupervisorOptions } from '../../lib/worker/supervisor/supervisor-options.js';
import { QueueError } from '../../lib/support/queue-error.js';
import { Recorder } from './recorder.js';

const STOP = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'] as const;
let before: Map<string, unknown[]>;
beforeEach(() => {
  before = new Map(STOP.map((signal) => [signal, process.listeners(signal)]));
});
afterEach(() => {
  for (const signal of STOP) {
    for (const listener of process.listeners(signal)) {
      if (!before.get(signal)!.includes(listener)) process.off(signal, listener);
    }
  }
});

const config = resolveConnections({
  connections: { here: { driver: 'memory' }, now: { driver: 'sync' } },
} as Parameters<typeof resolveConnections>[0]);

async function run(args: string, supervisors: Record<string, SupervisorOptions>, check?: () => Promise<void>) {
  const connection = (name: string) => ({ ...config.connections.get(name), name, check: check ?? (async () => {}) });
  const app = {
    supervisors: resolveSupervisors(supervisors, config, 2),
    connections: { get: connection, checkStores: async () => {} },
    close: async () => {},
  } as unknown as OpenApp;
  const recorder = new Recorder();
  const list = ['queue:supervise', ...args.split(' ').filter((one) => one !== '')];
  const code = await runProgram(list, {
    name: 'nestjs-queue',
    module: () => class {},
    open: async () => app,
    output: recorder.output(),
  });
  return { code, out: recorder.out, err: recorder.err };
}

describe('queue:supervise', () => {
  it('says how to have a supervisor where there is none', async () => {
    const { code, err } = await run('', {});
    expect(code).toBe(1);
    expect(err).toBe(
      "ERROR  The application has no supervisors.\n       Give QueueModule some: supervisors: { main: { queues: ['default'], maxProcesses: 4 } }\n",
    );
  });

  it('names those that there are where an unknown one is asked for', async () => {
    const { code, err } = await run('main mian', { main: {}, reports: {} });
    expect(code).toBe(1);
    expect(err).toBe('ERROR  There is no supervisor [mian].\n       There are: main, reports.\n');
  });

  it.each(['here', 'now'])('refuses the connection %s, whose jobs no other process sees', async (connection) => {
    const { code, err } = await run('', { main: { connection } });
    expect(code).toBe(1);
    expect(err).toContain(
      `The [${connection}] connection (driver ${connection === 'here' ? 'memory' : 'sync'}) keeps no jobs`,
    );
  });

  it('ends with what no waiting mends, and starts nothing', async () => {
    const { code, out, err } = await run('', { main: {} }, () =>
      Promise.reject(new QueueError('ERR_QUEUE_X', 'There is no table jobs. Run queue:install.')),
    );
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toBe('ERROR  There is no table jobs.\n       Run queue:install.\n');
  });
});

describe('the workers of a supervisor', () => {
  const supervisor = (options: SupervisorOptions) => resolveSupervisors({ main: options }, config, 2).get('main')!;

  it('are started with its options, and no others', () => {
    const one = supervisor({
      queues: ['high', 'low'],
      balance: false,
      strategy: 'size',
      maxProcesses: 4,
      concurrency: 5,
      backoff: ['500ms', 3],
      timeout: '2m',
      timeoutGrace: 1.5,
      memory: 300,
      force: true,
      watchdog: false,
      stopOnLostConnection: false,
    });
    expect(workerArguments(one, ['high', 'low'], { app: 'dist/app.js', verbose: true })).toEqual([
      'queue:work',
      config.default,
      '--queue=high,low',
      '--name=main',
      '--concurrency=5',
      '--backoff=500ms,3',
      '--timeout=2m',
      '--timeout-grace=1.5',
      '--memory=300',
      '--force',
      '--no-watchdog',
      '--app=dist/app.js',
      '--verbose',
    ]);
    expect(workerArguments(supervisor({ name: 'mine' }), ['a'], {})).toEqual([
      'queue:work',
      config.default,
      '--queue=a',
      '--name=mine',
    ]);
  });

  describe('tell it', () => {
    let now = 0;
    let told: { beat: Record<string, unknown> }[];
    let listeners: Map<unknown, (event: unknown) => void>;
    let status: object[];
    let one: SupervisedWorker;
    const job = (id: string, timeout?: number): JobContext =>
      ({ id, payload: timeout === undefined ? {} : { timeout } }) as unknown as JobContext;
    const emit = (event: object): void => listeners.get(event.constructor)!(event);

    beforeEach(() => {
      now = 0;
      told = [];
      listeners = new Map();
      status = [{ state: 'running', running: 1, processed: 5, failed: 2 }];
      one = new SupervisedWorker(
        (what) => told.push(what as unknown as (typeof told)[number]),
        () => now,
      );
      one.watch({
        manager: { on: (type: unknown, listener: (event: unknown) => void) => listeners.set(type, listener) },
        worker: { status: () => status },
      } as unknown as Parameters<SupervisedWorker['watch']>[0]);
    });
    afterEach(() => one.stop());

    it('that they start, before the application has booted', () => {
      expect(told).toMatchObject([{ beat: { state: 'starting', running: 0, processed: 0, patienceMs: 0 } }]);
    });

    it('how much of their slots was in use', () => {
      emit(new JobProcessing('c', job('1')));
      now = 500;
      emit(new JobProcessing('c', job('2')));
      now = 1_000;
      one.beat();
      expect(told.at(-1)).toMatchObject({
        beat: { state: 'running', processed: 5, failed: 2, busyMs: 1_500, busy: 1.5 },
      });
      emit(new JobAttempted('c', job('1'), null));
      emit(new JobAttempted('c', job('2'), null));
      now = 2_000;
      one.beat();
      expect(told.at(-1)).toMatchObject({ beat: { busyMs: 1_500, busy: 0 } });
    });

    it('at once of a job that may run for longer than others, and of one without limit', () => {
      emit(new JobProcessing('c', job('1')));
      expect(told).toHaveLength(1);
      emit(new JobProcessing('c', job('2', 300_000)));
      expect(told.at(-1)).toMatchObject({ beat: { patienceMs: 300_000 } });
      emit(new JobProcessing('c', job('3', 200_000)));
      expect(told).toHaveLength(2);
      emit(new JobProcessing('c', job('4', 0)));
      expect(told.at(-1)).toMatchObject({ beat: { patienceMs: null } });
      for (const id of ['2', '4']) emit(new JobAttempted('c', job(id), null));
      one.beat();
      expect(told.at(-1)).toMatchObject({ beat: { patienceMs: 200_000 } });
    });

    it('once a second what is new, and seldom that nothing is', () => {
      jest.useFakeTimers();
      try {
        one.stop();
        one = new SupervisedWorker(
          (what) => told.push(what as unknown as (typeof told)[number]),
          () => performance.now(),
        );
        one.watch({
          manager: { on: (type: unknown, listener: (event: unknown) => void) => listeners.set(type, listener) },
          worker: { status: () => status },
        } as unknown as Parameters<SupervisedWorker['watch']>[0]);
        const during = (seconds: number): number => {
          const { length } = told;
          jest.advanceTimersByTime(seconds * 1_000);
          return told.length - length;
        };
        expect(during(4)).toBe(4);
        status = [{ state: 'running', running: 0, processed: 6, failed: 2 }];
        during(1);
        expect(during(10)).toBe(2);
        emit(new JobProcessing('c', job('1')));
        expect(during(3)).toBe(3);
      } finally {
        jest.useRealTimers();
      }
    });

    it('why they end, and what they did until then', () => {
      status = [{ state: 'stopping', running: 0, processed: 9, failed: 3 }];
      emit(new WorkerStopping(0, 'max_jobs', 9, null, {}, 80));
      expect(told.at(-1)).toMatchObject({ beat: { processed: 9, failed: 3, reason: 'max_jobs' } });
      status = [];
      one.beat();
      expect(told.at(-1)).toMatchObject({ beat: { state: 'stopping', processed: 9, reason: 'max_jobs' } });
    });
  });
});

describe('what waits', () => {
  const read = jest.fn(async (_connection: string, _queues: readonly string[]) => ({
    allPaused: false,
    paused: [] as string[],
  }));
  const connection = {
    name: 'database',
    queueName: (queue?: string) => (queue === 'old' ? 'new' : queue!),
    sizes: async (queues: readonly string[]) =>
      queues.map((queue) => ({
        pending: queue === 'empty' ? 0 : 7,
        delayed: 5,
        reserved: 3,
        total: 15,
        oldestPendingAt: queue === 'unknown' ? undefined : new Date(4_000),
      })),
  };
  const loads = (...queues: string[]) => queueLoads(connection, { read }, queues, { now: 10_000, force: false });

  it('is what could run now, and how long it could have', async () => {
    expect(await loads('a', 'empty', 'unknown')).toEqual([
      { waiting: 7, oldestMs: 6_000 },
      { waiting: 0, oldestMs: 0 },
      { waiting: 7, oldestMs: 0 },
    ]);
  });

  it('is nothing in a queue that is paused, by the name that it really has', async () => {
    read.mockResolvedValueOnce({ allPaused: false, paused: ['new'] });
    expect((await loads('a', 'old')).map(({ waiting }) => waiting)).toEqual([7, 0]);
    expect(read).toHaveBeenLastCalledWith('database', ['a', 'new', '*']);
  });

  it('is nothing at all where everything is paused, unless the workers work through it', async () => {
    for (const marks of [
      { allPaused: true, paused: [] },
      { allPaused: false, paused: ['*'] },
    ]) {
      read.mockResolvedValueOnce(marks);
      expect((await loads('a')).map(({ waiting }) => waiting)).toEqual([0]);
      read.mockResolvedValueOnce(marks);
      const forced = await queueLoads(connection, { read }, ['a'], { now: 0, force: true });
      expect(forced.map(({ waiting }) => waiting)).toEqual([7]);
    }
  });
});

describe('what it prints', () => {
  const at = new Date(2026, 4, 14, 10, 0, 0);
  const ended: Extract<PoolNote, { event: 'ended' }> = {
    event: 'ended',
    pid: 4711,
    code: 0,
    signal: null,
    reason: undefined,
    error: undefined,
    livedMs: 2_500,
    expected: false,
    waitMs: 0,
  };
  const note = (one: PoolNote) => ({ supervisor: 'main', connection: 'database', queues: ['high', 'low'], ...one });

  it.each<[PoolNote, string, boolean]>([
    [{ event: 'started', pid: 4711 }, 'worker 4711 started', false],
    [{ event: 'scaled', from: 1, to: 2 }, 'scaled from 1 to 2 processes', false],
    [{ ...ended, reason: 'max_jobs' }, 'worker 4711 ended (max_jobs) after 2.50s', false],
    [{ ...ended, reason: 'interrupted', expected: true }, 'worker 4711 ended after 2.50s', false],
    [
      { ...ended, code: null, signal: 'SIGSEGV', waitMs: 4_000 },
      'worker 4711 was ended by SIGSEGV after 2.50s; the next one starts in 4.0 s',
      true,
    ],
    [{ ...ended, code: 1, reason: 'timed_out' }, 'worker 4711 ended with code 1 (timed_out) after 2.50s', true],
    [
      { ...ended, pid: undefined, code: null, error: 'spawn EAGAIN', waitMs: 1_000 },
      'a worker could not be started: spawn EAGAIN; the next one starts in 1.0 s',
      true,
    ],
    [{ event: 'killed', pid: 4711, cause: 'grace' }, 'worker 4711 did not end within its grace: killed', true],
    [{ event: 'too-large', pid: 4711, rss: 312.4 }, 'worker 4711 has grown to 312 MB: it ends after its jobs', true],
  ])('is a line for each thing that happens: %j', (one, text, trouble) => {
    expect(noteLine(note(one), at)).toBe(`2026-05-14 10:00:00 main [high,low] ${text}`);
    expect(isTrouble(note(one))).toBe(trouble);
  });

  it('is an object for each of them with --json', () => {
    expect(JSON.parse(noteJson(note({ event: 'started', pid: 1 }), 'now'))).toEqual({
      event: 'started',
      supervisor: 'main',
      connection: 'database',
      queues: ['high', 'low'],
      pid: 1,
      timestamp: 'now',
    });
  });

  it('is a table of what there is', () => {
    const status = {
      supervisor: 'main',
      connection: 'database',
      queues: ['high'],
      processes: 2,
      ending: 1,
      slots: 20,
      running: 13,
      waiting: undefined,
      processedPerMinute: 480,
      processed: 9_000,
      failed: 3,
      memory: 190,
    };
    expect(table(STATUS_COLUMNS, [status, { ...status, ending: 0, waiting: 7 }], 120)).toEqual([
      'Supervisor  Queue          Processes      Slots  Running  Waiting  Done/min  Failed  Memory',
      'main        database:high  2 (+1 ending)  20     13       ?        480       3       190 MB',
      'main        database:high  2              20     13       7        480       3       190 MB',
    ]);
  });
});

describe('a live table', () => {
  let drawn = '';
  const stdout = { write: (text: string) => (drawn += text) };
  const stderr = { write: (text: string) => (drawn += text) };
  beforeEach(() => {
    drawn = '';
  });

  it('is drawn in its place, only where it has changed, and below what others write', () => {
    const live = new LiveTable([stdout, stderr], () => 24);
    live.show(['a', 'b']);
    live.show(['a', 'b']);
    expect(drawn).toBe('a\nb\n');
    live.show(['a', 'c']);
    expect(drawn).toBe('a\nb\n\r\u001b[2A\u001b[Ja\nc\n');
    drawn = '';
    stderr.write('log\n');
    stdout.write('half');
    expect(drawn).toBe('\r\u001b[2A\u001b[Jlog\na\nc\n\r\u001b[2A\u001b[Jhalf\na\nc\n');
    drawn = '';
    live.end();
    stdout.write('x');
    live.show(['z']);
    expect(drawn).toBe('x');
  });

  it('is no longer than the terminal is high', () => {
    const live = new LiveTable([stdout], () => 3);
    live.show(['a', 'b', 'c', 'd']);
    expect(drawn).toBe('a\nb\n');
    live.end();
  });
});
