// Builds the library and this sample, and runs a process that dispatches and three workers on one directory: each job is a
// file there. The first worker is killed in the middle of a job, which another one does. Ends with 0 when all postcards
// are out.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const root = join(here, '../..');
const data = join(here, 'data', `run-${process.pid}`);
const children = [];

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void end(130));

build(join(root, 'lib'), join(root, 'dist/index.js'), 'tsconfig.build.json');
build(join(here, 'src'), join(here, 'dist/main.js'), 'sample/own-driver/tsconfig.json');

start('web', 'dist/main.js').once('exit', (code) => void (code === 0 ? summary() : end(1)));
const first = start('worker 1', 'dist/worker.js');
// As a machine would take it away: without a goodbye. What it has in hand comes back when its lease is over.
first.stdout.once('data', () => {
  first.kill('SIGKILL');
  for (const name of ['worker 2', 'worker 3']) start(name, 'dist/worker.js').once('exit', () => void end(1));
});

function summary() {
  console.log('\n== Postcards');
  const folder = join(data, 'postcards');
  const printed = readdirSync(folder).sort();
  for (const name of printed) console.log(`  ${name.padEnd(12)} ${readFileSync(join(folder, name), 'utf8').trim()}`);
  const left = readdirSync(join(data, 'queue'), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  console.log(`\n${printed.length} of 11 printed, ${left.length} files left in the queue.`);
  void end(printed.length === 11 && left.length === 0 ? 0 : 1);
}

/** Where the build is missing, or older than the newest of its sources. */
function build(sources, built, project) {
  const since = existsSync(built) ? statSync(built).mtimeMs : 0;
  if (readdirSync(sources, { recursive: true }).every((file) => statSync(join(sources, file)).mtimeMs <= since)) return;
  console.log(`building ${project} …`);
  const args = ['node_modules/typescript/bin/tsc', '-p', project];
  if (spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status !== 0) process.exit(1);
}

function start(name, file) {
  const env = { ...process.env, DATA_DIR: data, PROCESS_NAME: name };
  const child = spawn(process.execPath, [file], { cwd: here, env, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (text) =>
    process.stdout.write(String(text).replace(/^(?=.*\S)/gm, name === 'web' ? '' : `${name} `)),
  );
  children.push(child);
  return child;
}

async function end(code) {
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const ended = running.map(
    (child) => new Promise((resolve) => child.removeAllListeners('exit').once('exit', resolve)),
  );
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(ended);
  rmSync(data, { recursive: true, force: true });
  process.exit(code);
}
