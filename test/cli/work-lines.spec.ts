import { describe, expect, it } from '@jest/globals';
import {
  JobAttempted,
  JobExceptionOccurred,
  JobFailed,
  JobLeaseLost,
  JobProcessed,
  JobProcessing,
  JobReleased,
  JobReleasedAfterException,
  WorkerQueuePaused,
  WorkerQueueResumed,
} from '../../lib/contracts/queue-events.js';
import type { JobContext } from '../../lib/contracts/job-context.js';
import { painted, plain } from '../../lib/cli/style.js';
import { jsonLine, preciseTime, runtime, textLine } from '../../lib/cli/work-line-format.js';
import { WorkerStoppingError } from '../../lib/worker/worker-errors.js';
import { workLines, type Listen, type WorkLine } from '../../lib/cli/work-lines.js';

function job(id = '6f1c', displayName = 'SendInvoice'): JobContext {
  return { id, name: displayName, displayName, queue: 'billing', connection: 'db', attempts: 2 } as JobContext;
}

function told(...events: object[]): WorkLine[] {
  const lines: WorkLine[] = [];
  const listeners = new Map<unknown, (event: never) => void>();
  const listen: Listen = (type, listener) => {
    listeners.set(type, listener);
    return () => listeners.delete(type);
  };
  let now = 0;
  const off = workLines(
    listen,
    (line) => lines.push(line),
    () => (now += 12.5),
  );
  for (const event of events) listeners.get(event.constructor)?.(event as never);
  off();
  expect(listeners.size).toBe(0);
  return lines;
}

const error = new RangeError('no such invoice');

describe('lines of a worker', () => {
  it.each<[string, object[], Partial<WorkLine>, Error?]>([
    ['success', [new JobProcessed('db', job())], { status: 'success', result: 'deleted', error: undefined }],
    [
      'a release by hand',
      [new JobProcessed('db', job()), new JobReleased('db', job(), 5)],
      { status: 'success', result: 'released' },
    ],
    [
      'an exception with tries left',
      [new JobExceptionOccurred('db', job(), error), new JobReleasedAfterException('db', job(), 1, error)],
      { status: 'released_after_exception', result: 'released', error },
    ],
    [
      'the last exception',
      [new JobFailed('db', job(), error), new JobExceptionOccurred('db', job(), error)],
      { status: 'failed', result: 'failed', error },
    ],
    [
      'a failure by hand',
      [new JobFailed('db', job(), error), new JobProcessed('db', job())],
      { status: 'failed', result: 'failed', error },
    ],
    ['a lost lease', [new JobLeaseLost('db', job())], { status: 'lease_lost', result: undefined }],
    [
      'a job handed back at shutdown',
      [new JobReleased('db', job(), 0)],
      { status: 'released', result: 'released', error: undefined },
      new WorkerStoppingError(),
    ],
  ])('%s: one at the start, one at the end', (_case, between, expected, attempted: Error | null = null) => {
    const end = new JobAttempted('db', job(), attempted);
    const lines = told(new JobProcessing('db', job()), ...between, end);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ status: 'starting', connection: 'db', queue: 'billing' });
    expect(lines[0]).not.toHaveProperty('ms');
    expect(lines[1]).toMatchObject({ ...expected, ms: 12.5 });
  });

  it('tells of a job that failed before it began', () => {
    expect(told(new JobFailed('db', job('7', ''), error), new JobAttempted('db', job('7', ''), error))).toMatchObject([
      { status: 'failed', result: 'failed', error },
    ]);
  });

  it('keeps jobs apart that run at once', () => {
    const lines = told(
      new JobProcessing('db', job('1')),
      new JobProcessing('db', job('2')),
      new JobFailed('db', job('1'), error),
      new JobAttempted('db', job('2'), null),
      new JobAttempted('db', job('1'), error),
    );
    expect(lines.slice(2).map((line) => [line.job?.id, line.status])).toEqual([
      ['2', 'success'],
      ['1', 'failed'],
    ]);
  });

  it('tells of queues that were paused and resumed', () => {
    expect(told(new WorkerQueuePaused('db', 'high'), new WorkerQueueResumed('db', 'high'))).toMatchObject([
      { status: 'paused', connection: 'db', queue: 'high' },
      { status: 'resumed', connection: 'db', queue: 'high' },
    ]);
  });
});

