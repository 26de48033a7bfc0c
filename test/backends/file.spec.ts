import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  lstatSync,
  lutimesSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fileBackend, type FileOptions } from '../../lib/backends/file/file-backend.js';
import { FileLock } from '../../lib/backends/file/file-lock.js';
import type { Backend } from '../../lib/contracts/backend.js';
import type { FailedJob, FailedJobStore } from '../../lib/contracts/failed-job-store.js';
import { failedJobStoreCases, runCase, type Harness } from '../../lib/testing/conformance/index.js';
import { buildFixture } from '../support/build-fixture.js';
import { backendContext } from './sqlite-harness.js';

const noon = Date.UTC(2030, 0, 1, 12);

let folder: string;
let path: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-queue-failed-'));
  path = join(folder, 'failed-jobs.json');
  warnings = [];
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(options: FileOptions = {}): Backend & { readonly failed: FailedJobStore } {
  const context = { ...backendContext(), warn: (message: string) => void warnings.push(message) };
  return fileBackend({ path, ...options }, context) as Backend & { readonly failed: FailedJobStore };
}

function failure(over: Partial<FailedJob> = {}): FailedJob {
  return {
    id: randomUUID(),
    connection: 'database',
    queue: 'default',
    name: 'Send',
    displayName: 'Send',
    payload: '{"v":1}',
    exception: 'Error: broken\n    at handle',
    failedAt: new Date(noon),
    ...over,
  };
}

const ids = async (store: FailedJobStore): Promise<readonly string[]> =>
  (await store.page({ limit: 10_000 })).jobs.map(({ id }) => id);

describe('file: failed-job store', () => {
  for (const one of failedJobStoreCases) {
    it(`${one.name}`, async () => {
      const opened: Backend[] = [];
      const harness: Harness = {
        open: async () => {
          const backend = open({ limit: 10_000 });
          opened.push(backend);
          return backend;
        },
        reopen: () => harness.open(),
        advance: () => Promise.resolve(),
        now: () => Date.now(),
        close: async () => {
          for (const backend of opened) await backend.close();
        },
      };
      expect((await runCase(one, harness)).skipped).toBeUndefined();
    });
  }
});

