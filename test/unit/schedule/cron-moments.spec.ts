import { describe, expect, it } from '@jest/globals';
import { loadCron } from '../../../lib/schedule/cron-moments.js';
import { MissingPackageError } from '../../../lib/support/load-peer.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const read = await loadCron();
const at = (iso: string): number => Date.parse(iso);
const from = (cron: string, zone: string | undefined, start: string, count: number): string[] => {
  const moments = read('test', cron, zone);
  const found: string[] = [];
  for (let one = at(start); found.length < count;) found.push(new Date((one = moments.next(one))).toISOString());
  return found;
};

describe('the moments of a cron expression', () => {
  it('come behind the moment given, with seconds or without', () => {
    expect(from('*/5 * * * *', 'UTC', '2026-05-14T10:00:00.000Z', 2)).toEqual([
      '2026-05-14T10:05:00.000Z',
      '2026-05-14T10:10:00.000Z',
    ]);
    expect(from('*/20 * * * * *', 'UTC', '2026-05-14T10:00:19.999Z', 3)).toEqual([
      '2026-05-14T10:00:20.000Z',
      '2026-05-14T10:00:40.000Z',
      '2026-05-14T10:01:00.000Z',
    ]);
  });

  it('are those of the time zone, which changes its clocks', () => {
    expect(from('0 3 * * *', 'Europe/Berlin', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T02:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T01:00:00.000Z',
    ]);
    expect(from('30 9 * * 1', 'Asia/Kolkata', '2026-05-14T00:00:00Z', 1)).toEqual(['2026-05-18T04:00:00.000Z']);
  });

  it.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'])(
    'are the same wherever a process begins to count, and rise, in %s',
    (zone) => {
      for (const cron of ['*/30 0-4 * * *', '15 2 * * *']) {
        for (const start of ['2026-03-28T00:00:00Z', '2026-10-24T00:00:00Z', '2026-04-04T00:00:00Z']) {
          const moments = read('test', cron, zone);
          const all: number[] = [];
          for (let one = at(start); one < at(start) + 2 * 86_400_000;) all.push((one = moments.next(one)));
          expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
          for (const [index, one] of all.slice(0, -1).entries()) {
            const next = all[index + 1]!;
            for (const between of [one + 1, next - 1]) {
              expect(new Date(moments.next(between)).toISOString()).toBe(new Date(next).toISOString());
            }
          }
        }
      }
    },
  );

  it.each([
    [
      'every day',
      undefined,
      /^@ScheduledJob on Report: the cron expression "every day" cannot be used: .*Give five fields/,
    ],
    ['61 * * * *', undefined, /out of range/],
    ['* * *', undefined, /Too few fields/],
    ['0 0 30 2 *', undefined, /cannot be used/],
    ['* * * * *', 'Mars/Base', /the time zone "Mars\/Base" is not known/],
  ])('refuses %s in %s in one line', (cron, zone, message) => {
    let thrown: unknown;
    try {
      read('@ScheduledJob on Report', cron, zone);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidOptionError);
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).not.toContain('\n');
  });

  it('names the package that is missing, and how to get it', async () => {
    const missing = loadCron(() => {
      throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
    });
    await expect(missing).rejects.toThrow(MissingPackageError);
    await expect(missing).rejects.toThrow(/@nestjs\/schedule, which is not installed\. Run: npm i @nestjs\/schedule$/);
  });
});
