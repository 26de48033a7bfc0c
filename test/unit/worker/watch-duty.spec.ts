import { describe, expect, it } from '@jest/globals';
import type { StoreWatch } from '../../../lib/contracts/backend.js';
import type { SettleResult } from '../../../lib/contracts/queue-driver.js';
import { WatchBoard } from '../../../lib/worker/watch-board.js';
import { WatchDuty } from '../../../lib/worker/watch-duty.js';

const LEASE = 30_000;
const GRACE = 5_000;
const TIMEOUT = 60_000;

type Answer = 'ok' | 'lease-lost' | 'error' | 'reject' | 'hang';

/** A worker's board with a watchdog that is looked after by hand: time goes on by `pass`. */
function open({ leaseMs = LEASE, graceMs = GRACE, mayKill = true } = {}) {
  let now = 1_000_000;
  let answer: Answer = 'ok';
  const log: string[] = [];
  const said: string[] = [];
  const released: unknown[] = [];
  const board = WatchBoard.of(8);
  board.beat = now;
  const memos = new Map<string, string>();
  const reply = async (count: number): Promise<SettleResult[]> => {
    if (answer === 'reject') throw new Error('down');
    if (answer === 'hang') return new Promise(() => {});
    return Array.from({ length: count }, () =>
      answer === 'ok' ? { ok: true } : { ok: false, reason: answer as 'lease-lost' | 'error' },
    );
  };
  const store: StoreWatch = {
    renew: (jobs, ms) => {
      log.push(`${at()} renew ${jobs.map(({ id }) => id).join()} for ${ms}`);
      return reply(jobs.length);
    },
    release: (jobs) => {
      log.push(`${at()} release ${jobs.map(({ id }) => id).join()}`);
      released.push(...jobs);
      return reply(jobs.length);
    },
    close: () => Promise.resolve(),
  };
  const at = (): number => now - 1_000_000;
  const duty = new WatchDuty(
    board,
    store,
    { leaseMs, graceMs, mayKill },
    {
      elapsed: () => now,
      // A pause behind a call that hangs: the time goes by at once.
      pause: async (ms) => {
        if (answer === 'ok' || answer === 'lease-lost') return new Promise(() => {});
        await new Promise((resolve) => setImmediate(resolve));
        now += ms;
      },
      memoOf: ({ id }) => memos.get(id),
      say: (line) => void said.push(line),
      kill: () => void log.push(`${at()} kill`),
    },
  );
  const hold = (id: string): number => board.hold(id, `token of ${id}`, now, 'mails')!;
  const start = (place: number, timeoutMs: number, more: { delayMs?: number; hasMemo?: boolean } = {}): void => {
    board.start(place, {
      displayName: 'Job',
      deadline: timeoutMs > 0 ? now + timeoutMs : Infinity,
      timeoutMs,
      delayMs: 0,
      hasMemo: false,
      ...more,
    });
  };
  return {
    board,
    log,
    said,
    released,
    memos,
    hold,
    run: (id: string, timeoutMs = TIMEOUT, more = {}) => start(hold(id), timeoutMs, more),
    at,
    answers: (with_: Answer) => void (answer = with_),
    beat: () => void (board.beat = now),
    /** Without a look: the thread, too, was stopped. */
    freeze: (ms: number) => void (now += ms),
    pass: async (ms: number, beatEvery = Infinity): Promise<void> => {
      const end = now + ms;
      let nextBeat = now + beatEvery;
      while (now < end) {
        const wait = await duty.look();
        await new Promise((resolve) => setImmediate(resolve));
        now = Math.min(end, now + wait);
        while (nextBeat <= now) {
          board.beat = nextBeat;
          nextBeat += beatEvery;
        }
      }
    },
  };
}