describe('the file of failed jobs', () => {
  it('keeps the newest, 100 where nothing is said, and says once that older ones go', async () => {
    const all = Array.from({ length: 130 }, (_, at) => failure({ failedAt: new Date(noon + at) }));
    const { failed } = open();
    await failed.record(all.slice(0, 100));
    expect(warnings).toEqual([]);
    await failed.record(all.slice(100, 120));
    for (const one of all.slice(120)) await failed.record([one]);
    expect(await ids(failed)).toEqual(
      all
        .slice(30)
        .map(({ id }) => id)
        .reverse(),
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /keeps 100: the 20 oldest have given way to a new one, and others will\. Raise failed\.limit/,
    );

    const few = open({ path: join(folder, 'few.json'), limit: 2 }).failed;
    await few.record(all.slice(0, 3));
    expect(await ids(few)).toEqual([all[2]!.id, all[1]!.id]);
  });

  it('is JSON for its owner alone, one line for each record, and leaves nothing else behind', async () => {
    const { failed } = open();
    const [one, two] = [failure(), failure({ batchId: 'b', failedAt: new Date(noon + 1) })];
    await failed.record([one]);
    chmodSync(path, 0o644);
    await failed.record([two]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, 'utf8');
    const { jobs } = JSON.parse(text) as { jobs: object[] };
    expect(jobs).toMatchObject([
      { id: two.id, failedAt: '2030-01-01T12:00:00.001Z', batchId: 'b', payload: '{"v":1}' },
      { id: one.id },
    ]);
    expect(text.split('\n')).toHaveLength(5);
    expect(readdirSync(folder)).toEqual(['failed-jobs.json']);
  });

  it('sees what another process wrote, and what was mended by hand', async () => {
    const [one, other] = [open().failed, open().failed];
    const all = [failure(), failure({ queue: 'b', failedAt: new Date(noon + 1) })];
    await one.record(all);
    expect(await other.count()).toBe(2);
    await other.forget([all[0]!.id]);
    expect(await one.find(all[0]!.id)).toBeUndefined();
    expect(await ids(one)).toEqual([all[1]!.id]);
    writeFileSync(path, JSON.stringify({ v: 1, jobs: [{ ...all[0], seq: 9 }] }));
    expect(await ids(other)).toEqual([all[0]!.id]);
    await other.record([all[1]!]);
    expect(await ids(one)).toEqual([all[1]!.id, all[0]!.id]);
  });

  it('takes an empty file for an empty list, and stays behind a link', async () => {
    const real = join(folder, 'real.json');
    writeFileSync(real, '');
    symlinkSync(real, path);
    const { failed } = open();
    expect(await failed.count()).toBe(0);
    const one = failure();
    await failed.record([one]);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(await ids(open({ path: real }).failed)).toEqual([one.id]);
  });

  it('writes what fails at once in few writes, in the order in which it came', async () => {
    const { failed } = open({ limit: 500 });
    const all = Array.from({ length: 200 }, () => failure());
    await Promise.all(all.map((one) => failed.record([one])));
    expect(await ids(failed)).toEqual(all.map(({ id }) => id).reverse());
  });

  it('finds, pages, forgets and prunes among thousands in decent time', async () => {
    const { failed } = open({ limit: 5_000 });
    const all = Array.from({ length: 5_000 }, (_, at) =>
      failure({ failedAt: new Date(noon + at), exception: 'x'.repeat(1_000) }),
    );
    const begun = performance.now();
    await failed.record(all);
    for (const { id } of all) if (!(await failed.find(id))) throw new Error('not found');
    expect(await ids(failed)).toHaveLength(5_000);
    for (let at = 0; at < 1_000; at += 100) await failed.forget(all.slice(at, at + 100).map(({ id }) => id));
    expect(await failed.prune(new Date(noon + 1_999))).toBe(1_000);
    expect(await failed.count()).toBe(3_000);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it.each([
    ['cut short', (text: string) => text.slice(0, -20)],
    ['not JSON', () => 'failed: nothing'],
    ['not a list of failed jobs', () => '{"v":2,"jobs":[]}'],
    ['with a record that is none', (text: string) => text.replace('"payload"', '"body"')],
    ['not UTF-8', () => Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ])('a file that is %s is told to readers, and kept aside by the next record', async (_, damage) => {
    const first = open();
    await first.failed.record([failure(), failure()]);
    const damaged = damage(readFileSync(path, 'utf8'));
    writeFileSync(path, damaged);
    const { failed } = open();
    const error = {
      code: 'ERR_QUEUE_FAILED_FILE',
      message: expect.stringMatching(/failed-jobs\.json is damaged: .+\. Mend it/),
    };
    await expect(failed.count()).rejects.toMatchObject(error);
    await expect(failed.forget(['x'])).rejects.toMatchObject(error);
    await expect(failed.prune()).rejects.toMatchObject(error);
    expect(readFileSync(path)).toEqual(Buffer.from(damaged));

    const one = failure();
    await failed.record([one]);
    expect(await ids(failed)).toEqual([one.id]);
    const aside = readdirSync(folder).filter((name) => name.startsWith('failed-jobs.json.damaged-'));
    expect(aside).toHaveLength(1);
    expect(readFileSync(join(folder, aside[0]!))).toEqual(Buffer.from(damaged));
    expect(warnings).toEqual([expect.stringContaining(`It was kept as ${join(folder, aside[0]!)}`)]);
  });

  it.each([
    [
      'a folder that is not there',
      () => join(folder, 'none', 'failed.json'),
      /ENOENT.*Its folder is not there: make it/,
    ],
    ['a folder that is a file', () => join(path, 'failed.json'), /ENOTDIR.*name another file by failed\.path/],
    ['a folder itself', () => join(folder, 'inner'), /EISDIR.*name a file in it/],
  ])('says in one line what is wrong with %s', async (_, place, message) => {
    writeFileSync(path, '');
    mkdirSync(join(folder, 'inner'));
    const backend = open({ path: place() });
    const error = { code: 'ERR_QUEUE_FAILED_FILE', message: expect.stringMatching(message) };
    await expect(backend.check!()).rejects.toMatchObject(error);
    await expect(backend.failed.record([failure()])).rejects.toMatchObject(error);
    await expect(backend.failed.count()).rejects.toMatchObject({ code: 'ERR_QUEUE_FAILED_FILE' });
    await expect(backend.check!()).rejects.not.toThrow(/\n/);
  });

  it('says so where nothing can be written', async () => {
    // Root may write into any folder but those that no file can be made in.
    const closed = process.getuid?.() === 0 ? '/proc' : join(folder, 'closed');
    if (closed === '/proc' && !existsSync(closed)) return console.info('skipped: as root, and there is no /proc');
    if (closed !== '/proc') mkdirSync(closed, { mode: 0o500 });
    const backend = open({ path: join(closed, 'failed.json') });
    await expect(backend.check!()).rejects.toThrow(/failed\.json cannot be written \(E[A-Z]+\)\. .+failed\.path/);
    await expect(backend.failed.record([failure()])).rejects.toThrow(/cannot be written/);
  });

  it('checks without leaving or changing anything', async () => {
    const backend = open();
    await backend.check!();
    expect(readdirSync(folder)).toEqual([]);
    await backend.failed.record([failure()]);
    const before = readFileSync(path);
    await backend.check!();
    expect([readdirSync(folder), readFileSync(path)]).toEqual([['failed-jobs.json'], before]);
  });
});

describe('its lock', () => {
  const lock = (): string => `${path}.lock`;

  it('is taken over at once from a process of this machine that is gone', async () => {
    const dead = fork(join(folder, 'nothing.js'), { stdio: 'ignore' });
    await new Promise((resolve) => dead.once('close', resolve));
    await new FileLock(path).acquire(1_000);
    const holder = readlinkSync(lock()).replace(/^\S+ \d+/, `gone ${dead.pid}`);
    rmSync(lock());
    symlinkSync(holder, lock());
    writeFileSync(`${path}.gone.draft`, '{"v":1,');
    const { failed } = open();
    await failed.record([failure()]);
    expect(await failed.count()).toBe(1);
    expect(readdirSync(folder)).toEqual(['failed-jobs.json']);
  });

  it.each([
    ['a file of another host', `x ${process.pid} another host`],
    ['a file cut short', ''],
  ])('is taken over once it is old: %s', async (_, text) => {
    writeFileSync(lock(), text);
    const { failed } = open();
    const recording = failed.record([failure()]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(existsSync(path)).toBe(false);
    const old = new Date(Date.now() - 31_000);
    utimesSync(lock(), old, old);
    await recording;
    expect(readdirSync(folder)).toEqual(['failed-jobs.json']);
  });

  it('is left to whoever took it over a moment later from the same dead process', async () => {
    const held = await new FileLock(path).acquire(1_000);
    const other = readlinkSync(lock()).replace(/^\S+/, 'other');
    rmSync(lock());
    symlinkSync(other, lock());
    await held.release();
    expect(readlinkSync(lock())).toBe(other);
  });

  it('is waited for, and one who waits in vain changes nothing', async () => {
    const held = await new FileLock(path).acquire(1_000);
    await expect(new FileLock(path).acquire(100)).rejects.toMatchObject({
      code: 'ERR_QUEUE_FAILED_FILE_BUSY',
      transient: true,
      message: expect.stringContaining(`delete ${lock()}`),
    });
    const { failed } = open();
    const recording = failed.record([failure()]);
    await held.release();
    await recording;
    expect(await failed.count()).toBe(1);
  });

  it('a holder that was stopped until others took over can change nothing, and begins anew', async () => {
    const held = await new FileLock(path).acquire(1_000);
    writeFileSync(held.draft, 'late');
    const old = new Date(Date.now() - 31_000);
    lutimesSync(lock(), old, old);
    const other = await new FileLock(path).acquire(1_000);
    expect([existsSync(held.draft), await held.still(), await other.still()]).toEqual([false, false, true]);
    await other.release();
    expect(existsSync(lock())).toBe(false);
  });
});

describe('several processes', () => {
  const running = new Set<ChildProcess>();
  let script: string;

  beforeEach(async () => {
    script = join((await buildFixture('processes', 'test/fixtures/processes')).folder, 'failed-file-writer.js');
  }, 60_000);

  afterEach(() => {
    for (const child of running) child.kill('SIGKILL');
  });

  /** Works failing jobs until it is told to stop or killed. What it is sure of is what it has told. */
  function writer(): { child: ChildProcess; told: string[]; ended: Promise<void> } {
    const { NODE_OPTIONS: _jest, ...env } = process.env;
    const child = fork(script, [path], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    running.add(child);
    const told: string[] = [];
    child.on('message', (id: string) => told.push(id));
    const ended = new Promise<void>((resolve) =>
      child.once('close', () => {
        running.delete(child);
        resolve();
      }),
    );
    return { child, told, ended };
  }

  const until = async (met: () => boolean): Promise<void> => {
    const end = performance.now() + 30_000;
    while (!met()) {
      if (performance.now() > end || running.size === 0) throw new Error('they ended, or told nothing for 30 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('lose no record and tear no file, however often one of them is killed', async () => {
    const reader = open({ limit: 100_000 }).failed;
    const steady = [writer(), writer()];
    const told = new Set<string>();
    await until(() => steady.every((one) => one.told.length > 0));
    for (let round = 0; round < 10; round++) {
      const victim = writer();
      await until(() => victim.told.length > 0);
      // At any moment of a write: a few milliseconds each.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 25));
      victim.child.kill('SIGKILL');
      await reader.count();
      await victim.ended;
      for (const id of victim.told) told.add(id);
    }
    for (const one of steady) one.child.send('stop');
    await Promise.all(steady.map((one) => one.ended));
    for (const one of steady) for (const id of one.told) told.add(id);
    const kept = new Set(await ids(reader));
    expect([...told].filter((id) => !kept.has(id))).toEqual([]);
    expect(told.size).toBeGreaterThan(40);
    // Whoever comes next clears up behind those that were killed.
    await reader.record([failure()]);
    expect(readdirSync(folder)).toEqual(['failed-jobs.json']);
  }, 60_000);
});
