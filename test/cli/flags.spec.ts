import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { addWorkerFlags, workerOptions, type WorkerFlags } from '../../lib/cli/worker-flags.js';

function parse(...args: string[]): ReturnType<typeof workerOptions> {
  const command = new Command().exitOverride().configureOutput({ outputError: () => undefined });
  addWorkerFlags(command);
  command.parse(args, { from: 'user' });
  return workerOptions(command.processedArgs[0] as string | undefined, command.opts<WorkerFlags>());
}

describe('flags of a worker', () => {
  it('leaves to the worker what is not given', () => {
    expect(parse()).toEqual({});
  });

  it('takes every option of a worker', () => {
    expect(
      parse(
        ...'redis --name=w1 --queue=high,low --concurrency=20 --tries=3 --backoff=1,5s,1m --timeout=2m'.split(' '),
        ...'--sleep=0.5 --rest=1 --max-jobs=10 --max-time=1h --memory=512 --stop-when-empty'.split(' '),
        ...'--stop-when-empty-for=30 --force --grace=10 --timeout-grace=2 --max-stalls=1 --prefetch=4'.split(' '),
        ...'--unknown-job-tries=2 --no-watchdog --stop-on-lost-connection --daemon'.split(' '),
      ),
    ).toEqual({
      connection: 'redis',
      name: 'w1',
      queues: ['high', 'low'],
      concurrency: 20,
      tries: 3,
      backoff: [1, '5s', '1m'],
      timeout: '2m',
      sleep: 0.5,
      rest: 1,
      maxJobs: 10,
      maxTime: '1h',
      memory: 512,
      stopWhenEmpty: true,
      stopWhenEmptyFor: 30,
      force: true,
      grace: 10,
      timeoutGrace: 2,
      maxStalls: 1,
      prefetch: 4,
      unknownJobTries: 2,
      watchdog: false,
      stopOnLostConnection: true,
    });
  });

  it('trims queue names, drops empty and repeated ones', () => {
    expect(parse('--queue= high, low ,,high').queues).toEqual(['high', 'low']);
  });

  it.each([
    [['--backoff=5', '--delay=2'], [5]],
    [['--backoff=5', '--delay=1m'], ['1m']],
    [['--delay=7'], [7]],
    [
      ['--backoff=1,10', '--delay=5'],
      [5, 10],
    ],
  ])('%p: the longer of backoff and its old name, try by try', (args, expected) => {
    expect(parse(...args).backoff).toEqual(expected);
  });

  it.each([
    ['--concurrency=0', /whole number, 1 or more/],
    ['--tries=-1', /whole number, 0 or more/],
    ['--tries=1.5', /whole number/],
    ['--tries=', /whole number/],
    ['--memory=lots', /whole number/],
    ['--timeout=soon', /Give seconds, or a duration/],
    ['--sleep=-1', /Give seconds/],
    ['--backoff=1,x', /Give seconds/],
    ['--max-time=Infinity', /Give seconds/],
  ])('refuses %s', (arg, message) => {
    expect(() => parse(arg)).toThrow(message);
  });
});
