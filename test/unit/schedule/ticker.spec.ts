import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { loadCron } from '../../../lib/schedule/cron-moments.js';
import { Ticker } from '../../../lib/schedule/ticker.js';
import type { Clock } from '../../../lib/support/clock.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

const read = await loadCron();
const START = Date.parse('2026-05-14T10:00:00.500Z');
const iso = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

let ticker: Ticker | undefined;
afterEach(() => ticker?.stop());

function start(cron: string, clock: Clock = new FakeClock(START), run?: (at: number) => Promise<void>) {
  const ticks: string[] = [];
  const report = jest.fn();
  const work = run ?? (() => Promise.resolve());
  const ticking = async (at: number): Promise<void> => {
    ticks.push(iso(at));
    await work(at);
  };
  ticker = new Ticker('Report', read('Report', cron, 'UTC'), ticking, { clock, report });
  ticker.start();
  return { clock: clock as FakeClock, ticks, report };
}

/** Another process's clock: somebody sets it, and its timers fire when they fire. */
class SetClock implements Clock {
  offset = 0;
  constructor(private readonly base: FakeClock) {}
  now = (): number => this.base.now() + this.offset;
  elapsed = (): number => this.base.elapsed();
  after = (ms: number, fn: () => void): (() => void) => this.base.after(ms, fn);
}

describe('a ticker', () => {
  it('tells the planned moment of each tick', async () => {
    const { clock, ticks } = start('*/2 * * * *');
    await clock.advance('7m');
    expect(ticks).toEqual(['10:02:00', '10:04:00', '10:06:00']);
  });

  it('tells the planned moment where its timers fire late, or the clock is ahead', async () => {
    const base = new FakeClock(START);
    const ahead = new SetClock(base);
    ahead.offset = 3_700;
    const { ticks } = start('*/10 * * * * *', ahead);
    await base.advance(6);
    expect(ticks).toEqual(['10:00:10']);
    await base.advance(10);
    expect(ticks).toEqual(['10:00:10', '10:00:20']);
  });

  it('makes up for the last one of those that were missed, once', async () => {
    const base = new FakeClock(START);
    const clock = new SetClock(base);
    const { ticks, report } = start('*/10 * * * * *', clock);
    await base.advance(2);
    // The process was blocked: no timer has fired meanwhile.
    clock.offset = 3_600_000;
    await base.advance(8);
    expect(ticks).toEqual(['11:00:10']);
    await base.advance(10);
    expect(ticks).toEqual(['11:00:10', '11:00:20']);
    expect(report).not.toHaveBeenCalled();
  });

  it('leaves out what it comes to a day late', async () => {
    const base = new FakeClock(START);
    const clock = new SetClock(base);
    const { ticks, report } = start('0 11 * * *', clock);
    clock.offset = 24 * 3_600_000 - 3_600_000;
    await base.advance(90);
    expect(ticks).toEqual([]);
    expect(report).toHaveBeenCalledWith(expect.stringContaining('is left out'), expect.any(Error));
    await base.advance('2h');
    expect(ticks).toEqual(['11:00:00']);
  });

  it('goes on where the clock has been set back', async () => {
    const base = new FakeClock(START);
    const clock = new SetClock(base);
    const { ticks } = start('*/5 * * * *', clock);
    await base.advance('5m');
    clock.offset = -3_600_000;
    await base.advance('6m');
    expect(ticks).toEqual(['10:05:00', '09:10:00']);
  });

  it('says a failed tick once, tries it again, and goes on with the next', async () => {
    let down = true;
    const { clock, ticks, report } = start('0 * * * *', undefined, async () => {
      if (down) throw new Error('the store is away');
    });
    await clock.advance('1h');
    expect(ticks).toEqual(['11:00:00']);
    await clock.advance(7);
    expect(ticks).toEqual(['11:00:00', '11:00:00', '11:00:00']);
    expect(report).toHaveBeenCalledTimes(1);
    expect(report.mock.calls[0]![0]).toMatch(/^A tick of Report failed; it is tried again/);
    down = false;
    await clock.advance(20);
    expect(ticks).toHaveLength(4);
    await clock.advance('1h');
    expect(ticks).toHaveLength(5);
    expect(ticks.at(-1)).toBe('12:00:00');
  });

  it('does not try a failed tick again beyond the next one', async () => {
    const { clock, ticks, report } = start('*/10 * * * * *', undefined, async () => {
      throw new Error('the store is away');
    });
    await clock.advance(20);
    expect(ticks.filter((one) => one === '10:00:10')).toHaveLength(3);
    const before = ticks.length;
    await clock.advance(9);
    expect(ticks.slice(before).filter((one) => one === '10:00:10')).toEqual([]);
    expect(report).toHaveBeenCalledWith(expect.stringContaining('the next tick goes on'), expect.any(Error));
  });

  it('begins the next tick while one still runs, and none once it is stopped', async () => {
    let end: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (end = resolve));
    const { clock, ticks } = start('*/10 * * * * *', undefined, () => first);
    await clock.advance(20);
    expect(ticks).toEqual(['10:00:10', '10:00:20']);
    let stopped = false;
    const stopping = ticker!.stop().then(() => (stopped = true));
    await clock.advance(60);
    expect([stopped, ticks.length]).toEqual([false, 2]);
    end();
    await stopping;
  });
});
