import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { JobAttempted, JobProcessing, WorkerStarting, WorkerStopping } from '../../lib/contracts/queue-events.js';
import type { JobContext } from '../../lib/contracts/job-context.js';
import type { StopReason, WorkerOptions } from '../../lib/contracts/worker-options.js';
import type { OpenApp } from '../../lib/cli/open-app.js';
import { work } from '../../lib/cli/commands/work.js';
import { runProgram } from '../../lib/cli/program.js';
import { Recorder } from './recorder.js';

class App {}
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'] as const;
const job = { id: '1', name: 'Greet', displayName: 'Greet', queue: 'high', attempts: 1 } as JobContext;
let before: Map<string, unknown[]>;

beforeEach(() => {
  before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
});
afterEach(() => {
  for (const signal of SIGNALS) {
    for (const listener of process.listeners(signal)) {
      if (!before.get(signal)!.includes(listener)) process.off(signal, listener);
    }
  }
});

/** A worker that works one job and ends for the reason given. */
async function run(
  args: string,
  terminal: { isTTY?: boolean; columns?: number },
  reason: StopReason = 'empty',
  driver = 'database',
) {
  const listeners = new Map<unknown, ((event: never) => void)[]>();
  const emit = (event: object): void => listeners.get(event.constructor)?.forEach((one) => one(event as never));
  const end = (status: number, options: WorkerOptions): void => {
    emit(new WorkerStarting('database', 'high,low', options));
    emit(new JobProcessing('database', job));
    emit(new JobAttempted('database', job, null));
    emit(new WorkerStopping(status, reason, 1, null, options, 0));
  };
  const app = {
    manager: {
      connection: (name = driver) => ({ name, driver }),
      on: (type: unknown, listener: (event: never) => void) =>
        listeners.set(type, [...(listeners.get(type) ?? []), listener]),
    },
    worker: {
      ownProcess: () => {},
      work: jest.fn(async (options: WorkerOptions) => (end(0, options), reason)),
      runNextJob: jest.fn(async (options: WorkerOptions) => (end(reason === 'timed_out' ? 1 : 0, options), true)),
    },
    close: async () => {},
  };
  const recorder = new Recorder(terminal);
  const list = args === '' ? [] : args.split(' ');
  const output = recorder.output({ json: list.includes('--json'), quiet: list.includes('-q') });
  const open = jest.fn(async (_module: unknown, _log: object) => app as unknown as OpenApp);
  const code = await runProgram(list, { name: 'worker', module: () => App, open, output, only: work });
  return { code, out: recorder.out, err: recorder.err, worker: app.worker, open };
}

describe('queue:work', () => {
  it('says on a terminal which queues it works', async () => {
    const { out } = await run('', { isTTY: true, columns: 60 });
    expect(out).toMatch(/^Processing jobs from the \[high,low\] queue\(s\)\.\n\n/);
    expect(out).toContain('\u001b[32mDONE\u001b[39m');
  });

  it('does not when piped, with --json or with --quiet', async () => {
    expect((await run('', {})).out).toMatch(/^ {2}\d{4}.*RUNNING\n {2}\d{4}.*DONE\n$/);
    expect((await run('--json', { isTTY: true })).out).toMatch(/^\{.*\}\n\{.*\}\n$/);
    expect((await run('-q', { isTTY: true })).out).toBe('');
  });

  it.each<[StopReason, number]>([
    ['empty', 0],
    ['interrupted', 0],
    ['memory', 12],
    ['timed_out', 1],
  ])('ends for %s with %d', async (reason, code) => {
    expect((await run('', {}, reason)).code).toBe(code);
  });

  it('asks for the application’s log', async () => {
    expect((await run('', {})).open).toHaveBeenCalledWith(App, expect.objectContaining({ runsJobs: true }));
  });

  it.each([
    ['sync', /^The \[sync\] connection \(driver sync\) keeps no jobs: nothing is ever queued there/],
    ['deferred', /keeps no jobs/],
    ['null', /keeps no jobs/],
    ['memory', /^The \[memory\] connection keeps its jobs in this process: no other process can send it any\./],
  ])('says what is in vain on %s', async (driver, expected) => {
    expect((await run('', {}, 'empty', driver)).err).toMatch(expected);
    expect((await run('-q', {}, 'empty', driver)).err).toBe('');
  });

  it('has nothing to say of database', async () => {
    expect((await run('', {})).err).toBe('');
  });

  it('takes --no-watchdog, and does not offer it', async () => {
    expect((await run('--no-watchdog', {})).worker.work).toHaveBeenCalledWith({ watchdog: false });
    expect(work.examples.join()).not.toContain('redis');
  });

  it('hands its options on', async () => {
    const { worker } = await run('redis --queue=high --tries=3', {});
    expect(worker.work).toHaveBeenCalledWith({ connection: 'redis', queues: ['high'], tries: 3 });
  });

  it('--once works one job, and still ends with 1 when that could not be stopped', async () => {
    const { worker, code } = await run('--once --queue=high', {});
    expect(worker.runNextJob).toHaveBeenCalledWith({ queues: ['high'] });
    expect([worker.work.mock.calls.length, code]).toEqual([0, 0]);
    expect((await run('--once', {}, 'timed_out')).code).toBe(1);
  });
});
