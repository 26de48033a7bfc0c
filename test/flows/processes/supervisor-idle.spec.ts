import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Gauges } from '../../fixtures/processes/gauges.js';
import { Supervised } from './supervised.js';

const LIMIT_MS = 90_000;
/** Looks become seldom with the time that nothing is to do. */
const SETTLE_MS = 12_000;
const WATCHED_MS = 12_000;
const WORKERS = 4;

/** Shares of a CPU, in a stretch of time. */
interface Spent {
  readonly supervisor: number;
  readonly all: number;
}

let main: Supervised;
let spent: readonly Spent[];

beforeAll(async () => {
  main = await Supervised.start(
    { queues: ['high', 'default'], minProcesses: 2, maxProcesses: 8, concurrency: 5 },
    // A fixture's watch over the event loop costs more than what is measured here.
    { env: { LOOP_WATCH: 'off' } },
  );
  await main.workers(WORKERS);
  await sleep(SETTLE_MS);
  const looks = [await gauges()];
  for (let stretch = 0; stretch < 2; stretch++) {
    await sleep(WATCHED_MS);
    looks.push(await gauges());
  }
  spent = looks.slice(1).map((now, at) => between(looks[at]!, now));
}, LIMIT_MS);
afterAll(() => main?.close(), LIMIT_MS);

describe(`a supervisor with ${WORKERS} idle workers`, () => {
  // A machine that has much else to do counts some of that: what is told once is held for two stretches, of which the better one counts.
  it('uses less than 1 % of a CPU itself', () => {
    expect(Math.min(...spent.map(({ supervisor }) => supervisor))).toBeLessThan(0.01);
  });

  it('uses less than 2 % of a CPU together with them', () => {
    expect(Math.min(...spent.map(({ all }) => all))).toBeLessThan(0.02);
  });

  it('starts and ends nothing meanwhile', () => {
    expect(main.said('started')).toHaveLength(WORKERS);
    expect(main.said('ended')).toEqual([]);
    expect(main.child.err).not.toMatch(/WARN|ERROR/);
  });
});

type Look = ReadonlyMap<number, { readonly at: number; readonly cpuMs: number }>;

/** Of the supervisor and of its workers, by their own gauges. */
async function gauges(): Promise<Look> {
  const pids = [main.child.pid, ...main.said('started').map(({ pid }) => pid!)];
  const before = main.site.lines('gauge').length;
  for (const pid of pids) process.kill(pid, 'SIGIO');
  await main.site.until('the gauges', () => main.site.lines('gauge').length === before + pids.length);
  const lines = main.site.lines('gauge').slice(before);
  return new Map(lines.map(({ at, pid, info }) => [pid, { at, cpuMs: (info as Gauges).cpuMs }]));
}

function between(before: Look, after: Look): Spent {
  const share = (pid: number): number => {
    const [from, to] = [before.get(pid)!, after.get(pid)!];
    return (to.cpuMs - from.cpuMs) / (to.at - from.at);
  };
  const all = [...after.keys()].reduce((sum, pid) => sum + share(pid), 0);
  return { supervisor: share(main.child.pid), all };
}
