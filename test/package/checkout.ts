import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** What the command wrote to standard output alone. */
  readonly stdout: string;
}

/** A command in a process group of its own, so that a test can end and count what it has started. */
export interface Running {
  readonly ended: Promise<Ended>;
  output(): string;
  /** To the whole group, as a terminal does with Ctrl-C. */
  signal(signal: NodeJS.Signals): void;
  /** Whether anything of the group is still there. */
  alive(): boolean;
}

/** A new directory that is removed by `remove()`. */
export function temporary(name: string): { path: string; remove(): void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `nestjs-queue-${name}-`)));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The files of this checkout as a clone would have them, together with what has not been added yet. */
export function copyCheckout(target: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // What was removed and not yet committed is still listed.
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(ROOT, file), join(target, file), { force: true });
  }
}

export function linkNodeModules(target: string): void {
  symlinkSync(join(ROOT, 'node_modules'), join(target, 'node_modules'));
}

/** Runs a line of shell. Past `seconds` its group is killed, and the output says so. */
export function start(
  command: string,
  { cwd, seconds, env }: { cwd: string; seconds: number; env?: Record<string, string> },
): Running {
  const child = spawn('bash', ['-c', command], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const signal = (name: NodeJS.Signals | 0): boolean => {
    try {
      return process.kill(-child.pid!, name);
    } catch {
      return false;
    }
  };
  const timer = setTimeout(() => {
    output += `\n[killed: it ran longer than ${seconds} s]`;
    signal('SIGKILL');
  }, seconds * 1000);
  const ended = new Promise<Ended>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      clearTimeout(timer);
      done({ code, output, stdout });
    });
  });
  return { ended, output: () => output, signal: (name) => void signal(name), alive: () => signal(0) };
}

/** Runs a line of shell to its end; rejects with its output where it fails. */
export async function run(
  command: string,
  options: { cwd: string; seconds: number; env?: Record<string, string> },
): Promise<Ended> {
  const ended = await start(command, options).ended;
  if (ended.code !== 0) throw new Error(`\`${command}\` ended with ${ended.code}:\n${ended.output}`);
  return ended;
}

/** What a person's shell has: nothing of Jest's or of the npm script that may have started it. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|command|node_execpath|execpath|config_(loglevel|silent|local_prefix))|NODE_OPTIONS|NODE_ENV|JEST_|INIT_CWD|QUEUE_)/.test(
        name,
      ),
  );
  return {
    ...Object.fromEntries(kept),
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
}
