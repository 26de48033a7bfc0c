import { beforeEach, describe, expect, it } from '@jest/globals';
import { resolveConnections } from '../../../../lib/connections/connection-config.js';
import { FakeClock } from '../../../../lib/testing/fake-clock.js';
import type { Beat } from '../../../../lib/worker/supervisor/beat.js';
import type { QueueLoad } from '../../../../lib/worker/supervisor/pool-gauge.js';
import type { WorkerEars } from '../../../../lib/worker/supervisor/supervised-process.js';
import { resolveSupervisors, type SupervisorOptions } from '../../../../lib/worker/supervisor/supervisor-options.js';
import { Supervisor, type SupervisorNote } from '../../../../lib/worker/supervisor/supervisor.js';

const config = resolveConnections({});

/** A process that does what the test says. */
class FakeProcess {
  static count = 0;
  readonly pid = (FakeProcess.count += 1);
  readonly orders: string[] = [];
  killed = false;
  over = false;
  #busyMs = 0;

  constructor(
    readonly queues: readonly string[],
    readonly startedAt: number,
    private readonly ears: WorkerEars,
  ) {}

  order(what: string): void {
    this.orders.push(what);
  }

  kill(): void {
    this.killed = true;
    this.end(null, 'SIGKILL');
  }

  /** A second of its life. */
  beat(told: Partial<Beat> = {}): void {
    this.#busyMs += (told.busy ?? told.running ?? 0) * 1_000;
    const { running = 0 } = told;
    const beat = { state: 'running', running, processed: 0, failed: 0, busy: running, rss: 80, patienceMs: 0 };
    this.ears.told({ beat: { ...beat, busyMs: this.#busyMs, ...told } });
  }

  end(code: number | null, signal: string | null = null): void {
    if (this.over) return;
    this.over = true;
    this.ears.ended(code, signal);
  }
}

let clock: FakeClock;
let processes: FakeProcess[];
let notes: SupervisorNote[];
let loads: Record<string, QueueLoad | Error>;
/** What each living process tells every second; `undefined` is silence. */
let telling: (one: FakeProcess) => Partial<Beat> | undefined;

beforeEach(() => {
  clock = new FakeClock(0);
  processes = [];
  notes = [];
  loads = {};
  telling = () => ({});
});

function supervisor(options: SupervisorOptions): Supervisor {
  const resolved = resolveSupervisors({ main: options }, config, 2).get('main')!;
  return new Supervisor(resolved, {
    clock,
    spawn: (queues, ears) => {
      const one = new FakeProcess(queues, clock.elapsed(), ears);
      processes.push(one);
      return one;
    },
    loads: async (queues) =>
      queues.map((queue) => {
        const load = loads[queue] ?? { waiting: 0, oldestMs: 0 };
        if (load instanceof Error) throw load;
        return load;
      }),
    tell: (note) => notes.push(note),
    random: () => 1,
  });
}

const alive = (queue?: string): FakeProcess[] =>
  processes.filter(({ over, queues }) => !over && (queue === undefined || queues.includes(queue)));
const staying = (queue?: string): FakeProcess[] => alive(queue).filter(({ orders }) => !orders.includes('stop'));
const waiting = (count: number, oldestMs = 0): QueueLoad => ({ waiting: count, oldestMs });

async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    for (const one of alive()) {
      const told = telling(one);
      if (told) one.beat(told);
    }
    await clock.advance(1);
  }
}

describe('a supervisor', () => {
  it('starts the least, of every queue', () => {
    void supervisor({ queues: ['high', 'low'], minProcesses: 2, maxProcesses: 9 }).run();
    expect(processes.map(({ queues }) => queues)).toEqual([['high'], ['high'], ['low'], ['low']]);
  });

  it('shares out everything with simple, and leaves it so', async () => {
    loads['low'] = waiting(500);
    void supervisor({ queues: ['high', 'low'], balance: 'simple', maxProcesses: 5 }).run();
    await seconds(12);
    expect([staying('high').length, staying('low').length]).toEqual([3, 2]);
  });

  it('adds one at a time, with pauses, until there are as many as there may be', async () => {
    loads['high'] = waiting(1_000);
    telling = () => ({ running: 1 });
    void supervisor({ queues: ['high', 'low'], maxProcesses: 4 }).run();
    const counts: number[] = [];
    for (let second = 0; second < 12; second++) {
      await seconds(1);
      counts.push(alive('high').length);
    }
    expect(counts.at(-1)).toBe(3);
    expect(alive('low')).toHaveLength(1);
    const startedAt = alive('high').map((one) => one.startedAt);
    expect(startedAt).toEqual([0, 4_000, 7_000]);
    expect(notes.filter(({ event }) => event === 'scaled')).toHaveLength(2);
  });

  it('starts more than one at a time where it may', async () => {
    loads['high'] = waiting(1_000);
    void supervisor({ queues: ['high'], maxProcesses: 8, balanceMaxShift: 3 }).run();
    await seconds(4);
    expect(alive()).toHaveLength(4);
  });

  it('starts nothing while the slots suffice', async () => {
    loads['high'] = waiting(5);
    telling = () => ({ running: 5 });
    void supervisor({ queues: ['high'], concurrency: 10, maxProcesses: 4, strategy: 'size' }).run();
    await seconds(10);
    expect(alive()).toHaveLength(1);
    loads['high'] = waiting(6);
    await seconds(4);
    expect(alive()).toHaveLength(2);
  });

  it('ends the idlest when it is quiet again, and not before it has been for a while', async () => {
    loads['high'] = waiting(1_000);
    telling = () => ({ running: 1 });
    void supervisor({ queues: ['high'], maxProcesses: 3 }).run();
    await seconds(9);
    expect(staying()).toHaveLength(3);
    loads['high'] = waiting(0);
    telling = ({ pid }) => ({ running: pid === processes[2]!.pid ? 1 : 0 });
    await seconds(5);
    expect(staying()).toHaveLength(3);
    await seconds(7);
    // The busy one stays, and one to spare.
    expect(staying()).toEqual([processes[0], processes[2]]);
    expect(processes[1]!.orders).toEqual(['stop']);
    telling = () => ({});
    await seconds(15);
    expect(staying()).toHaveLength(1);
  });

  it('counts those that are ending among those that there may be', async () => {
    loads['high'] = waiting(1_000);
    telling = () => ({ running: 1 });
    void supervisor({ queues: ['high', 'low'], maxProcesses: 4 }).run();
    await seconds(9);
    expect(alive('high')).toHaveLength(3);
    loads = { high: waiting(0), low: waiting(1_000) };
    telling = ({ queues }) => ({ running: queues[0] === 'low' ? 1 : 0 });
    await seconds(12);
    expect(alive()).toHaveLength(4);
    expect(staying('low')).toHaveLength(1);
    for (const one of alive('high')) if (one.orders.includes('stop')) one.end(0);
    await seconds(3);
    expect(staying('low')).toHaveLength(2);
  });

  it('works all queues with every process where it does not balance, and still scales', async () => {
    loads = { high: waiting(300), low: waiting(300) };
    void supervisor({ queues: ['high', 'low'], balance: false, maxProcesses: 2 }).run();
    expect(alive()).toHaveLength(1);
    await seconds(4);
    expect(processes.map(({ queues }) => queues)).toEqual([
      ['high', 'low'],
      ['high', 'low'],
    ]);
  });

  it('leaves things as they are while the store tells nothing, and says so once', async () => {
    loads['high'] = waiting(1_000);
    void supervisor({ queues: ['high'], maxProcesses: 4 }).run();
    await seconds(4);
    loads['high'] = new Error('connect ECONNREFUSED');
    await seconds(12);
    expect(alive()).toHaveLength(2);
    expect(notes.filter(({ event }) => event === 'blind')).toEqual([
      expect.objectContaining({ error: expect.stringContaining('ECONNREFUSED') }),
    ]);
  });
});

describe('what dies', () => {
  it('is replaced at once where it has lived for a while, or has ended as it should', async () => {
    void supervisor({ queues: ['high'], maxProcesses: 1 }).run();
    await seconds(11);
    processes[0]!.end(null, 'SIGSEGV');
    expect(alive()).toHaveLength(1);
    for (const reason of ['max_jobs', 'max_time', 'restart_signal', 'interrupted'] as const) {
      const last = processes.at(-1)!;
      last.beat({ reason });
      last.end(0);
      expect(alive()).toHaveLength(1);
    }
    processes.at(-1)!.beat({ reason: 'memory', processed: 3 });
    processes.at(-1)!.end(12);
    expect(alive()).toHaveLength(1);
  });

  it('waits longer and longer where it dies at once, up to half a minute, and begins anew once one has lived', async () => {
    void supervisor({ queues: ['high'], maxProcesses: 1 }).run();
    const waits: number[] = [];
    for (let death = 0; death < 8; death++) {
      const at = clock.elapsed();
      processes.at(-1)!.end(1);
      expect(alive()).toHaveLength(0);
      while (alive().length === 0) await seconds(1);
      waits.push((clock.elapsed() - at) / 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    expect(notes.filter(({ event }) => event === 'ended')[2]).toMatchObject({ code: 1, waitMs: 4_000 });
    await seconds(11);
    processes.at(-1)!.end(1);
    expect(alive()).toHaveLength(1);
    processes.at(-1)!.end(1);
    await seconds(1);
    expect(alive()).toHaveLength(1);
  });

  it.each([
    ['ends with 0 and has told nothing', undefined, 0],
    ['is too large before its first job', 'memory', 12],
    ['finds its store gone', 'lost_connection', 0],
  ] as const)('counts as dying at once when it %s', async (_, reason, code) => {
    void supervisor({ queues: ['high'], maxProcesses: 1 }).run();
    processes[0]!.beat(reason && { reason });
    processes[0]!.end(code);
    expect(alive()).toHaveLength(0);
  });

  it('counts those that were started together as one, and tries one at a time after that', async () => {
    void supervisor({ queues: ['high'], minProcesses: 4, maxProcesses: 4 }).run();
    const together = [...processes];
    for (const one of together) one.end(1);
    await seconds(1);
    expect(processes).toHaveLength(8);
    for (const one of alive()) one.end(1);
    await seconds(2);
    expect(processes).toHaveLength(9);
    await seconds(6);
    expect(processes).toHaveLength(9);
    await seconds(6);
    expect(alive()).toHaveLength(4);
  });

  it('gets no company, however much waits', async () => {
    loads['high'] = waiting(1_000);
    void supervisor({ queues: ['high'], maxProcesses: 6 }).run();
    for (let round = 0; round < 20; round++) {
      for (const one of alive()) one.end(1);
      await seconds(1);
    }
    expect(notes.filter(({ event }) => event === 'scaled')).toEqual([]);
  });

  it('is told of where it cannot be started at all', async () => {
    const resolved = resolveSupervisors({ main: { maxProcesses: 1 } }, config, 1).get('main')!;
    let tries = 0;
    const one = new Supervisor(resolved, {
      clock,
      spawn: () => {
        tries += 1;
        throw new Error('spawn EAGAIN');
      },
      loads: async () => [waiting(0)],
      tell: (note) => notes.push(note),
      random: () => 1,
    });
    void one.run();
    expect(notes).toEqual([expect.objectContaining({ event: 'ended', pid: undefined, error: 'spawn EAGAIN' })]);
    await seconds(3);
    expect(tries).toBe(3);
  });
});

describe('what goes wrong', () => {
  it('is killed when it tells nothing for longer than a job may run, and replaced', async () => {
    void supervisor({ queues: ['high'], maxProcesses: 1, timeout: 20, timeoutGrace: 5 }).run();
    await seconds(2);
    telling = () => undefined;
    await seconds(33);
    expect(processes[0]!.killed).toBe(false);
    await seconds(2);
    expect(processes[0]!.killed).toBe(true);
    expect(notes.find(({ event }) => event === 'killed')).toMatchObject({ cause: 'silent' });
    expect(alive()).toHaveLength(1);
  });

  it('is given as long as its job says, or for ever', async () => {
    void supervisor({ queues: ['high'], minProcesses: 2, maxProcesses: 2, timeout: 1, timeoutGrace: 1 }).run();
    await seconds(1);
    processes[0]!.beat({ patienceMs: 300_000 });
    processes[1]!.beat({ patienceMs: null });
    telling = () => undefined;
    await seconds(305);
    expect(alive()).toHaveLength(2);
    await seconds(10);
    expect(alive()[0]).toBe(processes[1]);
    expect(processes[0]!.killed).toBe(true);
  });

  it('may be blocked for ever where no job has a timeout, but not while it boots', async () => {
    void supervisor({ queues: ['high'], minProcesses: 2, maxProcesses: 2, timeout: 0 }).run();
    const [boots, works] = processes;
    boots!.beat({ state: 'starting' });
    works!.beat({ running: 1 });
    telling = () => undefined;
    await seconds(59);
    expect(boots!.killed).toBe(false);
    await seconds(600);
    expect([boots!.killed, works!.killed]).toEqual([true, false]);
  });

  it('is not held against it while the machine slept', async () => {
    void supervisor({ queues: ['high'], maxProcesses: 1, timeout: 1, timeoutGrace: 1 }).run();
    await seconds(2);
    let late = clock.elapsed();
    const real = clock.elapsed.bind(clock);
    clock.elapsed = () => real() + late;
    await seconds(1);
    late += 3_600_000;
    await seconds(5);
    expect(processes[0]!.killed).toBe(false);
  });

  it('is let go when it is too large for a while and does not notice', async () => {
    void supervisor({ queues: ['high'], maxProcesses: 1, memory: 100 }).run();
    telling = ({ pid }) => ({ rss: pid === processes[0]!.pid ? 150 : 50, running: 1 });
    await seconds(14);
    expect(processes[0]!.orders).toEqual([]);
    await seconds(3);
    expect(processes[0]!.orders).toEqual(['stop']);
    expect(notes.find(({ event }) => event === 'too-large')).toMatchObject({ rss: 150 });
    processes[0]!.end(0);
    expect(alive()).toHaveLength(1);
  });

  it('is killed behind its grace', async () => {
    loads['high'] = waiting(9);
    telling = () => ({ running: 1 });
    void supervisor({ queues: ['high'], maxProcesses: 2, grace: 5 }).run();
    await seconds(4);
    loads['high'] = waiting(0);
    telling = () => ({});
    await seconds(12);
    const ending = alive().find(({ orders }) => orders.includes('stop'))!;
    expect(ending.killed).toBe(false);
    await seconds(15);
    expect(ending.killed).toBe(true);
    expect(notes.find(({ event }) => event === 'killed')).toMatchObject({ cause: 'grace', pid: ending.pid });
    expect(staying()).toHaveLength(1);
  });
});

describe('told to', () => {
  it('stop, it tells all at once, starts nothing, and ends with the last of them', async () => {
    const one = supervisor({ queues: ['high', 'low'], maxProcesses: 4 });
    let ended = false;
    const run = one.run().then(() => (ended = true));
    await seconds(2);
    one.stop();
    one.stop();
    expect(processes.map(({ orders }) => orders)).toEqual([['stop'], ['stop']]);
    processes[0]!.end(1);
    await seconds(3);
    expect([processes.length, ended]).toEqual([2, false]);
    processes[1]!.end(0);
    await run;
    expect(notes.filter(({ event }) => event.startsWith('stop')).map(({ event }) => event)).toEqual([
      'stopping',
      'stopped',
    ]);
    await seconds(30);
    expect(processes).toHaveLength(2);
  });

  it('stop, it waits no longer than the grace and a little', async () => {
    const one = supervisor({ queues: ['high'], grace: 5 });
    const run = one.run();
    await seconds(1);
    one.stop();
    await seconds(14);
    expect(processes[0]!.killed).toBe(false);
    await seconds(2);
    expect(processes[0]!.killed).toBe(true);
    await run;
  });

  it('stop, it does not wait for what it would have started anew', async () => {
    const one = supervisor({ queues: ['high'], maxProcesses: 1 });
    const run = one.run();
    processes[0]!.end(1);
    one.stop();
    await run;
    expect(processes).toHaveLength(1);
  });

  it('hurry, it has the jobs given back, and kills what does not', async () => {
    const one = supervisor({ queues: ['high', 'low'] });
    void one.run();
    await seconds(1);
    one.stop();
    await seconds(1);
    const forced = one.force();
    expect(processes.map(({ orders }) => orders)).toEqual([
      ['stop', 'force'],
      ['stop', 'force'],
    ]);
    processes[0]!.end(1);
    await seconds(3);
    await forced;
    expect(processes.map(({ killed }) => killed)).toEqual([false, true]);
  });

  it('pause, it hands that on, also to what it starts meanwhile, and neither adds nor takes away', async () => {
    const one = supervisor({ queues: ['high'], maxProcesses: 3 });
    void one.run();
    await seconds(1);
    one.resume();
    one.pause();
    one.pause();
    expect(processes[0]!.orders).toEqual(['pause']);
    loads['high'] = waiting(1_000);
    await seconds(11);
    processes[0]!.end(null, 'SIGKILL');
    expect(processes.map(({ orders }) => orders)).toEqual([['pause'], ['pause']]);
    await seconds(4);
    expect(processes).toHaveLength(2);
    one.resume();
    expect(processes[1]!.orders).toEqual(['pause', 'resume']);
    await seconds(4);
    expect(alive().length).toBeGreaterThan(1);
  });
});

it('tells the figures of its pools, those of ended processes included', async () => {
  const one = supervisor({ queues: ['high', 'low'], concurrency: 5, maxProcesses: 2, maxJobs: 10 });
  void one.run();
  loads['high'] = waiting(7);
  telling = ({ queues }) =>
    queues[0] === 'high' ? { running: 3, processed: 10, failed: 2, rss: 90.4, reason: 'max_jobs' } : {};
  await seconds(4);
  processes[0]!.end(0);
  await seconds(1);
  const [high, low] = one.status();
  expect(high).toEqual({
    supervisor: 'main',
    connection: config.default,
    queues: ['high'],
    processes: 1,
    ending: 0,
    slots: 5,
    running: 3,
    waiting: 7,
    processedPerMinute: 20,
    processed: 20,
    failed: 4,
    memory: 90,
  });
  expect(low).toMatchObject({ queues: ['low'], processed: 0, waiting: 0 });
});

it('hears only what its workers tell', async () => {
  const one = supervisor({ queues: ['high'] });
  void one.run();
  const [first] = processes;
  for (const said of [
    null,
    'working',
    { beat: 1 },
    { beat: { state: 'running', running: 'many' } },
    { job: 'started' },
  ]) {
    (first as unknown as { ears: WorkerEars }).ears.told(said);
  }
  expect(one.status()[0]).toMatchObject({ running: 0, memory: 0 });
});
