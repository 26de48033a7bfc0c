import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as library from 'nestjs-queue';
import { copyCheckout, ROOT, run, type Running, start, temporary } from './checkout.js';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The fenced blocks of one language, in order. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...README.matchAll(fence)].map(([, text]) => text!.trim());
}

const [first, second] = blocks('sh');
const clone = temporary('readme');

beforeAll(() => copyCheckout(clone.path));
afterAll(() => clone.remove());

async function until(what: string, running: Running, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  let over = false;
  void running.ended.then(() => (over = true));
  while (!(await check())) {
    if (over || Date.now() > deadline) throw new Error(`waited in vain for ${what}:\n${running.output()}`);
    await sleep(100);
  }
}

describe("README's first command, in a fresh copy of this checkout", () => {
  it('installs, builds, runs the sample through, and leaves nothing running', async () => {
    const sample = start(first!, { cwd: clone.path, seconds: 400 });
    const { code, output } = await sample.ended;
    expect({ code, output }).toEqual({ code: 0, output: expect.anything() });
    expect(output).toMatch(/worker \|.*ProcessPodcast.*DONE/);
    expect(output).toMatch(/worker \|.*ProcessPodcast.*FAIL/);
    expect(output).toMatch(/GET \/failed → ProcessPodcast [0-9a-f-]{36}: /);
    expect(output).toMatch(/ProcessPodcast +podcast:4 +4 +failed, retried: done/);
    expect(output).toMatch(/ProcessPodcast +podcast:3 +[23] +done/);
    expect(output).toMatch(/PublishPodcast +podcast:4 +1 +done/);
    expect(output).toMatch(/4\.normalised\.wav/);
    expect(output).toMatch(/8 jobs, \d+ tries: 8 done, 0 failed\. [\d.]+ s in all\./);
    expect(sample.alive()).toBe(false);
  }, 410_000);

  it('stays up with --stay until Ctrl-C', async () => {
    const sample = start('npm start -- --stay', { cwd: clone.path, seconds: 120 });
    await until('the URLs', sample, () => sample.output().includes('Left running'));
    const url = /(http:\S+)\/podcasts +GET/.exec(sample.output())![1]!;
    const podcasts = (await (await fetch(`${url}/podcasts`)).json()) as unknown[];
    expect(podcasts).toHaveLength(4);
    sample.signal('SIGINT');
    await sample.ended;
    expect(sample.alive()).toBe(false);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  }, 130_000);

  it("then has the sample's worker and commands through Nest's own command line", async () => {
    const env = { DATA_DIR: join(clone.path, 'nest-start') };
    const worker = await start('npx nest start --entryFile worker -- --stop-when-empty', {
      cwd: clone.path,
      seconds: 90,
      env,
    }).ended;
    expect({ code: worker.code, output: worker.output }).toEqual({ code: 0, output: expect.anything() });
    const { stdout } = await run('npx nest start --entryFile queue -- queue:failed --json', {
      cwd: clone.path,
      seconds: 90,
      env,
    });
    expect(JSON.parse(stdout)).toEqual([]);
  }, 190_000);
});

/*
 * The second command runs every test, this one too: run from here it would run itself without end. What can be shown is
 * that continuous integration runs it as it stands, and that each step it takes exists.
 */
describe("README's second command", () => {
  it('is what .ci/run runs', () => {
    const lines = readFileSync(join(ROOT, '.ci/run'), 'utf8').split('\n');
    const commands = lines.filter((line) => line.trim() !== '' && !/^(#|set |cd )/.test(line));
    expect(commands).toEqual([second]);
  });

  it('has each step as a script of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const verify = readFileSync(join(ROOT, '.ci/verify.mjs'), 'utf8');
    const steps = [...verify.matchAll(/^step\('\w+', 'npm', 'run', '--silent', '([^']+)'\);$/gm)].map(
      ([, name]) => name,
    );
    const tests = [...verify.matchAll(/^tests\('\w+', '([^']+)'\);$/gm)].map(([, name]) => name);
    expect(steps).toEqual(['clean', 'build', 'lint', 'format:check', 'typecheck']);
    expect(tests).toEqual(['test', 'test:package']);
    expect([...steps, ...tests].filter((name) => !scripts[name!])).toEqual([]);
    expect(scripts['verify']).toBe('node .ci/verify.mjs');
  });
});

describe('docs/events.md', () => {
  it('lists the events that the package exports, by the names they have', () => {
    const rows = readFileSync(join(ROOT, 'docs/events.md'), 'utf8').matchAll(/^\| `(\w+)` +\| `([\w.]+)` +\|/gm);
    const documented = new Map([...rows].map(([, name, event]) => [name, event]));
    const exported = new Map(
      Object.entries(library)
        .filter(([, value]) => typeof value === 'function' && typeof (value as { event?: unknown }).event === 'string')
        .map(([name, value]) => [name, (value as unknown as { event: string }).event]),
    );
    // Raised by what is not here yet.
    const later = /^QueueFailedOver$/;
    expect(new Map([...exported].filter(([name]) => !later.test(name)))).toEqual(documented);
  });
});

describe("README's code", () => {
  it('compiles, each block as the file that its first line names', async () => {
    const folder = join(clone.path, 'readme');
    const samples = blocks('ts');
    expect(samples.length).toBeGreaterThan(5);
    for (const [index, text] of samples.entries()) {
      const named = /^\/\/ (src\/\S+\.ts)/.exec(text)?.[1];
      const file = join(folder, named ?? `src/block-${index}.ts`);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, `${text}\nexport {};\n`);
    }
    const tsconfig = {
      extends: '../tsconfig.json',
      compilerOptions: { rootDir: '..', noUnusedLocals: false, noUnusedParameters: false },
      include: ['src'],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
    const { output } = await run('node ../node_modules/typescript/bin/tsc', { cwd: folder, seconds: 120 });
    expect(output).toBe('');
  }, 130_000);
});
