import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { commands } from '../../lib/cli/commands/all-commands.js';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { temporaryFolder } from './processes.js';
import { normalised } from './recordings/normalised.js';
import { SCENES, type Scene } from './recordings/scenes.js';
import { hasTerminals, inTerminal } from './recordings/terminal.js';

/*
 * docs/commands.md shows every command as it looks on a terminal. Its recordings are made anew here, and compared:
 *
 *     npm run -s jest -- test/cli/recordings.spec.ts                        compares
 *     UPDATE_RECORDINGS=1 npm run -s jest -- test/cli/recordings.spec.ts    writes them into the page
 */
const PAGE = fileURLToPath(new URL('../../docs/commands.md', import.meta.url));
const UPDATE = process.env['UPDATE_RECORDINGS'] === '1';
const PROMPT = /^\$ ((?:[A-Z_]+=\S+ )*)npx nestjs-queue (.+)$/;
const RECORDED = /^```text\n([^]*?)^```$/gm;

/** The ids of the page, in the order in which jobs and batches are made. */
const IDS = [
  '6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4',
  '9b7e3d10-2c4a-4f6e-8d21-5e0f7c1b9a36',
  'c04a8e52-71bd-4b93-a6f8-1d2e3f405162',
  'e5d9f0a7-3b6c-4e18-9c70-8a1b2c3d4e5f',
  '1a2b3c4d-5e6f-4708-8192-a3b4c5d6e7f8',
];

const page = readFileSync(PAGE, 'utf8');
const sections = new Map(
  page
    .split(/^(?=## )/m)
    .slice(1)
    .map((text) => [/^## (.*)$/m.exec(text)![1]!, text]),
);
const recorded = [...sections].filter(([, text]) =>
  [...text.matchAll(RECORDED)].some(([, block]) => isRecording(block!)),
);

/** By heading: what the section's blocks are now, or why that is not known. */
const made = new Map<
  string,
  { readonly blocks?: readonly [before: string, now: string][]; readonly error?: unknown }
>();

let fixture: Fixture;
beforeAll(async () => {
  if (!hasTerminals) return;
  fixture = await buildFixture('recordings', 'test/fixtures/recordings');
  const left = [...recorded];
  // What is waited for is mostly the start of Node, which is one core's work.
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [heading, text] = next;
      made.set(
        heading,
        await recordSection(heading, text).then(
          (blocks) => ({ blocks }),
          (error: unknown) => ({ error }),
        ),
      );
    }
  };
  await Promise.all([lane(), lane()]);
}, 300_000);
afterAll(() => {
  if (!UPDATE) return;
  let text = page;
  for (const { blocks } of made.values())
    for (const [before, now] of blocks ?? []) text = text.replace(before, () => now);
  writeFileSync(PAGE, text);
});

describe('docs/commands.md', () => {
  it.each(commands.map((command) => [command.name, command] as const))('tells all of %s', (name, command) => {
    const text = sections.get(name);
    expect(text).toBeDefined();
    const parsed = new Command();
    command.configure?.(parsed);
    const flags = parsed.options.filter(({ hidden }) => !hidden).map(({ long }) => long!);
    expect(flags.filter((flag) => !new RegExp(`\`${flag}(?![\\w-])`).test(text!))).toEqual([]);
    expect(text).toContain(command.alias === undefined ? name : `\`${command.alias}\``);
    expect(recorded.map(([heading]) => heading)).toContain(name);
  });

  it('tells of no command that there is not', () => {
    const known = new Set(commands.map(({ name }) => name));
    expect([...sections.keys()].filter((heading) => heading.startsWith('queue:') && !known.has(heading))).toEqual([]);
  });
});

const what = hasTerminals ? describe : describe.skip;
what(hasTerminals ? 'a recording' : 'a recording (left out: no `script` of util-linux here to make a terminal)', () => {
  it.each(recorded)('of %s is what a terminal shows', (heading) => {
    const { blocks = [], error } = made.get(heading)!;
    expect(error).toBeUndefined();
    expect(blocks).not.toEqual([]);
    expect(blocks.map(([, now]) => now).join('\n')).toBe(
      blocks.map(([before, now]) => (UPDATE ? now : before)).join('\n'),
    );
  });
});

async function recordSection(heading: string, text: string): Promise<[before: string, now: string][]> {
  const folder = temporaryFolder();
  try {
    const ids = await prepared(folder.path, SCENES[heading]?.with ?? []);
    const blocks: [string, string][] = [];
    for (const [, block] of text.matchAll(RECORDED)) {
      if (isRecording(block!)) blocks.push([block!, await recordedAnew(heading, block!, folder.path, ids)]);
    }
    return blocks;
  } finally {
    folder.remove();
  }
}

function isRecording(block: string): boolean {
  return PROMPT.test(block.split('\n', 1)[0]!);
}

/** A folder with an application and what is in its store; by real ids those of the page. */
async function prepared(folder: string, steps: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const app = join(fixture.folder, 'app.module.js');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', 'nestjs-queue': { app } }));
  const { NODE_OPTIONS: _jest, ...env } = process.env;
  const args = [join(fixture.folder, 'prepare.js'), ...steps];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env });
  const made = JSON.parse(stdout) as string[];
  return new Map(made.map((id, at) => [id, IDS[at]!]));
}

/** Every command of a block, and what a terminal shows of it now. */
async function recordedAnew(
  heading: string,
  block: string,
  folder: string,
  ids: ReadonlyMap<string, string>,
): Promise<string> {
  const scene: Scene = SCENES[heading] ?? {};
  const { first } = scene;
  const shown: string[] = [];
  for (const line of block.split('\n')) {
    const [, assignments, call] = PROMPT.exec(line) ?? [];
    if (call === undefined) continue;
    const env = Object.fromEntries(
      assignments!
        .trim()
        .split(' ')
        .filter(Boolean)
        .map((one) => one.split('=', 2)),
    );
    let args = call.split(' ');
    for (const [real, ofPage] of ids) args = args.map((one) => one.replaceAll(ofPage, real));
    const presses = scene.presses?.[args[0]!] ?? [];
    const { code, screen } = await inTerminal([fixture.bin, ...args], { cwd: folder, env, presses });
    const lines = normalised(screen, ids, folder).split('\n');
    const at = first ? lines.findIndex((one) => first.test(one)) : -1;
    if (at > 0) lines.unshift(...lines.splice(at, 1));
    shown.push(line, lines.join('\n'), ...(code === 0 ? [] : [`[exit code ${code}]`]));
  }
  return `${shown.filter((one) => one !== '').join('\n')}\n`;
}
