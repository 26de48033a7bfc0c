import { afterEach, describe, expect, it } from '@jest/globals';
import { fitDriver } from '../../../lib/connections/fit-driver.js';
import { unlimited } from '../../../lib/contracts/driver-limits.js';
import type { ReservedJob, SettleResult, Settlement } from '../../../lib/contracts/queue-driver.js';
import { systemClock } from '../../../lib/support/clock.js';
import { Intake } from '../../../lib/worker/intake.js';
import { Settler } from '../../../lib/worker/settler.js';

const ack = (id: string): Settlement => ({ kind: 'ack', job: { id } as ReservedJob });
const ok: SettleResult = { ok: true };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let giveUp = new AbortController();
afterEach(() => {
  giveUp.abort();
  giveUp = new AbortController();
});

function open(answer: (batch: readonly Settlement[], call: number) => Promise<readonly SettleResult[]>) {
  const calls: string[][] = [];
  const reports: string[] = [];
  const settle = (batch: readonly Settlement[]) => {
    calls.push(batch.map((one) => one.job.id));
    return answer(batch, calls.length);
  };
  const driver = fitDriver(
    {
      limits: unlimited,
      push: () => Promise.resolve([]),
      reserve: () => Promise.resolve([]),
      size: () => Promise.resolve([]),
      settle,
    },
    'test',
  );
  const settler = new Settler(driver, systemClock, (message) => void reports.push(message), giveUp.signal);
  return { settler, driver, calls, reports };
}
const all = (batch: readonly Settlement[]) => Promise.resolve(batch.map(() => ok));

describe('Settler', () => {
  it('hands in together what ends in one turn of the event loop, and nothing waits for a timer', async () => {
    const { settler, calls } = open(all);
    const first = [settler.add(ack('a')), settler.add(ack('b'))];
    await Promise.resolve();
    first.push(settler.add(ack('c')));
    await turn();
    expect(calls).toEqual([['a', 'b', 'c']]);
    expect(await Promise.all(first)).toEqual([ok, ok, ok]);
    await settler.add(ack('d'));
    expect(calls).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('keeps them for the next claim while there will be one, unless one goes alone', async () => {
    const { settler, calls } = open(all);
    settler.taking = true;
    void settler.add(ack('a'));
    await turn();
    await turn();
    expect(calls).toEqual([]);
    expect(settler.pending).toBe(1);
    await settler.add(ack('b'), true);
    expect(calls).toEqual([['a', 'b']]);
    void settler.add(ack('c'));
    settler.taking = false;
    await turn();
    expect(calls).toEqual([['a', 'b'], ['c']]);
  });

  it('goes along with a claim in one trip', async () => {
    const { settler, driver, calls } = open(all);
    settler.taking = true;
    const answered = settler.add(ack('a'));
    const intake = new Intake(driver, settler, 1_000, { slots: 1, popping() {}, arrived() {}, changed() {} });
    expect(await intake.take(['default'], 1, 5_000)).toEqual({ jobs: [], waited: false });
    expect(await answered).toEqual(ok);
    expect(calls).toEqual([['a']]);
    expect(await intake.take(['default'], 1, 5_000)).toEqual({ jobs: [], waited: true });
  });

  it('gives each its own answer', async () => {
    const lost: SettleResult = { ok: false, reason: 'lease-lost' };
    const { settler } = open((batch) => Promise.resolve(batch.map((one) => (one.job.id === 'b' ? lost : ok))));
    expect(await Promise.all([settler.add(ack('a')), settler.add(ack('b'))])).toEqual([ok, lost]);
  });

  it('hands in again what the store did not take, the rest not', async () => {
    const { settler, calls } = open((batch, call) =>
      Promise.resolve(batch.map((one) => (one.job.id === 'b' && call < 3 ? { ok: false, reason: 'error' } : ok))),
    );
    expect(await Promise.all([settler.add(ack('a')), settler.add(ack('b'))])).toEqual([ok, ok]);
    expect(calls).toEqual([['a', 'b'], ['b'], ['b']]);
    expect(settler.open).toBe(0);
  });

  it('hands in again after a rejection, in order, and says so', async () => {
    const { settler, calls, reports } = open((batch, call) =>
      call < 3 ? Promise.reject(new Error('down')) : all(batch),
    );
    const answers = [settler.add(ack('a')), settler.add(ack('b'))];
    expect(await Promise.all(answers)).toEqual([ok, ok]);
    expect(calls).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(reports).toHaveLength(2);
    await settler.idle();
  });

  it('does not wait for a claim with what was not taken: all slots may be held by jobs that wait for just this', async () => {
    const { settler, calls } = open((batch, call) => {
      if (call === 1) return Promise.reject(new Error('away'));
      return call === 2 ? Promise.resolve([{ ok: false, reason: 'error' }]) : all(batch);
    });
    settler.taking = true;
    expect(await settler.add(ack('a'), true)).toEqual(ok);
    expect(calls).toEqual([['a'], ['a'], ['a']]);
  });

  it('takes a missing answer for one that is not known', async () => {
    const { settler, calls } = open((batch, call) => Promise.resolve(call === 1 ? [ok] : batch.map(() => ok)));
    expect(await Promise.all([settler.add(ack('a')), settler.add(ack('b'))])).toEqual([ok, ok]);
    expect(calls).toEqual([['a', 'b'], ['b']]);
  });

  it('gives up when told: everything is answered, and it is idle', async () => {
    const { settler } = open(() => Promise.reject(new Error('down')));
    const answer = settler.add(ack('a'));
    await turn();
    giveUp.abort();
    expect(await answer).toMatchObject({ ok: false, reason: 'error' });
    await settler.idle();
    expect(settler.open).toBe(0);
    expect(await settler.add(ack('b'))).toMatchObject({ ok: false, reason: 'error' });
  });
});
