import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventHub } from '../../lib/connections/event-hub.js';
import type { JobContext } from '../../lib/contracts/job-context.js';
import {
  FailedHookErrored,
  JobFailed,
  JobLeaseLost,
  JobProcessed,
  JobReleasedAfterException,
  JobTimedOut,
  QueueFailedOver,
  WorkerInterrupted,
  WorkerPausing,
  WorkerQueuePaused,
  WorkerQueueResumed,
  WorkerResuming,
  WorkerStarting,
  WorkerStopping,
} from '../../lib/contracts/queue-events.js';
import { LogSubscriber } from '../../lib/nest/log-subscriber.js';

const lines: string[] = [];
const at = (level: string) => jest.fn((message: unknown) => void lines.push(`${level} ${String(message)}`));
const logger = { log: at('log'), warn: at('warn'), error: at('error'), debug: at('debug') };
let now = 0;
const clock = { now: () => now, elapsed: () => now, after: () => () => {} };

const job = (more: Partial<JobContext> = {}): JobContext =>
  ({
    id: 'u-1',
    displayName: 'SendMail',
    queue: 'high',
    attempts: 2,
    payload: { data: 'SECRET' },
    tags: ['SECRET'],
    ...more,
  }) as JobContext;

let hub: EventHub;
let subscriber: LogSubscriber;
beforeEach(() => {
  lines.length = 0;
  now = 0;
  hub = new EventHub(() => {});
  subscriber = new LogSubscriber(logger, clock);
  subscriber.subscribe(hub);
});

describe('LogSubscriber', () => {
  it('writes failures as errors with the exception’s first line, and its stack at debug level', () => {
    const error = new TypeError('no such user\nsecond line');
    hub.emit(new JobFailed('redis', job(), error));
    hub.emit(new JobFailed('redis', job({ attempts: 1 }), error));
    expect(lines[0]).toBe('error SendMail [u-1] on redis:high failed after 2 attempts: TypeError: no such user');
    expect(lines[2]).toContain('failed at its first attempt: TypeError');
    expect(lines[1]).toMatch(/^debug SendMail \[u-1\]\n {4}TypeError: no such user\n {4}second line\n {8}at /);
    expect(lines).toHaveLength(4);
  });

  it('writes further tries, timeouts and lost leases as warnings, a bad failed() hook as an error', () => {
    const boom = new Error('boom');
    boom.stack = 'Error: boom';
    hub.emit(new JobReleasedAfterException('db', job(), 5, boom));
    hub.emit(new JobTimedOut('db', job(), 60));
    hub.emit(new JobLeaseLost('db', job()));
    hub.emit(new FailedHookErrored('db', job(), boom));
    expect(lines.filter((line) => !line.startsWith('debug'))).toEqual([
      'warn SendMail [u-1] on db:high threw in attempt 2, next try in 5 s: Error: boom',
      'warn SendMail [u-1] on db:high ran past its timeout of 60 s.',
      'warn SendMail [u-1] on db:high was lost while it ran: another worker has it by now, or it was removed. Nothing was written for it.',
      'error SendMail [u-1] on db:high: its failed() hook did not end well: Error: boom',
    ]);
  });

  it('writes a worker’s start and end; what goes well is not written', () => {
    hub.emit(new WorkerStarting('db', 'high,default', {}));
    hub.emit(new WorkerStarting('db', 'low', { concurrency: 20 }));
    hub.emit(new JobProcessed('db', job()));
    hub.emit(new WorkerStopping(0, 'interrupted', 1, null, {}, 80));
    expect(lines).toEqual([
      `log Worker started on db, queue high,default, concurrency 1, pid ${process.pid}.`,
      `log Worker started on db, queue low, concurrency 20, pid ${process.pid}.`,
      'log Worker stopped (interrupted, exit code 0) after 1 job.',
    ]);
  });

  it('writes what pauses a worker and what ends it', () => {
    hub.emit(new WorkerPausing('db', 'high,low'));
    hub.emit(new WorkerResuming('db', 'high,low'));
    hub.emit(new WorkerQueuePaused('db', 'high'));
    hub.emit(new WorkerQueueResumed('db', 'high'));
    hub.emit(new WorkerInterrupted('SIGTERM', 'db', 'high,low'));
    expect(lines).toEqual([
      'log Worker on db, queue high,low is paused: it takes no job until it is told to go on.',
      'log Worker on db, queue high,low goes on.',
      'log Queue high of db is paused: the worker takes no job from it.',
      'log Queue high of db is worked again.',
      'log SIGTERM: the worker on db, queue high,low ends after its running jobs.',
    ]);
  });

  it('says the same about an outage once in 30 seconds', () => {
    const refused = new Error('ECONNREFUSED');
    for (now = 0; now < 60_000; now += 1_000) hub.emit(new QueueFailedOver('redis', {}, refused));
    expect(lines).toHaveLength(2);
    subscriber.outage('something else');
    expect(lines).toHaveLength(3);
    for (let n = 0; n < 5_000; n += 1) subscriber.outage(`flood ${n}`);
    expect(lines).toHaveLength(5_003);
    for (const ms of [5_004, 5_249, 837]) subscriber.outage(`no answer within ${ms} ms`);
    expect(lines).toHaveLength(5_004);
  });

  it('escapes line breaks and control characters in what comes from outside', () => {
    hub.emit(
      new JobFailed(
        'db',
        job({ displayName: 'Evil\r\n[Nest] ERROR fake\u001b[31m\u2028\u202e' }),
        new Error('a\u0007b'),
      ),
    );
    const written = lines.join('');
    expect(lines[0]).toBe(
      'error Evil\\r\\n[Nest] ERROR fake\\u001b[31m\\u2028\\u202e [u-1] on db:high failed after 2 attempts: Error: a\\u0007b',
    );
    // oxlint-disable-next-line no-control-regex
    expect(written).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u2028]/);
  });

  it('never writes what a job carries, and survives any thrown value', () => {
    for (const thrown of [undefined, null, 'text', { toString: () => 'x' }, Object.freeze(new Error('f'))]) {
      hub.emit(new JobReleasedAfterException('db', job(), 0, thrown));
    }
    expect(lines.length).toBeGreaterThanOrEqual(5);
    expect(lines.join('')).not.toContain('SECRET');
  });
});