describe('a watchdog', () => {
  it('does nothing while the loop answers, however long its jobs take', async () => {
    const { run, pass, log } = open();
    run('late');
    await pass(10 * TIMEOUT, 250);
    expect(log).toEqual([]);
  });

  it('renews after a third of a lease of silence, at once and each third on', async () => {
    const { run, hold, pass, log } = open();
    run('a', 600_000);
    hold('waiting');
    await pass(31_500);
    expect(log).toEqual([
      '10000 renew a,waiting for 30000',
      '20000 renew a,waiting for 30000',
      '30000 renew a,waiting for 30000',
    ]);
  });

  it('notes what it has renewed, and only that', async () => {
    const { hold, board, pass, answers } = open();
    const place = hold('a');
    const before = board.renewedAt(place);
    answers('lease-lost');
    await pass(10_500);
    expect(board.renewedAt(place)).toBe(before);
    answers('ok');
    await pass(10_500);
    expect(board.renewedAt(place)).toBeGreaterThan(before + 9_000);
  });

  it('stops when the loop answers again, and begins anew at its next silence', async () => {
    const { run, pass, log, beat } = open();
    run('a', 600_000);
    await pass(11_000);
    beat();
    await pass(9_000);
    beat();
    await pass(10_500);
    expect(log.map((line) => Number.parseInt(line))).toEqual([10_000, 30_000]);
  });

  it.each(['reject', 'error', 'hang'] as const)(
    'tries again at its next look where the store fails (%s)',
    async (how) => {
      const { run, pass, log, answers } = open();
      run('a', 600_000);
      answers(how);
      await pass(19_000);
      expect(log.length).toBeGreaterThan(1);
      expect(log.every((line) => line.includes('renew a'))).toBe(true);
    },
  );

  it('renews a job without a timeout for one lease of silence', async () => {
    const { run, pass, log } = open();
    run('endless', 0);
    await pass(200_000);
    expect(log.map((line) => Number.parseInt(line))).toEqual([10_000, 20_000, 30_000]);
  });

  it('keeps what waits as long as a job that runs', async () => {
    const { run, hold, pass, log } = open();
    run('long', 80_000);
    run('endless', 0);
    hold('waiting');
    await pass(75_000);
    expect(log.at(2)).toContain('renew long,endless,waiting');
    expect(log.at(-1)).toContain('renew long,waiting');
  });

  it('at the deadline and grace gives the job back as timed out, the others uncounted, and ends the process', async () => {
    const { run, hold, pass, log, released, said } = open();
    run('stuck', 60_000, { delayMs: 7_000 });
    hold('beside');
    hold('waiting');
    // A process that lives on is told once.
    await pass(90_000);
    expect(log.filter((line) => !line.includes('renew'))).toEqual(['65000 release stuck,beside,waiting', '65000 kill']);
    expect(said).toHaveLength(1);
    expect(released).toEqual([
      {
        id: 'stuck',
        queue: 'mails',
        token: 'token of stuck',
        delayMs: 7_000,
        countAttempt: true,
        memo: '{"timedOut":60000}',
      },
      { id: 'beside', queue: 'mails', token: 'token of beside', delayMs: 0, countAttempt: false },
      { id: 'waiting', queue: 'mails', token: 'token of waiting', delayMs: 0, countAttempt: false },
    ]);
    expect(said[0]).toBe(
      'nestjs-queue: Job [stuck] ran past its timeout of 60 s and the grace of 5 s, and the event loop has been blocked for 65 s. The process is ended (SIGKILL). The job counts as timed out. It takes 2 other jobs along, uncounted, which will run again.',
    );
  });

  it('blames the one that is known to block, and nobody beside it', async () => {
    const { run, hold, board, pass, released, log } = open();
    run('slow', 1_000);
    const place = hold('blocker');
    board.start(place, { displayName: 'B', deadline: 1_020_000, timeoutMs: 20_000, delayMs: 0, hasMemo: false });
    board.entered = place;
    await pass(24_500);
    expect(log.filter((line) => !line.includes('renew'))).toEqual([]);
    await pass(1_000);
    expect(released).toMatchObject([
      { id: 'blocker', countAttempt: true, memo: '{"timedOut":20000}' },
      { id: 'slow', countAttempt: false },
    ]);
  });

  it('ends nothing while one that may be the one that computes is within its time, and then blames all', async () => {
    const { run, pass, released } = open();
    run('a', 1_000);
    run('b', 1_000);
    run('c', 20_000);
    await pass(24_000);
    expect(released).toEqual([]);
    await pass(2_500);
    expect(
      released.map((one) => [(one as { id: string }).id, (one as { countAttempt: boolean }).countAttempt]),
    ).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ]);
  });

  it('keeps what the job carries, besides the timeout', async () => {
    const { run, pass, released, memos } = open();
    memos.set('stuck', '{"exceptions":2}');
    run('stuck', 1_000, { hasMemo: true });
    await pass(8_000);
    expect(released[0]).toMatchObject({ memo: '{"exceptions":2,"timedOut":1000}' });
  });

  it('does not renew a job past its deadline and grace', async () => {
    const { run, pass, log } = open({ mayKill: false });
    run('stuck', 12_000);
    run('long', 600_000);
    await pass(35_000);
    expect(log).toEqual([
      '10000 renew stuck,long for 30000',
      expect.stringMatching(/^2\d{4} renew long for 30000$/),
      expect.stringMatching(/^3\d{4} renew long for 30000$/),
    ]);
  });

  it('leaves a process that is not its own alone, and says so once', async () => {
    const { run, pass, log, said } = open({ mayKill: false });
    run('stuck', 1_000);
    await pass(60_000);
    expect(log.filter((line) => !line.includes('renew'))).toEqual([expect.stringContaining('release stuck')]);
    expect(said).toEqual([expect.stringContaining('exitWhenStuck: true')]);
  });

  it('leaves a job past its deadline to a loop that answers', async () => {
    const { run, pass, log } = open();
    run('slow', 1_000);
    await pass(20_000, 250);
    expect(log).toEqual([]);
  });

  it('ends a process that blocks only after its deadline, once that is plain', async () => {
    const { run, pass, log } = open();
    run('slow', 1_000);
    await pass(8_000, 250);
    await pass(4_500);
    expect(log).toEqual([]);
    await pass(1_500);
    expect(log.at(-1)).toContain('kill');
  });

  it('does not count the time in which it was stopped itself', async () => {
    const { run, freeze, pass, beat, log } = open();
    run('stopped', 1_000);
    await pass(500, 250);
    freeze(100_000);
    await pass(800);
    // The loop comes to itself a moment after this thread.
    beat();
    await pass(5_000, 250);
    expect(log.filter((line) => !line.includes('renew'))).toEqual([]);
  });

  it.each(['reject', 'error', 'hang'] as const)(
    'ends the process after some seconds where the store does not take its jobs (%s)',
    async (how) => {
      const { run, pass, log, said, answers } = open();
      run('stuck', 1_000);
      answers(how);
      await pass(7_000);
      const killed = log.find((line) => line.includes('kill'))!;
      expect(Number.parseInt(killed)).toBeGreaterThanOrEqual(6_000 + 4_000);
      expect(Number.parseInt(killed)).toBeLessThan(6_000 + 9_000);
      expect(said[0]).toContain('The store did not take its jobs back');
    },
  );

  it('lets a process be that goes on before anything was given back', async () => {
    const { run, pass, log, answers, board } = open();
    run('stuck', 1_000);
    answers('error');
    const passing = pass(7_000);
    await until(() => log.some((line) => line.includes('release')));
    board.beat += 6_000;
    await passing;
    expect(log.filter((line) => line.includes('kill'))).toEqual([]);
  });

  it('prints no more of a name from the store than a line can bear', async () => {
    const { board, hold, pass, said } = open();
    const place = hold('stuck');
    board.start(place, {
      displayName: 'Job\n\u001b[2J',
      deadline: 1_000_000,
      timeoutMs: 1,
      delayMs: 0,
      hasMemo: false,
    });
    await pass(8_000);
    expect(said[0]).toMatch(/^nestjs-queue: Job\?\?\[2J \[stuck\] [ -~]*$/);
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
