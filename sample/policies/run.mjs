// Builds the library and this sample, and runs its box office and two workers on a fresh SQLite file: what a job may ask
// for, and whether it got it. Ends with 0 when every policy was kept.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const root = join(here, '../..');

const children = [];
let ending = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(130));

try {
  build();
  const env = { DATA_DIR: freshDataDir(), QUEUE_KEY: randomBytes(32).toString('base64'), BEGAN: String(Date.now()) };
  const office = start('office', ['dist/main.js'], env);
  office.once('exit', (code) => void end(code ?? 1));
  // By then it has made the tables, which is for one process alone.
  office.once('message', () => {
    for (const name of ['worker 1', 'worker 2']) {
      start(name, ['dist/worker.js', '--concurrency=2', '--quiet'], env).once('exit', (code, signal) => {
        if (!ending) console.error(`\nThe process of ${name} ended by itself (${signal ?? `exit code ${code}`}).`);
        void end(1);
      });
    }
  });
} catch (error) {
  console.error(`\nThe sample did not get through: ${error.message}`);
  await end(1);
}

function build() {
  if (isOlder(join(root, 'dist/index.js'), join(root, 'lib'))) {
    console.log('building the library …');
    tsc('tsconfig.build.json');
  }
  if (isOlder(join(here, 'dist/main.js'), join(here, 'src'))) {
    console.log('building the sample …');
    tsc('sample/policies/tsconfig.json');
  }
}

function tsc(project) {
  const args = ['node_modules/typescript/bin/tsc', '-p', project];
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`\`node ${args.join(' ')}\` ended with ${signal ?? status}`);
}

/** Whether `built` is missing or older than the newest file in `sources`. */
function isOlder(built, sources) {
  if (!existsSync(built)) return true;
  const builtAt = statSync(built).mtimeMs;
  return readdirSync(sources, { recursive: true }).some((file) => statSync(join(sources, file)).mtimeMs > builtAt);
}

/** A directory of this run's own. What earlier runs left is removed, unless they are still up. */
function freshDataDir() {
  const data = join(here, 'data');
  mkdirSync(data, { recursive: true });
  for (const name of readdirSync(data)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(data, name), { recursive: true, force: true });
  }
  const mine = join(data, `run-${process.pid}`);
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  return mine;
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function start(name, args, env) {
  const child = spawn(process.execPath, args, {
    cwd: here,
    env: { ...process.env, ...env, PROCESS_NAME: name },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

/** Ends the processes, by force after ten seconds, and then this one. */
async function end(code) {
  if (ending) return;
  ending = true;
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = Promise.all(running.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  for (const child of running) child.kill('SIGTERM');
  const timer = setTimeout(() => running.forEach((child) => child.kill('SIGKILL')), 10_000);
  await ended;
  clearTimeout(timer);
  process.exit(code);
}
