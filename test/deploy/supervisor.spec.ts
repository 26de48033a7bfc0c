import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeSupervisor } from '../support/shared-servers.js';
import { Site, type Producer } from '../flows/processes/site.js';
import { Supervisord } from './supervisord.js';

/** `numprocs` of the file. */
const WORKERS = ['queue-worker_00', 'queue-worker_01'];
const SETTINGS = { RETRY_AFTER: '1' };
const ALL = 'queue-worker:*';

let site: Site;
let producer: Producer;
let supervisor: Supervisord;

describeSupervisor('deploy/supervisor.conf', () => {
  beforeEach(async () => {
    site = await Site.open(SETTINGS);
    producer = await site.producer();
  }, 60_000);
  afterEach(async () => {
    await supervisor?.close(pids());
    await site?.close();
  });

  it('keeps workers up: jobs are worked, one that is killed comes back, and none of its jobs is lost', async () => {
    await begin();
    const before = await running();
    const ids = await producer.dispatch(...Array.from({ length: 60 }, () => ['Stroll', 300] as const));
    await site.until('some work', () => site.lines('processed').length >= 5);
    process.kill(before.get(WORKERS[0]!)!, 'SIGKILL');
    await supervisor.said(/exited: queue-worker_00 \(terminated by SIGKILL; not expected\)/);
    await working(3);
    const after = await running();
    expect(after.get(WORKERS[0]!)).not.toBe(before.get(WORKERS[0]!));
    expect(after.get(WORKERS[1]!)).toBe(before.get(WORKERS[1]!));

    await done(ids);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);

  it('starts one anew that ended for its size, with exit code 12 and its job done', async () => {
    await begin([['--memory=512', '--memory=300']]);
    const [id] = await producer.dispatch(['Hog', 300]);
    await site.seen('processed', id!);
    await supervisor.said(/exited: queue-worker_0\d \(exit status 12; (not )?expected\)/);
    await working(3);
    const next = await producer.dispatch(['Tick'], ['Tick']);
    await done(next);
    expect(site.lines('start', id)).toHaveLength(1);
    await running();
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);

  it('supervisorctl stop lets running jobs end and starts no other; no job is lost or run twice', async () => {
    await begin();
    // More than two workers have places for. What a job has started is not ended with it.
    const errands = await producer.dispatch(['Errand', 2], ['Errand', 2]);
    const strolls = await producer.dispatch(...Array.from({ length: 58 }, () => ['Stroll', 2_000] as const));
    await site.until('all places taken', () => site.lines('start').length >= 40);
    await supervisor.control('stop', ALL);
    const ended = supervisor.log().match(/stopped: queue-worker_0\d \(.*\)/g) ?? [];
    expect(ended.toSorted()).toEqual(WORKERS.map((name) => `stopped: ${name} (exit status 0)`));
    expect(await supervisor.workers()).toEqual(new Map());

    const processed = site.lines('processed').map(({ id }) => id);
    expect(processed).toHaveLength(site.lines('start').length);
    for (const id of errands) expect(site.lines('end', id).map(({ info }) => info)).toEqual([[0, null]]);
    expect(await site.left()).toEqual({ jobs: 60 - processed.length, failed: 0 });

    await supervisor.control('start', ALL);
    await done([...errands, ...strolls]);
    expect(site.lines('start')).toHaveLength(60);
    expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
  }, 90_000);

  it('SIGTERM to Supervisor itself does the same, and gives a job back that outlasts the grace', async () => {
    await begin([['--concurrency=20', '--concurrency=20 --grace=2s']]);
    const [short, long] = await producer.dispatch(['Nap', 1_000], ['Nap', 60_000]);
    await site.until('both starts', () => site.lines('start').length === 2);
    supervisor.signal('SIGTERM');
    expect(await supervisor.ended).toBe(0);
    expect(supervisor.log()).not.toContain('SIGKILL');
    expect(pids().filter(alive)).toEqual([]);
    expect(site.lines('processed').map(({ id }) => id)).toEqual([short]);
    expect(site.lines('aborted', long)).toHaveLength(1);
    // As it was before it was taken: an attempt that was cut short by a stop is none.
    expect(await site.stored()).toEqual([{ attempts: 0, reserved: false }]);
  }, 90_000);
});

async function begin(also?: readonly (readonly [string, string])[]): Promise<void> {
  supervisor = await Supervisord.start(site.folder, SETTINGS, also);
  await working(2);
}

/** All workers, once Supervisor takes them for up. */
async function running(): Promise<ReadonlyMap<string, number>> {
  let workers: ReadonlyMap<string, number> = new Map();
  await site.until('all workers running', async () => {
    workers = await supervisor.workers();
    return workers.size === WORKERS.length;
  });
  expect([...workers.keys()].toSorted()).toEqual(WORKERS);
  return workers;
}

/** So many workers have begun so far. */
async function working(count: number): Promise<void> {
  await site.until(`${count} workers`, () => site.lines('worker-starting').length >= count);
}

async function done(ids: readonly string[]): Promise<void> {
  await site.until('all jobs', () => {
    const processed = new Set(site.lines('processed').map(({ id }) => id));
    return ids.every((id) => processed.has(id));
  });
  expect(site.lines('processed').filter(({ id }) => ids.includes(id!))).toHaveLength(ids.length);
}

function pids(): readonly number[] {
  return site.lines('worker-starting').map(({ pid }) => pid);
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
