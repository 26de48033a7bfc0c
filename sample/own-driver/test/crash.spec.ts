import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { linkSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from 'nestjs-queue/testing';
import { FileDriver } from '../src/file-driver/file-driver.js';

/** What a process that was killed in the middle of a step has left, and what becomes of it. */
describe('a step that was cut off', () => {
  const entry = { id: 'one', queue: 'default', body: '{}', delayMs: 0 };
  let path: string;
  let clock: FakeClock;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'own-driver-'));
    clock = new FakeClock();
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const open = () => new FileDriver({ driver: 'files', path, durable: false }, { clock });
  const signal = new AbortController().signal;
  const request = { queues: ['default'], limit: 10, leaseMs: 60_000, waitMs: 0, signal };
  const work = (kind: string) => join(path, 'work', `${kind}.${clock.now()}.left-behind`);
  const fileOfJob = () => {
    const [queue] = readdirSync(join(path, 'jobs'));
    const [name] = readdirSync(join(path, 'jobs', queue!));
    return join(path, 'jobs', queue!, name!);
  };

  it('between the two names of a job that comes: the job is delivered, later', async () => {
    await open().push([entry]);
    renameSync(fileOfJob(), work('new'));
    const driver = open();
    expect(await driver.push([entry])).toEqual([{ stored: false, reason: 'exists' }]);
    expect(await driver.reserve(request)).toEqual([]);
    await clock.advance('90s');
    expect(await driver.reserve(request)).toMatchObject([{ id: 'one', attempts: 1 }]);
    expect(readdirSync(join(path, 'work'))).toEqual([]);
  });

  it('before a job that comes has its id: it has not come, and can come again', async () => {
    const driver = open();
    await driver.reserve(request);
    writeFileSync(work('new'), '{"id":"on');
    await clock.advance('90s');
    expect(await driver.reserve(request)).toEqual([]);
    expect(readdirSync(join(path, 'work'))).toEqual([]);
    expect(await driver.push([entry])).toEqual([{ stored: true }]);
  });

  it('before a job that goes has given its id back: it is gone, and the id is free, later', async () => {
    await open().push([entry]);
    renameSync(fileOfJob(), work('gone'));
    const driver = open();
    await clock.advance('90s');
    expect(await driver.reserve(request)).toEqual([]);
    expect(readdirSync(join(path, 'ids'))).toEqual([]);
    expect(await driver.push([entry])).toEqual([{ stored: true }]);
  });

  it('behind that: the id may be that of another job by now, which stays', async () => {
    await open().push([entry]);
    const before = readFileSync(fileOfJob());
    writeFileSync(join(path, 'copy'), before);
    linkSync(join(path, 'copy'), work('gone'));
    const driver = open();
    await clock.advance('90s');
    expect(await driver.reserve(request)).toMatchObject([{ id: 'one' }]);
    expect(await driver.push([entry])).toEqual([{ stored: false, reason: 'exists' }]);
  });
});
