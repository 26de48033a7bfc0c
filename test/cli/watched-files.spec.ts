import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WatchedFiles } from '../../lib/cli/watched-files.js';
import { temporaryFolder } from './processes.js';

let place: ReturnType<typeof temporaryFolder>;
let files: WatchedFiles;
const at = (...path: string[]): string => join(place.path, ...path);
const put = (path: string, text = path): void => writeFileSync(at(path), text);

beforeEach(async () => {
  place = temporaryFolder();
  for (const folder of ['dist/jobs', 'dist/node_modules/x', 'dist/.cache']) mkdirSync(at(folder), { recursive: true });
  put('dist/app.js');
  put('dist/jobs/mail.js');
  put('settings.env');
  files = new WatchedFiles([at('dist'), at('settings.env')], at('dist/app.js'));
  await files.mark();
});
afterEach(() => {
  files.close();
  place.remove();
});

/** The names of what has changed, when it has. */
const changed = async (): Promise<string[]> => (await files.changed).map((path) => basename(path)).sort();

/** Whether nothing is told within the time that something would take. */
async function silent(): Promise<boolean> {
  const told = files.changed.then(() => false);
  return Promise.race([told, new Promise<boolean>((resolve) => setTimeout(resolve, 700, true))]);
}

describe('watched files', () => {
  it.each<[string, () => void, string[]]>([
    ['a file below', () => put('dist/jobs/mail.js', 'other'), ['mail.js']],
    ['a new file', () => put('dist/jobs/sms.js'), ['sms.js']],
    ['a file that is gone', () => rmSync(at('dist/jobs/mail.js')), ['mail.js']],
    [
      'a file that replaces another',
      () => (put('dist/draft'), renameSync(at('dist/draft'), at('dist/app.js'))),
      ['app.js'],
    ],
    ['a file given by itself', () => put('settings.env', 'other'), ['settings.env']],
    ['several at once', () => (put('dist/app.js', 'other'), put('dist/jobs/mail.js', 'other')), ['app.js', 'mail.js']],
  ])('tell of %s', async (_what, act, expected) => {
    act();
    expect(await changed()).toEqual(expected);
  });

  it('tell of a file in a folder that is new', async () => {
    mkdirSync(at('dist/new/deep'), { recursive: true });
    expect(await silent()).toBe(true);
    put('dist/new/deep/x.js');
    expect(await changed()).toEqual(['x.js']);
  });

  it('leave out node_modules, names with a dot before them, and what is no code', async () => {
    for (const path of ['node_modules/x/i.js', '.cache/c.js', '.env.js', 'queue.sqlite', 'queue.sqlite-wal', 'a.log']) {
      put(`dist/${path}`);
    }
    put('beside.js');
    expect(await silent()).toBe(true);
  });

  it('take JSON that says the same again for unchanged', async () => {
    put('dist/api.json', '{}');
    await changed();
    await files.mark();
    put('dist/api.json', '{}');
    expect(await silent()).toBe(true);
    put('dist/api.json', '[]');
    expect(await changed()).toEqual(['api.json']);
  });

  it('take what is there at a mark for known', async () => {
    put('dist/app.js', 'other');
    await files.mark();
    expect(await silent()).toBe(true);
    put('dist/app.js', 'a third');
    expect(await changed()).toEqual(['app.js']);
  });

  it('wait for a build that has taken the folder away, and watch the new one', async () => {
    for (const round of ['one', 'two']) {
      rmSync(at('dist'), { recursive: true });
      expect(await silent()).toBe(true);
      mkdirSync(at('dist'));
      put('dist/other.js');
      expect(await silent()).toBe(true);
      put('dist/app.js', round);
      await changed();
      await files.mark();
      put('dist/other.js', round);
      expect(await changed()).toEqual(['other.js']);
      await files.mark();
    }
  });

  it('refuse a path at which there is nothing', async () => {
    await expect(new WatchedFiles([at('nowhere')]).check()).rejects.toThrow('There is nothing to watch at');
    await expect(files.check()).resolves.toBeUndefined();
  });
});
