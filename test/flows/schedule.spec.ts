import { afterEach, describe, expect, it } from '@jest/globals';
import { DebounceFor, Job, Queueable, QueueManager, ScheduledJob, UniqueUntilProcessing } from 'nestjs-queue';
import type { LoggerService, Type } from '@nestjs/common';
import { closeApps, openApp, sleep, until } from './open-app.js';

afterEach(closeApps);

const EVERY = '* * * * * *';
const ran: unknown[] = [];

@Job({ name: 'scheduled.count', queue: 'counts' })
@ScheduledJob(EVERY, { arguments: () => [ran.length, new Date(0)] })
class Count extends Queueable {
  constructor(
    readonly number: number,
    readonly since: Date,
  ) {
    super();
  }

  handle(): void {
    ran.push([this.number, this.since.getTime(), this.context!.name]);
  }
}

@Job()
class Child extends Count {}

@Job()
@DebounceFor(30)
@ScheduledJob(EVERY, { withoutOverlapping: true })
class Debounced extends Queueable {
  handle(): void {
    ran.push('debounced');
  }
}

function scheduled(cron: string, options?: object, ...more: ClassDecorator[]): Type {
  class Report extends Queueable {
    handle(): void {}
  }
  for (const decorate of more) decorate(Report);
  ScheduledJob(cron, options)(Report);
  Job()(Report);
  return Report;
}

const boots = (...providers: Type[]): Promise<string> =>
  openApp('memory', { providers }).then(
    () => 'booted',
    (error: Error) => error.message,
  );

describe('@ScheduledJob', () => {
  it('dispatches at each tick, with arguments made then, to where the class says', async () => {
    ran.length = 0;
    const at = await openApp('memory', { providers: [Count, Child] });
    await at.workers.work({ queues: ['counts'], maxJobs: 2 });
    expect(ran).toEqual([
      [0, 0, 'scheduled.count'],
      [1, 0, 'scheduled.count'],
    ]);
  }, 15_000);

  it('sends a debounced job at once where it must not overlap', async () => {
    ran.length = 0;
    const at = await openApp('memory', { providers: [Debounced] });
    await sleep(2_300);
    expect(await at.manager.connection().size()).toMatchObject({ total: 1 });
    await at.drain({ stopWhenEmpty: true });
    expect(ran[0]).toBe('debounced');
  });

  it('says a tick that failed in the log, and goes on', async () => {
    const said: string[] = [];
    const warn = (text: string): void => void said.push(text);
    const logger: LoggerService = { log() {}, error: warn, warn, debug() {}, verbose() {}, fatal() {} };
    let calls = 0;
    const Broken = scheduled(EVERY, {
      arguments: () => {
        calls += 1;
        throw new Error('no arguments today');
      },
    });
    await openApp('memory', { providers: [Broken], logger });
    await until(() => calls >= 2, 'two ticks', 5_000);
    expect(said).toEqual([
      'A tick of @ScheduledJob on Report failed; the next tick goes on: Error: no arguments today',
    ]);
  });

  it.each([
    [
      'a cron that cannot be',
      () => scheduled('every day'),
      /^@ScheduledJob on Report: the cron expression "every day"/,
    ],
    [
      'a zone that is none',
      () => scheduled(EVERY, { timeZone: 'Mars/Base' }),
      /@ScheduledJob on Report: the time zone/,
    ],
    [
      'a lock that ends too early',
      () => scheduled(EVERY, { withoutOverlapping: true }, UniqueUntilProcessing()),
      /Report says withoutOverlapping/,
    ],
  ])('stops the boot for %s', async (_, make, message) => {
    const answer = await boots(make());
    expect(answer).toMatch(message);
    expect(answer).not.toContain('\n');
  });

  it.each([
    ['an empty cron', '', {}, /Report: @ScheduledJob was given ""/],
    ['arguments that are none', EVERY, { arguments: [1] }, /arguments is .*Give a function/],
    ['a flag that is none', EVERY, { withoutOverlapping: 'yes' }, /withoutOverlapping is "yes"/],
    ['a zone that is no text', EVERY, { timeZone: 1 }, /timeZone is 1/],
  ])('refuses %s', (_, cron, options, message) => {
    expect(() => scheduled(cron, options)).toThrow(message);
  });
});

describe('the module option schedule', () => {
  it('prunes and monitors', async () => {
    const at = await openApp('memory', {
      options: {
        schedule: {
          pruneFailed: EVERY,
          pruneBatches: EVERY,
          monitor: { cron: EVERY, queues: ['memory:counts'], max: 1 },
        },
      },
      providers: [Count],
    });
    await until(() => at.names().includes('QueueBusy'), 'QueueBusy', 5_000);
    expect(at.app.get(QueueManager)).toBeDefined();
  });

  it('stops the boot for a wrong cron', async () => {
    const boot = openApp('memory', { options: { schedule: { pruneFailed: '61 * * * *' } } });
    await expect(boot).rejects.toThrow(
      /^QueueModule: schedule\.pruneFailed: the cron expression "61 \* \* \* \*" cannot be used/,
    );
  });

  it('keeps no schedule at all where it is false', async () => {
    const at = await openApp('memory', { options: { schedule: false }, providers: [Count] });
    await sleep(1_500);
    expect(await at.manager.connection().size('counts')).toMatchObject({ total: 0 });
  });
});
