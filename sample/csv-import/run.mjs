// Builds the library and this sample, makes a CSV file of 50,000 people, and runs a web process and two workers on a fresh
// SQLite file that import it by a batch. Ends with 0 when every row is accounted for; with --stay it all stays up. With
// --rows-per-chunk=1 the batch has a member for every row; --rows=100000 makes a larger file.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makePeople } from './make-people.mjs';

const here = import.meta.dirname;
const root = join(here, '../..');
const stay = process.argv.includes('--stay');
const option = (name) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);

const children = [];
let ending = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => void end(stay && signal === 'SIGINT' ? 0 : 130));
}

try {
  build();
  const env = { DATA_DIR: freshDataDir(), ROWS_PER_CHUNK: option('rows-per-chunk') ?? '500' };
  await makePeople(join(env.DATA_DIR, 'people.csv'), Number(option('rows') ?? 50_000));
  const web = start('web', ['dist/main.js', '--demo', ...(stay ? ['--stay'] : [])], env);
  web.once('exit', (code) => void end(code ?? 1));
  // By then it has made the tables, which is for one process alone.
  web.once('message', () => {
    for (const name of ['worker 1', 'worker 2']) {
      start(name, ['dist/worker.js', '--quiet'], env).once('exit', (code, signal) => {
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
    tsc('sample/csv-import/tsconfig.json');
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
