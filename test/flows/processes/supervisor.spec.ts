import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { canHave } from './site.js';
import { lives, Supervised, type Said } from './supervised.js';

const LIMIT_MS = 60_000;
/** Of the one test in which the store tells how much waits; the others hold for any. */
const STORE = canHave('redis') ? 'redis' : 'sqlite';

const open = new Set<Supervised>();
async function supervised(...args: Parameters<typeof Supervised.start>): Promise<Supervised> {
  const one = await Supervised.start(...args);
  open.add(one);
  return one;
}
async function close(one: Supervised): Promise<void> {
  open.delete(one);
  await one.close();
}
afterAll(async () => {
  for (const one of open) await close(one);
}, LIMIT_MS);

/** Where it is the waiting that takes long: all at the same time, beside the others. */
let slow: Record<'stopped' | 'blocked' | 'broken', Promise<Supervised>>;
beforeAll(() => {
  slow = { stopped: stoppedWorker(), blocked: blockedWorker(), broken: brokenWorkers() };
  void Promise.allSettled(Object.values(slow));
});

const ended = (said: readonly Said[]): readonly Said[] => said.filter(({ event }) => event === 'ended');
const times = <T>(count: number, what: T): T[] => Array.from({ length: count }, () => what);

describe('a supervisor', () => {
  let main: Supervised;
  afterEach(() => close(main));

  it(
    `adds processes under load, takes them away after it, and loses nothing, on ${STORE}`,
    async () => {
      main = await supervised({ maxProcesses: 3, balanceCooldown: 1, queues: ['default', 'other'] }, { store: STORE });
      await main.workers(2);
      const producer = await main.site.producer();
      const ids = await producer.dispatch(...times(18, ['Stroll', 400] as const));
      await main.until('a third process', (said) => said.some(({ event, to }) => event === 'scaled' && to === 2));
      await main.site.until(
        'all jobs',
        (lines) => lines.filter(({ what }) => what === 'processed').length === ids.length,
      );
      await main.until('the least again', (said) => ended(said).some(({ expected }) => expected));
      expect(new Set(main.site.lines('end').map(({ id }) => id))).toEqual(new Set(ids));
      expect(main.site.lines('end')).toHaveLength(ids.length);
      expect(new Set(main.site.lines('end').map(({ pid }) => pid)).size).toBeGreaterThan(1);
      expect(main.said('killed')).toEqual([]);
      expect(await main.child.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
      expect(await main.site.left()).toEqual({ jobs: 0, failed: 0 });
    },
    LIMIT_MS,
  );

  it(
    'replaces what is killed, and what ends since it was told to by queue:restart',
    async () => {
      main = await supervised({ maxProcesses: 1, concurrency: 2 }, { env: { RETRY_AFTER: '2' } });
      const [first] = await main.workers(1);
      const producer = await main.site.producer();
      const [id] = await producer.dispatch(['Nap', 60_000]);
      await main.site.seen('start', id!);
      process.kill(first!, 'SIGKILL');
      const second = await another(main, first!);
      // The job of the one that was killed comes back.
      await main.site.seen('processed', id!);
      expect(ended(main.said())[0]).toMatchObject({ pid: first, signal: 'SIGKILL', expected: false });

      const [nap] = await producer.dispatch(['Nap', 1_000]);
      await main.site.seen('start', nap!);
      await producer.order({ kind: 'restart' });
      const third = await another(main, second);
      expect(main.site.lines(undefined, nap).map(({ what, pid }) => [what, pid])).toEqual([
        ['start', second],
        ['end', second],
        ['processed', second],
      ]);
      expect(ended(main.said())[1]).toMatchObject({ pid: second, code: 0, reason: 'restart_signal', waitMs: 0 });
      expect(main.child.running).toBe(true);
      expect(lives(third)).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    'has a worker end after its jobs, and another go on',
    async () => {
      main = await supervised({ maxProcesses: 1, maxJobs: 4 });
      const producer = await main.site.producer();
      const ids = await producer.dispatch(...times(10, ['Tick'] as const));
      await main.site.until('all jobs', (lines) => lines.filter(({ what }) => what === 'processed').length === 10);
      const by = new Map<number, number>();
      for (const { pid } of main.site.lines('processed')) by.set(pid, (by.get(pid) ?? 0) + 1);
      expect([...by.values()]).toEqual([4, 4, 2]);
      expect(new Set(main.site.lines('processed').map(({ id }) => id))).toEqual(new Set(ids));
      expect(ended(main.said()).map(({ code, reason, waitMs }) => ({ code, reason, waitMs }))).toEqual(
        times(2, { code: 0, reason: 'max_jobs', waitMs: 0 }),
      );
    },
    LIMIT_MS,
  );

  it(
    'drains everything at one SIGTERM: running jobs end, waiting ones stay, nothing is left behind',
    async () => {
      main = await supervised({ minProcesses: 2, maxProcesses: 2, concurrency: 2 });
      await main.workers(2);
      const producer = await main.site.producer();
      const naps = await producer.dispatch(...times(4, ['Nap', 1_500] as const));
      for (const id of naps) await main.site.seen('start', id);
      const [left] = await producer.dispatch(['Tick']);
      expect(await main.child.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
      for (const id of naps) {
        expect(main.site.lines(undefined, id).map(({ what }) => what)).toEqual([
          'start',
          'interrupted',
          'end',
          'processed',
        ]);
      }
      expect(main.site.lines('start', left)).toEqual([]);
      expect(await main.site.left()).toEqual({ jobs: 1, failed: 0 });
      expect(main.said('started')).toHaveLength(2);
      expect(ended(main.said()).map(({ code }) => code)).toEqual([0, 0]);
      await main.gone();
    },
    LIMIT_MS,
  );

  it(
    'stays until its workers have ended, although nobody reads what it prints any more',
    async () => {
      main = await supervised({ maxProcesses: 1 });
      await main.workers(1);
      const producer = await main.site.producer();
      const [id] = await producer.dispatch(['Nap', 1_500]);
      await main.site.seen('start', id!);
      expect(main.said('started')).toHaveLength(1);
      main.child.unread();
      const { code, signal, err } = await main.child.end('SIGTERM');
      expect({ code, signal }).toEqual({ code: 0, signal: null });
      expect(err).not.toContain('EPIPE');
      expect(main.site.lines('end', id)).toHaveLength(1);
      await main.gone();
    },
    LIMIT_MS,
  );

  it(
    'ends in order with its whole process group, and at once when it is told a second time',
    async () => {
      main = await supervised({ maxProcesses: 1, concurrency: 2, grace: 60 }, { group: true });
      await main.workers(1);
      const producer = await main.site.producer();
      const [nap, stroll] = await producer.dispatch(['Nap', 2_000], ['Obedient', 120_000]);
      await main.site.seen('start', nap!);
      await main.site.seen('start', stroll!);
      // As Ctrl-C does.
      process.kill(-main.child.pid, 'SIGINT');
      await main.site.seen('processed', nap!);
      await sleep(1_000);
      expect(main.child.running).toBe(true);
      process.kill(-main.child.pid, 'SIGINT');
      expect(await main.child.ended).toMatchObject({ code: 1, signal: null });
      expect(main.site.lines('interrupted', nap)).toHaveLength(1);
      expect(await main.site.left()).toEqual({ jobs: 1, failed: 0 });
      await main.gone();
    },
    LIMIT_MS,
  );

  it(
    'hands a pause on, and its end',
    async () => {
      main = await supervised({ maxProcesses: 1 });
      await main.workers(1);
      const producer = await main.site.producer();
      main.child.kill('SIGUSR2');
      await main.site.until('the pause', (lines) => lines.some(({ what }) => what === 'worker-pausing'));
      const [id] = await producer.dispatch(['Tick']);
      await sleep(500);
      expect(main.site.lines('start', id)).toEqual([]);
      main.child.kill('SIGCONT');
      await main.site.seen('processed', id!);
      expect(main.said().map(({ event }) => event)).toEqual(expect.arrayContaining(['paused', 'resumed']));
    },
    LIMIT_MS,
  );

  it(
    'leaves no orphans when it is killed: its workers end after their jobs',
    async () => {
      main = await supervised({ minProcesses: 2, maxProcesses: 2 });
      await main.workers(2);
      const producer = await main.site.producer();
      const [id] = await producer.dispatch(['Nap', 1_500]);
      await main.site.seen('start', id!);
      main.said();
      main.child.kill('SIGKILL');
      await main.gone();
      expect(main.site.lines(undefined, id).map(({ what }) => what)).toEqual([
        'start',
        'interrupted',
        'end',
        'processed',
      ]);
      expect(main.site.lines('worker-stopping').map(({ info }) => info)).toEqual(['interrupted', 'interrupted']);
    },
    LIMIT_MS,
  );
});

describe('a worker that does not do as it is told', () => {
  it(
    'is killed and replaced where it stands still, and its job comes back',
    async () => {
      const main = await slow.stopped;
      const [first] = main.said('started');
      expect(main.said('killed')).toMatchObject([{ pid: first!.pid, cause: 'silent' }]);
      expect(ended(main.said())).toMatchObject([{ pid: first!.pid, signal: 'SIGKILL' }]);
      expect(main.site.lines('processed').map(({ pid }) => pid)).not.toContain(first!.pid);
      await close(main);
    },
    LIMIT_MS,
  );

  it(
    'is killed behind its grace where it hears nothing, and the supervisor ends with 0',
    async () => {
      const main = await slow.blocked;
      expect(await main.child.ended).toMatchObject({ code: 0, signal: null });
      expect(main.said('killed')).toMatchObject([{ cause: 'grace' }]);
      await main.gone();
      expect(await main.site.left()).toEqual({ jobs: 1, failed: 0 });
      await close(main);
    },
    LIMIT_MS,
  );

  it(
    'is waited with for longer and longer where it dies at once, and is back by itself',
    async () => {
      const main = await slow.broken;
      const deaths = ended(main.said()).slice(1, 3);
      expect(deaths.map(({ code, expected }) => [code, expected])).toEqual(times(2, [1, false]));
      const waits = deaths.map(({ waitMs }) => waitMs!);
      // Half of each is left to chance.
      [2_000, 4_000].forEach((most, at) => {
        expect(waits[at]).toBeGreaterThanOrEqual(most / 2 - 100);
        expect(waits[at]).toBeLessThanOrEqual(most);
      });
      await close(main);
    },
    LIMIT_MS,
  );
});

async function stoppedWorker(): Promise<Supervised> {
  const main = await supervised({ maxProcesses: 1, timeout: 1, timeoutGrace: 1 }, { env: { RETRY_AFTER: '3' } });
  const [first] = await main.workers(1);
  const producer = await main.site.producer();
  process.kill(first!, 'SIGSTOP');
  const [id] = await producer.dispatch(['Tick']);
  await another(main, first!);
  await main.site.seen('processed', id!);
  return main;
}

async function blockedWorker(): Promise<Supervised> {
  const main = await supervised({ maxProcesses: 1, grace: 1 });
  await main.workers(1);
  const producer = await main.site.producer();
  const [id] = await producer.dispatch(['Spin', 50_000]);
  await main.site.seen('start', id!);
  main.child.kill('SIGTERM');
  await main.child.ended;
  return main;
}

async function brokenWorkers(): Promise<Supervised> {
  const main = await supervised({ maxProcesses: 1 });
  const [first] = await main.workers(1);
  const broken = join(main.site.folder, 'broken');
  writeFileSync(broken, '');
  process.kill(first!, 'SIGKILL');
  await main.until('two deaths', (said) => ended(said).length >= 3);
  rmSync(broken);
  await another(main, first!);
  return main;
}

/** Waits for a worker in the place of this one. */
async function another(main: Supervised, pid: number): Promise<number> {
  let found: number | undefined;
  await main.site.until(`a worker in the place of ${pid}`, (lines) => {
    if (!main.child.running) throw new Error(`The supervisor ended:\n${main.child.out}\n${main.child.err}`);
    const last = lines.findLast(({ what }) => what === 'worker-starting')?.pid;
    found = last !== pid && last !== undefined && lives(last) && !lives(pid) ? last : undefined;
    return found !== undefined;
  });
  return found!;
}
