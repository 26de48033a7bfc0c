import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { screenOf } from './screen.js';

/** What is typed, or which signal the process gets, when the terminal has shown something. */
export type Press = { readonly after: RegExp } & ({ readonly keys: string } | { readonly signal: NodeJS.Signals });

export interface Shown {
  readonly code: number;
  /** As the terminal shows it. */
  readonly screen: string;
}

const COLUMNS = 110;
const ROWS = 50;
const PATIENCE_MS = 60_000;

/** A terminal comes from util-linux's `script`, which gives a process a pseudo-terminal of its own. */
export const hasTerminals = spawnSync('script', ['--version']).status === 0;

/** Runs a process of Node in a terminal of 110 columns, and types what it is given. */
export async function inTerminal(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly presses?: readonly Press[];
  },
): Promise<Shown> {
  const { NODE_OPTIONS: _jest, NO_COLOR: _no, FORCE_COLOR: _force, NODE_ENV: _env, ...inherited } = process.env;
  const command = [process.execPath, ...args].map((one) => `'${one.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  const pidFile = join(tmpdir(), `recording-${randomUUID()}.pid`);
  const shell = `stty cols ${COLUMNS} rows ${ROWS}; echo $$ > '${pidFile}'; exec ${command}`;
  const child = spawn('script', ['-qefc', shell, '/dev/null'], {
    cwd: options.cwd,
    env: { ...inherited, TERM: 'xterm', TZ: 'UTC', LC_ALL: 'en_US.UTF-8', SHELL: '/bin/sh', ...options.env },
  });
  let written = '';
  const presses = [...(options.presses ?? [])];
  child.stderr.resume();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text;
    const seen = stripVTControlCharacters(written);
    while (presses.length > 0 && presses[0]!.after.test(seen)) {
      const press = presses.shift()!;
      if ('keys' in press) child.stdin.write(press.keys);
      else process.kill(Number(readFileSync(pidFile, 'utf8')), press.signal);
    }
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code === null) throw new Error(`It did not end within ${PATIENCE_MS / 1_000} s:\n${screenOf(written)}`);
    return { code, screen: screenOf(written) };
  } finally {
    clearTimeout(timer);
    rmSync(pidFile, { force: true });
  }
}