describe('as text', () => {
  const now = new Date(2026, 4, 14, 10, 0, 5);
  const line: WorkLine = { status: 'success', connection: 'db', queue: 'billing', job: job(), ms: 12.345 };

  it('fills the width with dots', () => {
    const text = textLine(line, { columns: 60, paint: plain, now });
    expect(text).toMatch(/^ {2}2026-05-14 10:00:05 SendInvoice \.+ 12\.35ms DONE$/);
    expect(text).toHaveLength(60);
    expect(textLine({ ...line, status: 'starting', ms: undefined }, { columns: 60, paint: plain, now })).toMatch(
      /^ {2}2026-05-14 10:00:05 SendInvoice \.+ RUNNING$/,
    );
  });

  it('adds id, connection, queue and memory when verbose', () => {
    const text = textLine(line, { columns: 90, paint: plain, now, verbose: true, memory: 81.4 });
    expect(text).toMatch(/ SendInvoice 6f1c db billing \.+ 81MB 12\.35ms DONE$/);
    expect(text).toHaveLength(90);
  });

  it.each([
    ['released_after_exception', /FAIL$/],
    ['failed', /FAIL$/],
    ['lease_lost', /LOST$/],
    ['released', /RELEASED$/],
  ] as const)('ends with its outcome: %s', (status, expected) => {
    expect(textLine({ ...line, status }, { columns: 60, paint: plain, now })).toMatch(expected);
  });

  it('calls an attempt done that released its job by hand, as Laravel does', () => {
    const released = { ...line, result: 'released' } as const;
    expect(textLine(released, { columns: 60, paint: plain, now })).toMatch(/ DONE$/);
  });

  it('names the queue that was paused', () => {
    expect(textLine({ status: 'paused', connection: 'db', queue: 'high' }, { columns: 60, paint: plain, now })).toMatch(
      /\[high\] db \.+ PAUSED$/,
    );
  });

  it('lets no name forge a line or paint', () => {
    const forged = { ...line, job: job('1', '\u001b[32mX\u001b[0m\n  2026 Y DONE') };
    const text = textLine(forged, { columns: 60, paint: plain, now });
    for (const forbidden of ['\n', '\u001b']) expect(text).not.toContain(forbidden);
    expect(text).toContain(String.raw`X\n  2026 Y DONE`);
  });

  it('is as wide with colours as without', () => {
    // oxlint-disable-next-line no-control-regex
    const bare = textLine(line, { columns: 60, paint: painted, now }).replaceAll(/\u001b\[\d+m/g, '');
    expect(bare).toBe(textLine(line, { columns: 60, paint: plain, now }));
  });

  it.each([
    [0.5, '0.50ms'],
    [999, '999.00ms'],
    [1_234, '1.23s'],
    [59_999, '1m 0s'],
    [125_000, '2m 5s'],
    [11_220_000, '3h 7m'],
  ])('%p ms is %s', (ms, expected) => expect(runtime(ms)).toBe(expected));
});

describe('as JSON', () => {
  it('leaves out what is empty', () => {
    const line: WorkLine = { status: 'starting', connection: 'db', queue: 'billing', job: job() };
    expect(JSON.parse(jsonLine(line, 'T'))).toEqual({
      level: 'info',
      id: '6f1c',
      uuid: '6f1c',
      connection: 'db',
      queue: 'billing',
      job: 'SendInvoice',
      status: 'starting',
      attempts: 2,
      timestamp: 'T',
    });
  });

  it('tells error, result and duration in seconds', () => {
    const line: WorkLine = {
      status: 'failed',
      result: 'failed',
      connection: 'db',
      queue: 'q',
      job: job(),
      error,
      ms: 12.3456,
    };
    expect(JSON.parse(jsonLine(line, 'T'))).toMatchObject({
      level: 'warning',
      result: 'failed',
      exception: 'RangeError',
      message: 'no such invoice',
      duration: 0.012346,
    });
  });

  it('is one line, whatever was thrown', () => {
    for (const thrown of ['a\nb', { a: 1 }, new Error('x\ny'), Object.create(null)]) {
      const text = jsonLine({ status: 'failed', connection: 'db', queue: 'q', job: job('1', 'a\nb'), error: thrown });
      expect(text).not.toContain('\n');
      expect(JSON.parse(text)).toMatchObject({ job: 'a\nb', exception: 'Error' });
    }
  });

  it('has microseconds and an offset in its time', () => {
    expect(preciseTime()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$/);
    const time = preciseTime(Date.UTC(2026, 4, 14, 8, 0, 0, 123) + 0.456);
    expect(Date.parse(time)).toBe(Date.UTC(2026, 4, 14, 8, 0, 0, 123));
    expect(time).toMatch(/\.12345[56][+-]/);
  });
});
