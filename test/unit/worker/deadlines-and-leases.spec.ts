import { describe, expect, it } from '@jest/globals';
import type { LeaseAbility, ReservedJob, SettleResult } from '../../../lib/contracts/queue-driver.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { Heartbeat, type Leased } from '../../../lib/worker/heartbeat.js';
import { JobDeadlines } from '../../../lib/worker/job-deadlines.js';
import type { LeaseLostError } from '../../../lib/worker/worker-errors.js';

describe('JobDeadlines', () => {
  const timed = (clock: FakeClock, deadline: number) => {
    const log: [string, number][] = [];
    return {
      log,
      deadline,
      timeOut: () => void log.push(['timed out', clock.now()]),
      leaveBehind: () => void log.push(['left behind', clock.now()]),
    };
  };

  it('times out at the deadline and leaves behind after the grace', async () => {
    const clock = new FakeClock(0);
    const deadlines = new JobDeadlines(5_000, clock);
    const late = timed(clock, 9_000);
    const early = timed(clock, 2_000);
    deadlines.add(late);
    deadlines.add(early);
    await clock.advance(20);
    expect(early.log).toEqual([
      ['timed out', 2_000],
      ['left behind', 7_000],
    ]);
    expect(late.log).toEqual([
      ['timed out', 9_000],
      ['left behind', 14_000],
    ]);
  });

  it('lets those be that ended in time, or in the grace, or never have to', async () => {
    const clock = new FakeClock(0);
    const deadlines = new JobDeadlines(5_000, clock);
    const [inTime, inGrace, never] = [timed(clock, 1_000), timed(clock, 1_000), timed(clock, Infinity)];
    for (const one of [inTime, inGrace, never]) deadlines.add(one);
    deadlines.remove(inTime);
    await clock.advance(2);
    deadlines.remove(inGrace);
    await clock.advance(100);
    expect(inTime.log).toEqual([]);
    expect(inGrace.log).toEqual([['timed out', 1_000]]);
    expect(never.log).toEqual([]);
  });

  it('arms again for what comes after its timer had been for something else', async () => {
    const clock = new FakeClock(0);
    const deadlines = new JobDeadlines(0, clock);
    const first = timed(clock, 1_000);
    deadlines.add(first);
    deadlines.remove(first);
    await clock.advance(3);
    const second = timed(clock, 4_000);
    deadlines.add(second);
    await clock.advance(2);
    expect(second.log).toEqual([
      ['timed out', 4_000],
      ['left behind', 4_000],
    ]);
    deadlines.stop();
  });
});

describe('Heartbeat', () => {
  const LEASE = 30_000;
  const open = (answer: (jobs: readonly ReservedJob[]) => Promise<readonly SettleResult[]>) => {
    const clock = new FakeClock(0);
    const beats: [number, string[]][] = [];
    const reports: string[] = [];
    const leases: LeaseAbility = {
      renew: (jobs) => {
        beats.push([clock.now(), jobs.map(({ id }) => id)]);
        return answer(jobs);
      },
    };
    const heartbeat = new Heartbeat(leases, LEASE, clock, (message) => void reports.push(message));
    return { clock, beats, reports, heartbeat };
  };
  const leased = (clock: FakeClock, id: string) => {
    const lost: [number, LeaseLostError][] = [];
    const reserved = { id } as ReservedJob;
    return {
      reserved,
      displayName: `Job ${id}`,
      lost: (error: LeaseLostError) => void lost.push([clock.now(), error]),
      gone: lost,
    } satisfies Leased & { gone: unknown };
  };
  const held = (jobs: readonly ReservedJob[]) => Promise.resolve(jobs.map((): SettleResult => ({ ok: true })));

  it('renews all in one call each third of the lease', async () => {
    const { clock, beats, heartbeat } = open(held);
    const [a, b] = [leased(clock, 'a'), leased(clock, 'b')];
    heartbeat.add(a);
    heartbeat.add(b);
    await clock.advance(25);
    heartbeat.remove(a);
    await clock.advance(10);
    expect(beats).toEqual([
      [10_000, ['a', 'b']],
      [20_000, ['a', 'b']],
      [30_000, ['b']],
    ]);
    expect([...a.gone, ...b.gone]).toEqual([]);
  });

  it('rests while nothing is held, and begins again', async () => {
    const { clock, beats, heartbeat } = open(held);
    const a = leased(clock, 'a');
    heartbeat.add(a);
    heartbeat.remove(a);
    await clock.advance(60);
    expect(beats).toEqual([]);
    heartbeat.add(a);
    await clock.advance(10);
    expect(beats).toHaveLength(1);
  });

  it('tells a job that its lease is gone, and why', async () => {
    const { clock, heartbeat } = open((jobs) =>
      Promise.resolve(
        jobs.map(({ id }) => ({ ok: false, reason: id === 'a' ? ('lease-lost' as const) : ('cancelled' as const) })),
      ),
    );
    const [a, b] = [leased(clock, 'a'), leased(clock, 'b')];
    heartbeat.add(a);
    heartbeat.add(b);
    await clock.advance(60);
    expect(a.gone).toEqual([[10_000, expect.objectContaining({ reason: 'lease-lost' })]]);
    expect(b.gone).toEqual([[10_000, expect.objectContaining({ reason: 'cancelled' })]]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('down'))],
    ['hangs', () => new Promise<never>(() => {})],
    [
      'answers with errors',
      (jobs: readonly ReservedJob[]) => Promise.resolve(jobs.map((): SettleResult => ({ ok: false, reason: 'error' }))),
    ],
  ])('gives a job up at nine tenths of the lease where the store %s', async (_, answer) => {
    const { clock, heartbeat } = open(answer);
    const a = leased(clock, 'a');
    heartbeat.add(a);
    await clock.advance(26.9);
    expect(a.gone).toEqual([]);
    await clock.advance(10);
    expect(a.gone).toEqual([[27_000, expect.objectContaining({ reason: 'lease-lost' })]]);
  });

  it('counts the nine tenths from the last renewal that succeeded', async () => {
    let up = true;
    const { clock, heartbeat, reports } = open((jobs) => (up ? held(jobs) : Promise.reject(new Error('down'))));
    const a = leased(clock, 'a');
    heartbeat.add(a);
    await clock.advance(20.5);
    up = false;
    await clock.advance(60);
    expect(a.gone.map(([at]) => at)).toEqual([47_000]);
    expect(reports.length).toBeGreaterThan(0);
    heartbeat.stop();
  });

  it('a renewal may take a sixth of the lease, five seconds at most; the next one is not held up', async () => {
    let first = true;
    const { clock, beats, heartbeat } = open((jobs) => {
      if (!first) return held(jobs);
      first = false;
      return new Promise(() => {});
    });
    const a = leased(clock, 'a');
    heartbeat.add(a);
    await clock.advance(31);
    expect(beats.map(([at]) => at)).toEqual([10_000, 20_000, 30_000]);
    expect(a.gone).toEqual([]);
  });

  it('does nothing where leases cannot be renewed', async () => {
    const clock = new FakeClock(0);
    const heartbeat = new Heartbeat(undefined, LEASE, clock, () => {});
    const a = leased(clock, 'a');
    heartbeat.add(a);
    await clock.advance(100);
    expect(a.gone).toEqual([]);
  });
});
